/** The text messages of docs/gateway.md: what goes out, and what comes in, checked. */

export const gateway_version = 1;

const modes = ['exact', 'filtered', 'depth', 'bbo', 'trades'] as const;
export type GatewayMode = (typeof modes)[number];
export type OnSlow = 'conflate' | 'snapshot' | 'disconnect';

export interface SubscribeOptions {
  channel: number;
  mode: GatewayMode;
  /** Symbols, patterns with * and ?, or numbers; absent: all. */
  instruments?: readonly (string | number)[];
  /** `depth` only; 10 unless given. */
  levels?: number;
  /** Conflated modes only; 0: on each change. */
  intervalMs?: number;
  onSlow?: OnSlow;
}

export type ChangeOptions = Partial<Omit<SubscribeOptions, 'channel'>>;

export type ClientMessage =
  | { type: 'hello'; versions: number[]; token?: string; client?: string }
  | ({ type: 'subscribe'; id: number; resume?: { session: string; sequence: string } } & SubscribeOptions)
  | ({ type: 'change'; id: number } & ChangeOptions)
  | { type: 'unsubscribe'; id: number }
  | { type: 'count'; id: number }
  | { type: 'ping'; time: number };

export interface GatewayInstrument {
  instrument: number;
  symbol: string;
  priceExponent: number;
  quantityExponent: number;
}

/** A channel as the gateway names it in its welcome. */
export interface GatewayChannel {
  channel: number;
  session: bigint;
  sequence: bigint;
  /** False: the publisher is away, or has not begun. */
  ready: boolean;
}

export interface GatewayWelcome {
  channels: GatewayChannel[];
  /** Most levels of each side that a subscription may have; undefined where it does not say. */
  levels: number | undefined;
}

/** What became of a subscription's messages, as the gateway counts them. */
export interface GatewayCounts {
  published: number;
  sent: number;
  conflated: number;
  refused: number;
  /** What the next frames will cover. */
  pending: number;
  sequence: number;
}

export type ServerMessage =
  | ({ type: 'welcome' } & GatewayWelcome)
  | {
      type: 'subscribed' | 'changed';
      id: number;
      /** As granted. */
      mode: GatewayMode | undefined;
      instruments: GatewayInstrument[] | undefined;
      /** `changed`: what was counted until then, with what the new beginning covers. */
      counts: GatewayCounts | undefined;
    }
  | ({ type: 'counts' | 'unsubscribed'; id: number } & GatewayCounts)
  | { type: 'error'; id: number | undefined; code: string; message: string; waitMs: number }
  | { type: 'definitions'; channel: number; instruments: GatewayInstrument[] }
  | { type: 'session'; channel: number; session: bigint }
  | { type: 'entitlements' }
  | { type: 'slow'; id: number; did: 'conflated' | 'resnapshot'; sequence: number; counts: GatewayCounts | undefined }
  | { type: 'goodbye'; reason: string; reconnectMs: number; url: string | undefined }
  | { type: 'pong'; time: number | undefined };

/** Bytes of a text message, channels and instruments of one message. */
export const text_max = 16 << 20;
const channels_max = 1 << 16;
const instruments_max = 1 << 20;

class Malformed extends Error {}

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function whole(fields: Fields, name: string, max = Number.MAX_SAFE_INTEGER): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || Math.abs(value) > max)
    throw new Malformed(`${name} is ${JSON.stringify(value)}, expected a whole number`);
  return value;
}

/** A 64-bit number: decimal text; a plain number where it is exact. */
function decimal(fields: Fields, name: string): bigint {
  const value = fields[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value === 'string' && /^\d{1,20}$/.test(value)) return BigInt(value);
  throw new Malformed(`${name} is ${JSON.stringify(value)}, expected a decimal number`);
}

function exact(fields: Fields, name: string): number {
  const value = Number(decimal(fields, name));
  if (!Number.isSafeInteger(value)) throw new Malformed(`${name} is beyond 2^53`);
  return value;
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new Malformed(`${name} is ${JSON.stringify(value)}, expected text`);
  return value;
}

