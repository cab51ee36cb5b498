/** Answers what entitlements allow. Pure; one object for the gateway, the recovery service and snapshots. */
import { type Refusal, refuse } from './codes.js';
import { type AccessMode, access_modes, type Entitlements, type Grant } from './entitlements.js';
import { type NamePattern, namePattern } from './name_pattern.js';

/** Names of instruments, or the whole channel. */
export type Chosen = readonly string[] | 'all';

export type AccessRequest =
  /** A subscription. `levels`: of each side in mode depth; 0 for all. */
  | { use: 'subscribe'; channel: number; mode: AccessMode; instruments: Chosen; levels?: number }
  /** Packets of a channel as they were multicast. */
  | { use: 'retransmit'; channel: number }
  /** Every order of the chosen instruments. */
  | { use: 'snapshot'; channel: number; instruments: Chosen };

export type Answer = { allowed: true } | { allowed: false; refusal: Refusal };

/** What of a channel somebody may know of. */
export interface ChannelView {
  /** Those in which something of it is allowed. */
  modes: AccessMode[];
  /** Its packets as they are multicast, and so whatever it holds. */
  packets: boolean;
  /** In whatever mode. */
  sees(name: string): boolean;
}

interface CompiledGrant {
  grant: Grant;
  channels: Set<number> | undefined;
  all: boolean;
  names: Set<string>;
  patterns: NamePattern[];
}

function compile(grant: Grant): CompiledGrant {
  const patterns = grant.instruments.map((text) => namePattern(text)).filter((pattern) => pattern !== undefined);
  return {
    grant,
    channels: grant.channels === '*' ? undefined : new Set(grant.channels),
    all: patterns.some(({ all }) => all),
    names: new Set(patterns.map(({ exact }) => exact).filter((name) => name !== undefined)),
    patterns: patterns.filter(({ exact }) => exact === undefined),
  };
}

function covers({ all, names, patterns }: CompiledGrant, name: string): boolean {
  return all || names.has(name) || patterns.some((pattern) => pattern.matches(name));
}

const denied = (refusal: Refusal): Answer => ({ allowed: false, refusal });
const ok: Answer = { allowed: true };

/** Modes of which one is enough. */
function modesOf(request: AccessRequest): AccessMode[] {
  if (request.use === 'subscribe') return [request.mode];
  if (request.use === 'retransmit' || request.instruments === 'all') return ['exact'];
  // Whoever may have every order of an instrument live may have them at once.
  return ['filtered', 'exact'];
}

/** Threads: one each; make it anew in another thread from the same Entitlements. */
export class Entitled {
  readonly #grants: CompiledGrant[];

  constructor(readonly entitlements: Entitlements) {
    this.#grants = entitlements.grants.map(compile);
  }

  /**
   * Ask this before looking whether channel and instruments exist: then nobody learns the names of what is not theirs.
   * A refusal names no instrument, only the index of the first one in the request.
   */
  allows(request: AccessRequest): Answer {
    const { channel } = request;
    const onChannel = this.#grants.filter(({ channels }) => channels === undefined || channels.has(channel));
    if (onChannel.length === 0) return denied(refuse('channel_denied'));
    const modes = modesOf(request);
    const inMode = onChannel.filter(({ grant }) => modes.some((mode) => grant.modes.includes(mode)));
    if (inMode.length === 0) return denied(refuse('mode_denied', modes[0]));
    const levels = request.use === 'subscribe' && request.mode === 'depth' ? (request.levels ?? 0) : 1;
    const chosen = request.use === 'retransmit' || modes[0] === 'exact' ? 'all' : request.instruments;
    if (chosen === 'all')
      return judge(
        inMode.filter(({ all }) => all),
        levels,
        'the whole channel',
      );
    for (const [index, name] of chosen.entries()) {
      const covering = inMode.filter((grant) => covers(grant, name));
      const answer = judge(covering, levels, `number ${index + 1} of the request`);
      if (!answer.allowed) return answer;
    }
    return ok;
  }

  /** One instrument of a pattern or a whole channel, e.g. one that was defined after the subscription. */
  allowsInstrument(channel: number, mode: AccessMode, levels: number, name: string): boolean {
    return this.allows({ use: 'subscribe', channel, mode, instruments: [name], levels }).allowed;
  }

  /** For the directory; undefined where nothing of the channel is allowed. */
  view(channel: number): ChannelView | undefined {
    const grants = this.#grants.filter(({ channels }) => channels === undefined || channels.has(channel));
    if (grants.length === 0) return undefined;
    return {
      modes: access_modes.filter((mode) => grants.some(({ grant }) => grant.modes.includes(mode))),
      packets: this.allows({ use: 'retransmit', channel }).allowed,
      sees: (name) => grants.some((grant) => covers(grant, name)),
    };
  }

  /** Those of the names that are allowed: what a client's pattern gives it. */
  permitted(channel: number, mode: AccessMode, levels: number, names: readonly string[]): string[] {
    return names.filter((name) => this.allowsInstrument(channel, mode, levels, name));
  }
}

const compiled = new WeakMap<Entitlements, Entitled>();

/** One for all sessions that share the entitlements. */
export function entitledOf(entitlements: Entitlements): Entitled {
  let entitled = compiled.get(entitlements);
  if (entitled === undefined) {
    entitled = new Entitled(entitlements);
    compiled.set(entitlements, entitled);
  }
  return entitled;
}

function judge(grants: readonly CompiledGrant[], levels: number, what: string): Answer {
  if (grants.length === 0) return denied(refuse('instrument_denied', what));
  let most = 0;
  for (const { grant } of grants) {
    if (grant.depthLevelsMax === null) return ok;
    most = Math.max(most, grant.depthLevelsMax);
  }
  return levels > 0 && levels <= most ? ok : denied(refuse('depth_denied', `at most ${most}`));
}

/** Which of a session's requests new entitlements no longer allow, by index: those subscriptions must end. */
export function noLongerAllowed(
  entitled: Entitled,
  requests: readonly AccessRequest[],
): { index: number; refusal: Refusal }[] {
  return requests.flatMap((request, index) => {
    const answer = entitled.allows(request);
    return answer.allowed ? [] : [{ index, refusal: answer.refusal }];
  });
}
