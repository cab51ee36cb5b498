/**
 * What a client may have: the same object in the token file and in a JWT's claim, for gateway, recovery and snapshots.
 * What no grant gives is denied. docs/access.md, "Entitlements". Plain data: it may cross threads.
 */
import { z } from 'zod';
import { checkedParse } from './checked_parse.js';
import { namePattern } from './name_pattern.js';

export const access_modes = ['exact', 'filtered', 'depth', 'bbo', 'trades'] as const;
export type AccessMode = (typeof access_modes)[number];

const grants_max = 64;
const channels_max = 4_096;
const instruments_max = 10_000;
/** Patterns, as opposed to names, are tried one after the other. */
const patterns_max = 256;

function whole(min: number, max: number) {
  const message = `expected a whole number from ${min} to ${max}`;
  return z.number(message).int(message).min(min, message).max(max, message);
}

const channel_list = `expected "*" or a list of 1 to ${channels_max} channel numbers`;

const instrument = z
  .string('expected an instrument name or pattern')
  .refine((text) => namePattern(text) !== undefined, 'expected a name or pattern of 1 to 64 characters');

const instruments = z
  .array(instrument)
  .min(1, 'expected at least one; ["*"] stands for all')
  .max(instruments_max, `expected at most ${instruments_max} instruments`)
  .refine(
    (all) => all.filter((text) => namePattern(text)?.exact === undefined).length <= patterns_max,
    `expected at most ${patterns_max} patterns`,
  );

const grant = z
  .strictObject({
    /** Numbers, or "*" for all. */
    channels: z.union(
      [
        z.literal('*'),
        z.array(whole(0, 0xffff_ffff), channel_list).min(1, channel_list).max(channels_max, channel_list),
      ],
      channel_list,
    ),
    instruments,
    modes: z.array(z.enum(access_modes)).min(1, 'expected at least one mode').max(64, 'expected each mode once'),
    /** Levels of each side in mode `depth`; null: all. */
    depthLevelsMax: whole(1, 1_000_000).nullable().default(null),
  })
  .superRefine(({ instruments, modes, depthLevelsMax }, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (modes.includes('exact') && !instruments.some((text) => namePattern(text)?.all))
      fault('instruments', 'expected ["*"], since mode exact gives the whole channel');
    if ((modes.includes('exact') || modes.includes('filtered')) && depthLevelsMax !== null)
      fault('depthLevelsMax', 'expected null, since modes exact and filtered give every order');
  });

/** null: what `access.limits.perToken` says. */
export const entitlementsSchema = z.strictObject({
  grants: z.array(grant).min(1, 'expected at least one grant').max(grants_max, `expected at most ${grants_max} grants`),
  connectionsMax: whole(1, 1_000_000).nullable().default(null),
  /** Instruments chosen in all subscriptions of all connections; a pattern or a whole channel counts as one. */
  subscriptionsMax: whole(1, 10_000_000).nullable().default(null),
  requestsPerSecond: whole(1, 1_000_000).nullable().default(null),
  /** Frames and messages a second that the server sends to one session; null: as many as come. */
  framesPerSecondMax: whole(1, 1_000_000).nullable().default(null),
  messagesPerSecondMax: whole(1, 100_000_000).nullable().default(null),
  /** The figures of the whole server (GET /metrics): for its operator. */
  metrics: z.boolean('expected true or false').default(false),
});

export type Entitlements = z.output<typeof entitlementsSchema>;
export type Grant = Entitlements['grants'][number];

export function parseEntitlements(value: unknown): { value: Entitlements } | { fault: string } {
  return checkedParse(entitlementsSchema, value);
}

/** Everything: for a server without authentication. */
export const all_entitlements: Entitlements = entitlementsSchema.parse({
  grants: [{ channels: '*', instruments: ['*'], modes: [...access_modes] }],
  metrics: true,
});
