/** What sessions that have ended had used up of their pace, until it is there again. Pure: time is passed in, in ms. */
import type { PaceDebt } from '../pace.js';

/** No account has more sessions that come and go; of more, those that are over first are forgotten. */
const debts_max = 1_024;

interface Until {
  frames_ms: number;
  messages_ms: number;
}

const endOf = ({ frames_ms, messages_ms }: Until) => Math.max(frames_ms, messages_ms);

/** Threads: one. */
export class PaceDebts {
  /** The one that lasts longest comes last. */
  #debts: Until[] = [];

  count(now_ms: number): number {
    this.#debts = this.#debts.filter((debt) => endOf(debt) > now_ms);
    return this.#debts.length;
  }

  leave({ framesMs, messagesMs }: PaceDebt, now_ms: number): void {
    const debt = { frames_ms: now_ms + framesMs, messages_ms: now_ms + messagesMs };
    if (endOf(debt) <= now_ms) return;
    this.count(now_ms);
    this.#debts.push(debt);
    this.#debts.sort((a, b) => endOf(a) - endOf(b));
    if (this.#debts.length > debts_max) this.#debts.shift();
  }

  /** The greatest: each session that begins pays for one that has ended. */
  take(now_ms: number): PaceDebt | undefined {
    const debt = this.count(now_ms) === 0 ? undefined : this.#debts.pop();
    if (debt === undefined) return undefined;
    const left = (until_ms: number) => Math.max(0, until_ms - now_ms);
    return { framesMs: left(debt.frames_ms), messagesMs: left(debt.messages_ms) };
  }
}
