/** What the gateway counts: by worker, and summed. Plain data that may cross threads; pure. */
import type { ErrorCode, Mode } from './protocol.js';

/** Those of now; all else only grows. */
const gauges = ['sessions', 'subscriptions', 'messagesPending', 'windowBytes', 'bufferedBytes'] as const;
/** Highest values. */
const peaks = ['sessionsMost', 'turnMsMax'] as const;

export interface GatewayFigures {
  sessions: number;
  /** Of one worker. */
  sessionsMost: number;
  sessionsServed: number;
  sessionsRefused: number;
  subscriptions: number;
  requests: number;
  frames: number;
  bytes: number;
  slowConflated: number;
  slowResnapshot: number;
  slowDisconnected: number;
  /** Over all subscriptions, those that have ended too: published = sent + conflated + refused + pending. */
  messagesPublished: number;
  messagesSent: number;
  messagesConflated: number;
  messagesRefused: number;
  messagesPending: number;
  snapshots: number;
  /** Bytes for the windows of all sessions. */
  windowBytes: number;
  /** Bytes that wait in the sockets. */
  bufferedBytes: number;
  /** A worker fell out of the publisher's ring, and how often it had to wait for a new session. */
  lapped: number;
  unavailable: number;
  digestsMismatched: number;
  /** The longest piece of work of a worker's event loop. */
  turnMsMax: number;
  /** Errors told to clients, by code. */
  errors: Partial<Record<ErrorCode, number>>;
}

export interface GatewayStats extends GatewayFigures {
  /** Threads that listen now. */
  workers: number;
  /** Threads that died and were begun anew. */
  restarts: number;
}

/** One session, for the operator. */
export interface GatewaySessionInfo {
  /** Number of the connection; unique while the gateway runs. */
  connection: number;
  address: string;
  /** As it called itself in its hello: whatever it liked. */
  client: string;
  /** Kind and id of its login, as in the audit log; empty before the login. */
  login: string;
  subscriptions: { id: number; channel: number; mode: Mode }[];
  /** Bytes that wait in its socket. */
  bufferedBytes: number;
}

export function noFigures(): GatewayFigures {
  return {
    sessions: 0,
    sessionsMost: 0,
    sessionsServed: 0,
    sessionsRefused: 0,
    subscriptions: 0,
    requests: 0,
    frames: 0,
    bytes: 0,
    slowConflated: 0,
    slowResnapshot: 0,
    slowDisconnected: 0,
    messagesPublished: 0,
    messagesSent: 0,
    messagesConflated: 0,
    messagesRefused: 0,
    messagesPending: 0,
    snapshots: 0,
    windowBytes: 0,
    bufferedBytes: 0,
    lapped: 0,
    unavailable: 0,
    digestsMismatched: 0,
    turnMsMax: 0,
    errors: {},
  };
}

const isPeak = (name: string) => (peaks as readonly string[]).includes(name);

export function sumFigures(all: readonly GatewayFigures[]): GatewayFigures {
  const sum = noFigures();
  for (const { errors, ...figures } of all) {
    for (const name of Object.keys(figures) as (keyof typeof figures)[])
      sum[name] = isPeak(name) ? Math.max(sum[name], figures[name]) : sum[name] + figures[name];
    for (const [code, count] of Object.entries(errors) as [ErrorCode, number][])
      sum.errors[code] = (sum.errors[code] ?? 0) + count;
  }
  return sum;
}

/** What remains of a worker that is gone: what it had then, it has no more. */
export function remains(figures: GatewayFigures): GatewayFigures {
  const past = { ...figures, errors: { ...figures.errors } };
  for (const name of gauges) past[name] = 0;
  // What it had not sent yet, nobody will.
  past.messagesRefused += figures.messagesPending;
  return past;
}
