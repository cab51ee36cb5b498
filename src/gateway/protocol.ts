/** Text frames of the gateway's socket; docs/gateway.md. Binary frames are made natively (native/gateway). */
import { z } from 'zod';

export const gateway_version = 1;
export const gateway_path = '/feed';

/** Bytes of a text frame from a client. */
export const text_bytes_max = 65_536;
export const selectors_max = 4_096;
const selector_length_max = 64;
export const levels_max = 64;
const interval_ms_max = 3_600_000;
const client_name_max = 64;
const token_length_max = 8_192;

export const close_codes = {
  bad_version: 4_001,
  unauthorised: 4_003,
  too_slow: 4_008,
  going_away: 4_010,
  bad_message: 4_016,
  too_many: 4_029,
} as const;

export const error_codes = [
  'bad_message',
  'bad_version',
  'hello_first',
  'unauthorised',
  'forbidden',
  'unknown_channel',
  'unknown_instrument',
  'unknown_id',
  'id_in_use',
  'too_many',
  'rate_limited',
  'not_in_json',
  'too_slow',
  'unavailable',
] as const;
export type ErrorCode = (typeof error_codes)[number];

export const modes = ['exact', 'filtered', 'depth', 'bbo', 'trades'] as const;
export type Mode = (typeof modes)[number];
export const slow_policies = ['conflate', 'snapshot', 'disconnect'] as const;

const unsigned64_text = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform((digits) => BigInt(digits))
  .refine((number) => number < 2n ** 64n);
const subscription_id = z.number().int().min(1).max(65_535);
const channel = z.number().int().min(0).max(0xffff_ffff);
/** A symbol, a pattern with `*` and `?`, or an instrument's number. */
const selector = z.union([z.string().min(1).max(selector_length_max), z.number().int().min(1).max(0xffff_ffff)]);
const wishes = {
  instruments: z.array(selector).min(1).max(selectors_max).optional(),
  levels: z.number().int().min(1).max(levels_max).optional(),
  intervalMs: z.number().int().min(0).max(interval_ms_max).optional(),
  onSlow: z.enum(slow_policies).optional(),
};

export const clientMessage = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('hello'),
    versions: z.array(z.number().int()).min(1).max(16),
    token: z.string().max(token_length_max).optional(),
    format: z.enum(['binary', 'json']).optional(),
    client: z.string().max(client_name_max).optional(),
  }),
  z.strictObject({
    type: z.literal('subscribe'),
    id: subscription_id,
    channel,
    mode: z.enum(modes),
    ...wishes,
    resume: z.strictObject({ session: unsigned64_text, sequence: unsigned64_text }).optional(),
  }),
  z.strictObject({ type: z.literal('change'), id: subscription_id, mode: z.enum(modes).optional(), ...wishes }),
  z.strictObject({ type: z.literal('unsubscribe'), id: subscription_id }),
  z.strictObject({ type: z.literal('count'), id: subscription_id }),
  z.strictObject({ type: z.literal('renew'), token: z.string().max(token_length_max) }),
  z.strictObject({ type: z.literal('ping'), time: z.number().optional() }),
]);

export type ClientMessage = z.output<typeof clientMessage>;
export type HelloMessage = Extract<ClientMessage, { type: 'hello' }>;
export type SubscribeMessage = Extract<ClientMessage, { type: 'subscribe' }>;
export type ChangeMessage = Extract<ClientMessage, { type: 'change' }>;
export type Selector = z.output<typeof selector>;

export interface InstrumentEntry {
  instrument: number;
  symbol: string;
  priceExponent: number;
  quantityExponent: number;
}

export interface CountsEntry {
  published: bigint;
  sent: bigint;
  conflated: bigint;
  refused: bigint;
  pending: bigint;
  sequence: bigint;
}

/** Every text frame from the gateway but data in JSON. */
export type GatewayMessage =
  | {
      type: 'welcome';
      version: number;
      channels: { channel: number; session: bigint; sequence: bigint; ready: boolean }[];
      limits: { subscriptions: number; levels: number; bufferedBytes: number; textBytes: number };
    }
  | {
      type: 'subscribed' | 'changed';
      id: number;
      channel: number;
      session: bigint;
      sequence: bigint;
      mode: Mode;
      levels: number;
      intervalMs: number;
      onSlow: (typeof slow_policies)[number];
      instruments: InstrumentEntry[];
      /** `changed`: until now, with what the new beginning covers. */
      counts?: CountsEntry;
    }
  | ({ type: 'counts' | 'unsubscribed'; id: number } & CountsEntry)
  | { type: 'pong'; time?: number }
  | { type: 'renewed' }
  | { type: 'error'; id?: number; code: ErrorCode; message: string; reason?: string; waitMs?: number }
  | { type: 'definitions'; channel: number; instruments: InstrumentEntry[] }
  | { type: 'session'; channel: number; session: bigint }
  /** What the login may have is another: what was refused may be granted. */
  | { type: 'entitlements' }
  | { type: 'slow'; id: number; did: 'conflated' | 'resnapshot'; sequence: bigint; counts?: CountsEntry }
  | { type: 'goodbye'; code: number; reason: string; reconnectMs: number; url?: string };

/** Of each list, for as long as there is somebody who has it: that of a whole channel goes to many. */
const instruments_texts = new WeakMap<readonly InstrumentEntry[], string>();

function instrumentsText(list: readonly InstrumentEntry[]): string {
  let text = instruments_texts.get(list);
  if (text === undefined) {
    text = JSON.stringify(list);
    instruments_texts.set(list, text);
  }
  return text;
}

/** As a text frame; bigints become decimal text. A list of instruments must not change afterwards. */
export function textOf(message: GatewayMessage): string {
  const { instruments, ...rest } = { instruments: undefined, ...message };
  const text = JSON.stringify(rest, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
  return instruments === undefined ? text : `${text.slice(0, -1)},"instruments":${instrumentsText(instruments)}}`;
}

/** The message of a text frame, or why it is none. */
export function parseMessage(text: string): { message: ClientMessage } | { fault: string } {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return { fault: 'not JSON' };
  }
  const parsed = clientMessage.safeParse(given);
  if (parsed.success) return { message: parsed.data };
  const [issue] = parsed.error.issues;
  const path = issue?.path.join('.') ?? '';
  return { fault: path === '' ? (issue?.message ?? 'malformed') : `${path}: ${issue?.message ?? 'malformed'}` };
}
