/** What a measurement says, in words for a reader who knows nothing of it. Pure. */
import { duration, grouped } from '../view/format.js';
import { type Cause, cause_texts, causes } from './attribution.js';
import type { JitterResult, TailFigures } from './result.js';

/** Parts of the messages above a quantile, largest first; the usual spread is the one without a cause. */
export interface TailPart {
  cause: Cause | undefined;
  messages: number;
  share: number;
  text: string;
}

export function tailParts(tail: TailFigures): TailPart[] {
  const part = (cause: Cause | undefined, messages: number): TailPart => ({
    cause,
    messages,
    share: tail.messages === 0 ? 0 : messages / tail.messages,
    text: cause === undefined ? 'nothing held them up: they are of the usual spread' : cause_texts[cause],
  });
  return [...causes.map((cause) => part(cause, tail.causes[cause] ?? 0)), part(undefined, tail.usual)]
    .filter(({ messages }) => messages > 0)
    .sort((a, b) => b.messages - a.messages);
}

/** One sentence: what the p99.9 is, and of what the messages above it are made. */
export function tailSentence({ attribution: { p99_9: tail } }: JitterResult, unicode: boolean): string {
  const parts = tailParts(tail).map(
    ({ messages, share, text }) => `${grouped(messages)} (${(100 * share).toFixed(0)} %): ${text}`,
  );
  const above =
    tail.messages === 0
      ? 'too few messages were measured to say what lies above it'
      : `of the ${grouped(tail.messages)} messages above it, ${parts.join('; ')}`;
  return `p99.9 is ${duration(tail.value, unicode)}: 999 of 1,000 messages were in the client's book within that time of when they were due; ${above}.`;
}

/** What the machine itself takes, and what it took away. */
export function floorSentence({ feed, floor, stalls }: JitterResult, unicode: boolean): string {
  const time = (ns: number) => duration(ns, unicode);
  const ratio = (name: 'p50' | 'p99_9') => (floor[name] === 0 ? '-' : (feed[name] / floor[name]).toFixed(2));
  return (
    `The same datagrams with nothing done for them (the floor: the least that this machine takes) had a p99.9 of ` +
    `${time(floor.p99_9)}, so the feed's is ${ratio('p99_9')} times that; half of the messages took at most ${time(feed.p50)}, ` +
    `${ratio('p50')} times the floor's ${time(floor.p50)}. The machine stood still under a running thread, proved, for ` +
    `${(100 * stalls.excluded_share).toFixed(3)} % of the time.`
  );
}
