/** What a seed makes of a chaos run: faults of the lines, and blows to the processes, each with its moment. Pure. */
import type { FaultProfileInput } from '../faults/profile.js';
import { SeededRandom } from '../faults/random.js';

/** One thing that is sure to happen in a run. */
export const theme_names = [
  'loss',
  'burst',
  'lineDead',
  'bothDead',
  'reorder',
  'duplicates',
  'corrupt',
  'recoveryKilled',
  'publisherKilled',
  'powerCut',
  'lateJoin',
  'clientRestarted',
] as const;
export type Theme = (typeof theme_names)[number];

export interface ChaosAction {
  /** After the first message came by. */
  at_ms: number;
  /**
   * `killPublisher`: SIGKILL and a new start on the same state folder; `powerCut`: the same, but what was not on disk is
   * gone (the ring, and the end of the last segment), so that a new session has to follow; `killRecovery`: SIGKILL of the
   * recovery process, and a new start; `restartClient`: a new client with the old one's resume token.
   */
  type: 'killPublisher' | 'powerCut' | 'killRecovery' | 'restartClient';
  /** How long it is away. */
  away_ms: number;
}

export interface ChaosPlan {
  seed: number;
  themes: Theme[];
  messages: number;
  /** Messages a second. */
  rate: number;
  symbols: number;
  liveOrders: number;
  digestMessages: number;
  profile: FaultProfileInput;
  actions: ChaosAction[];
  /** The client starts so long after the first message; 0: before it. */
  lateJoin_ms: number;
  /** In a process of its own instead of the publisher's. */
  recoveryApart: boolean;
  /** recovery.retransmitMax of the client: a small one leads to snapshots. */
  retransmitMax: number;
  gapWait_ms: number;
}

export interface PlanLimits {
  /** Seconds that the source runs. */
  seconds: number;
  rate: number;
  /** Instead of drawn ones; none: drawn. */
  themes?: readonly Theme[];
  /** Faults of the lines, instead of drawn ones; then nothing else happens but `themes`. */
  profile?: FaultProfileInput;
}

type Phase = NonNullable<FaultProfileInput['phases']>[number];

const tail_ms = 600;
const loss_min = 0.001;
const loss_max = 0.3;

/**
 * One or two themes for each seed, the first in turn, so that a row of seeds has each of them; the second more often one of
 * those that need the dear ways back.
 */
function drawThemes(seed: number, random: SeededRandom): Set<Theme> {
  const themes = new Set<Theme>([theme_names[seed % theme_names.length] as Theme]);
  if (random.between(0, 1) === 1) themes.add(random.pick([...theme_names, 'powerCut', 'bothDead', 'publisherKilled']));
  return themes;
}

/** The same for the same arguments. */
export function makePlan(seed: number, { seconds, rate, themes: given = [], profile }: PlanLimits): ChaosPlan {
  const random = new SeededRandom(seed);
  const drawn = drawThemes(seed, random);
  const themes = given.length > 0 || profile !== undefined ? new Set(given) : drawn;
  const messages = Math.round(seconds * rate);
  const plan: ChaosPlan = {
    seed,
    themes: [...themes],
    messages,
    rate,
    symbols: random.between(3, 60),
    liveOrders: random.between(200, 5_000),
    digestMessages: random.pick([1_000, 5_000, 10_000]),
    profile: {},
    actions: [],
    lateJoin_ms: 0,
    recoveryApart: random.between(0, 1) === 1,
    retransmitMax: random.pick([2_000, 1_000_000, 1_000_000]),
    gapWait_ms: random.pick([2, 10]),
  };
  // Some loss is part of every run.
  const base = random.logarithmic(loss_min, 0.02);
  const phases: Phase[] = [{ drop: base }];
  for (const theme of plan.themes) applyTheme(theme, plan, phases, random, seconds * 1_000);
  if (plan.actions.some(({ type }) => type === 'killRecovery')) plan.recoveryApart = true;
  // Two of them at the same moment would be one of them.
  plan.actions.sort((a, b) => a.at_ms - b.at_ms);
  plan.profile = profile ?? { phases };
  return plan;
}

function applyTheme(theme: Theme, plan: ChaosPlan, phases: Phase[], random: SeededRandom, length_ms: number): void {
  const moment = (share: number) => Math.round(random.between(15, 100 * share) * (length_ms / 100));
  const line = random.pick(['A', 'B', 'both'] as const);
  switch (theme) {
    case 'loss':
      phases.push({ drop: random.logarithmic(loss_min, loss_max) });
      break;
    case 'burst': {
      // Up to 10,000 datagrams in a row, begun by those of certain numbers, on one line or on both.
      const packets = random.pick([Math.round(random.logarithmic(50, 10_000)), 10_000]);
      const begin = Math.round(plan.messages * 0.2);
      phases.push({ line, burst: { rate: 0.2, packets }, fromSequence: begin, toSequence: begin + 300 });
      phases.push({ burst: { rate: 0.0005, packets: Math.min(packets, 300) } });
      break;
    }
    case 'lineDead':
      phases.push({ line: random.pick(['A', 'B'] as const), dead: true });
      phases.push({ drop: random.logarithmic(loss_min, 0.1) });
      break;
    case 'bothDead': {
      const fromMs = Math.min(moment(0.5), Math.max(0, length_ms - 2_000 - tail_ms));
      phases.push({ dead: true, fromMs, toMs: fromMs + Math.min(2_000, length_ms - tail_ms) });
      break;
    }
    case 'reorder': {
      const rate = random.logarithmic(0.01, 0.3);
      phases.push({ reorder: { rate, distance: random.between(1_000, 2_000) } });
      phases.push({ delay: { rate: 0.01, ms: random.between(5, 40) } });
      break;
    }
    case 'duplicates':
      phases.push({ duplicate: { rate: random.logarithmic(0.01, 0.3), copies: random.between(1, 5), distance: 500 } });
      break;
    case 'corrupt':
      phases.push({ corrupt: { rate: random.logarithmic(0.002, 0.1), bits: random.between(1, 8) } });
      break;
    case 'recoveryKilled':
      plan.actions.push({ at_ms: moment(0.6), type: 'killRecovery', away_ms: random.between(100, 600) });
      phases.push({ drop: random.logarithmic(0.01, 0.1) });
      break;
    case 'publisherKilled':
      plan.actions.push({ at_ms: moment(0.6), type: 'killPublisher', away_ms: random.between(0, 300) });
      break;
    case 'powerCut':
      plan.actions.push({ at_ms: moment(0.6), type: 'powerCut', away_ms: random.between(0, 300) });
      break;
    case 'lateJoin':
      plan.lateJoin_ms = moment(0.5);
      break;
    case 'clientRestarted':
      plan.actions.push({ at_ms: moment(0.6), type: 'restartClient', away_ms: random.between(50, 800) });
      break;
  }
}
