/** What the gateway's main thread and its workers tell each other. Plain data. */
import type { DirectoryChannel } from '../control/protocol.js';
import type { NativeGatewayOptions } from '../native.js';
import type { ConnectRequest } from './access/access_control.js';
import type { Refusal } from './access/codes.js';
import type { Entitlements } from './access/entitlements.js';
import type { OriginPolicy } from './access/origin.js';
import type { GatewayFigures, GatewaySessionInfo } from './figures.js';
import type { Admission, HttpAsk, Metrics } from './http/context.js';
import type { PaceDebt } from './pace.js';
import type { GatewayServerOptions } from './server.js';
import type { Held, Holding } from './session.js';

/** workerData. */
export interface WorkerPlan {
  server: GatewayServerOptions;
  origin: OriginPolicy;
  channels: NativeGatewayOptions[];
  directory: DirectoryChannel[];
  pageFolder: string;
  /** Added to the thread's nice value. */
  nice: number;
  /** What clients are told where the process ends without a word. */
  exitReconnectMs: number;
  /** One 32-bit word, exit_* below: for an end of the process that leaves no time for messages. */
  exit: SharedArrayBuffer;
}

export const exit_none = 0;
export const exit_asked = 1;
export const exit_done = 2;

/** Questions of a worker, and their answers. */
export interface Questions {
  metrics: { question: undefined; answer: Metrics };
  admit: { question: HttpAsk; answer: Admission };
  /** `connection`: its number from now on. */
  connect: { question: ConnectRequest; answer: { connection: number } | { refusal: Refusal } };
  login: {
    question: LoginQuestion;
    answer: { entitlements: Entitlements; debt?: PaceDebt | undefined } | { refusal: Refusal };
  };
  request: { question: RequestQuestion; answer: Refusal | undefined };
}

export interface LoginQuestion {
  connection: number;
  /** Undefined: that of the header, or none. */
  token: string | undefined;
  /** Of the message that brought it; undefined: it was counted already. */
  bytes: number | undefined;
}

export interface RequestQuestion {
  connection: number;
  bytes: number;
  holds: Holding | undefined;
  /** Requests that it counts for. */
  cost: number;
}

/** What AccessControl wants of an open session. */
export type SessionOrder =
  | { connection: number; act: 'close'; refusal: Refusal }
  | { connection: number; act: 'change'; entitlements: Entitlements };

export type QuestionName = keyof Questions;

export type ToWorker =
  | { type: 'directory'; channels: DirectoryChannel[] }
  | { type: 'answer'; number: number; answer: unknown }
  | { type: 'orders'; orders: SessionOrder[] }
  | { type: 'figures' | 'sessions'; number: number }
  | { type: 'close'; reconnectMs: number; url: string | undefined };

export type FromWorker =
  | { type: 'listening'; port: number }
  | { type: 'failed'; message: string }
  | { type: 'held'; connection: number; held: Held }
  | { type: 'refused'; connection: number; refusal: Refusal }
  | { type: 'turnedAway'; address: string; refusal: Refusal }
  | { type: 'gone'; connection: number; debt?: PaceDebt | undefined }
  | { type: 'ask'; number: number; name: QuestionName; question: unknown }
  /** `number`: of the request; 0: unasked. */
  | { type: 'figures'; number: number; figures: GatewayFigures }
  | { type: 'sessions'; number: number; sessions: GatewaySessionInfo[] }
  | { type: 'closed'; figures: GatewayFigures };
