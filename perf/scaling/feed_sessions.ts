/** Whole feeds with several subscribers, or several of them at once, by the sessions of perf/peers. */
import { default_feed, type FeedSettings } from '../peers/depthcast_sides.js';
import { Session, type SliceFigures } from '../peers/session.js';

async function open(system: string, subscribers: number, feed: FeedSettings): Promise<Session> {
  return Session.open({ system, subscribers, file: '', feed });
}

/** Slices at one rate with so many subscribing processes, each with its books; delivered to JavaScript. */
export async function measureSubscribers(
  subscribers: number,
  rate: number,
  seconds: number,
  runs: number,
): Promise<SliceFigures[]> {
  const session = await open('depthcast', subscribers, default_feed);
  try {
    const slices: SliceFigures[] = [];
    for (let run = 0; run < runs; run++) slices.push(await session.slice(rate, seconds));
    return slices;
  } finally {
    await session.close();
  }
}

/** So many channels at once, each with a publisher, a subscriber's book, and ports of its own; `rate` for each. */
export async function measureChannels(channels: number, rate: number, seconds: number): Promise<SliceFigures[]> {
  const sessions: Session[] = [];
  try {
    for (let channel = 0; channel < channels; channel++)
      sessions.push(await open('depthcast-book', 1, { ...default_feed, port: default_feed.port + 10 * channel }));
    return await Promise.all(sessions.map((session) => session.slice(rate, seconds)));
  } finally {
    await Promise.all(sessions.map((session) => session.close()));
  }
}