function instruments(value: unknown): GatewayInstrument[] {
  if (!Array.isArray(value) || value.length > instruments_max) throw new Malformed('instruments is no list');
  return value.map((one: unknown) => {
    if (!isFields(one)) throw new Malformed('an instrument is no object');
    return {
      instrument: whole(one, 'instrument', 0xffff_ffff),
      symbol: text(one, 'symbol'),
      priceExponent: whole(one, 'priceExponent', 128),
      quantityExponent: whole(one, 'quantityExponent', 128),
    };
  });
}

function channels(value: unknown): GatewayChannel[] {
  if (!Array.isArray(value) || value.length > channels_max) throw new Malformed('channels is no list');
  return value.map((one: unknown) => {
    if (!isFields(one)) throw new Malformed('a channel is no object');
    return {
      channel: whole(one, 'channel', 0xffff_ffff),
      session: decimal(one, 'session'),
      sequence: decimal(one, 'sequence'),
      ready: one.ready === true,
    };
  });
}

function welcome(fields: Fields): ServerMessage {
  if (whole(fields, 'version') !== gateway_version) throw new Malformed('version is not 1');
  const { limits } = fields;
  return {
    type: 'welcome',
    channels: fields.channels === undefined ? [] : channels(fields.channels),
    levels: isFields(limits) && limits.levels !== undefined ? whole(limits, 'levels') : undefined,
  };
}

function counts(fields: Fields): GatewayCounts {
  return {
    published: exact(fields, 'published'),
    sent: exact(fields, 'sent'),
    conflated: exact(fields, 'conflated'),
    refused: exact(fields, 'refused'),
    pending: fields.pending === undefined ? 0 : exact(fields, 'pending'),
    sequence: exact(fields, 'sequence'),
  };
}

function goodbye(fields: Fields): ServerMessage {
  return {
    type: 'goodbye',
    reason: text(fields, 'reason'),
    reconnectMs: Math.max(0, whole(fields, 'reconnectMs')),
    url: fields.url === undefined ? undefined : text(fields, 'url'),
  };
}

function messageOf(fields: Fields): ServerMessage | undefined {
  const { type } = fields;
  switch (type) {
    case 'welcome':
      return welcome(fields);
    case 'subscribed':
    case 'changed': {
      const listed = fields.instruments;
      return {
        type,
        id: whole(fields, 'id'),
        mode: modes.find((mode) => mode === fields.mode),
        instruments: listed === undefined ? undefined : instruments(listed),
        counts: isFields(fields.counts) ? counts(fields.counts) : undefined,
      };
    }
    case 'counts':
    case 'unsubscribed':
      return { type, id: whole(fields, 'id'), ...counts(fields) };
    case 'error':
      return {
        type,
        id: fields.id === undefined ? undefined : whole(fields, 'id'),
        code: text(fields, 'code'),
        message: fields.message === undefined ? '' : text(fields, 'message'),
        waitMs: fields.waitMs === undefined ? 0 : Math.max(0, whole(fields, 'waitMs')),
      };
    case 'definitions':
      return { type, channel: whole(fields, 'channel'), instruments: instruments(fields.instruments) };
    case 'session':
      return { type, channel: whole(fields, 'channel'), session: decimal(fields, 'session') };
    case 'entitlements':
      return { type };
    case 'slow': {
      const did = text(fields, 'did');
      if (did !== 'conflated' && did !== 'resnapshot') throw new Malformed(`did is "${did}"`);
      return {
        type,
        id: whole(fields, 'id'),
        did,
        sequence: exact(fields, 'sequence'),
        counts: isFields(fields.counts) ? counts(fields.counts) : undefined,
      };
    }
    case 'goodbye':
      return goodbye(fields);
    case 'pong':
      return { type, time: fields.time === undefined ? undefined : whole(fields, 'time') };
    default:
      return undefined;
  }
}

/** What a text says; undefined: a type of a later version; a string: what is wrong with it. Never throws. */
export function parseServerMessage(message: string): ServerMessage | string | undefined {
  if (message.length > text_max) return 'too long';
  try {
    const parsed: unknown = JSON.parse(message);
    return isFields(parsed) ? messageOf(parsed) : 'no object';
  } catch (error) {
    return error instanceof Error ? error.message : 'no JSON';
  }
}
