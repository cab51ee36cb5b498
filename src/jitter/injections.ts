/** Faults that a measurement makes on purpose, and whether their outliers are given their true cause. Pure. */
import type { Cause, Episode } from './attribution.js';
import { type Interval, overlap_ns } from './stalls.js';

export const injection_kinds = [
  'publisher-pause',
  'publisher-fsync',
  'publisher-neighbour',
  'receiver-stop',
  'receiver-neighbour',
  'receiver-gc',
] as const;
export type InjectionKind = (typeof injection_kinds)[number];

export interface InjectionPlan {
  kind: InjectionKind;
  every_ms: number;
  length_ms: number;
}

/** What is done, and the cause that an outlier of its making must be given. */
export const injection_causes: Record<InjectionKind, Cause> = {
  'publisher-pause': 'publisher',
  'publisher-fsync': 'disk',
  'publisher-neighbour': 'scheduling',
  'receiver-stop': 'stopped',
  'receiver-neighbour': 'scheduling',
  'receiver-gc': 'javascript',
};

const default_every_ms = 50;
const default_length_ms = 2;

/** KIND[:EVERY_MS[:LENGTH_MS]]; undefined where it is none. */
export function parseInjection(text: string): InjectionPlan | undefined {
  const [name, every = String(default_every_ms), length = String(default_length_ms), ...more] = text.split(':');
  const kind = injection_kinds.find((one) => one === name);
  const [every_ms, length_ms] = [Number(every), Number(length)];
  if (kind === undefined || more.length > 0) return undefined;
  if (!(every_ms >= 5 && every_ms <= 60_000 && length_ms >= 0.1 && length_ms <= every_ms / 2)) return undefined;
  return { kind, every_ms, length_ms };
}

export interface InjectionFigures {
  kind: InjectionKind;
  /** What its outliers must be called. */
  expected: Cause;
  /** Done within slices of the feed; a neighbour counts each time that it has the core. */
  injections: number;
  /** Of these, with an outlier of their making. */
  seen: number;
  /** Episodes of their making, since injections cover at least half of the worst packet's way; by the cause given. */
  episodes: number;
  right: number;
  causes: Partial<Record<Cause, number>>;
  /** Episodes that met an injection for less than that: something else made them. By the cause given. */
  touched: Partial<Record<Cause, number>>;
}

/** An episode's worst packet, from when its way began to its end. */
export interface JudgedEpisode {
  cause: Cause;
  begin_ns: number;
  end_ns: number;
}

export function judged(episodes: readonly Episode[]): JudgedEpisode[] {
  return episodes.map(({ cause, due_ns, latency_ns }) => ({ cause, begin_ns: due_ns, end_ns: due_ns + latency_ns }));
}

export function noFigures(kind: InjectionKind): InjectionFigures {
  return {
    kind,
    expected: injection_causes[kind],
    injections: 0,
    seen: 0,
    episodes: 0,
    right: 0,
    causes: {},
    touched: {},
  };
}

/** Adds one slice's. `injections`: done within it, ascending. */
export function addInjections(
  figures: InjectionFigures,
  injections: readonly Interval[],
  episodes: readonly JudgedEpisode[],
): void {
  const covered = (of: readonly Interval[], { begin_ns, end_ns }: JudgedEpisode) => overlap_ns(of, begin_ns, end_ns);
  const made = (one: JudgedEpisode) => covered(injections, one) >= (one.end_ns - one.begin_ns) / 2;
  const theirs = episodes.filter(made);
  figures.injections += injections.length;
  figures.seen += injections.filter((injection) => theirs.some((one) => covered([injection], one) > 0)).length;
  for (const episode of episodes) {
    const { cause } = episode;
    if (theirs.includes(episode)) {
      figures.episodes++;
      figures.causes[cause] = (figures.causes[cause] ?? 0) + 1;
      if (cause === figures.expected) figures.right++;
    } else if (covered(injections, episode) > 0) {
      figures.touched[cause] = (figures.touched[cause] ?? 0) + 1;
    }
  }
}
