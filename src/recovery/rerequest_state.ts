/** Re-requests by UDP without the socket: cookies, rates, answers. Time is passed in, in ms. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { NativeRecovery } from '../native.js';
import {
  amplification_max,
  challenge_bytes,
  cookie_bytes,
  type Rerequest,
  type RerequestCode,
  readRerequest,
  refusal_bytes,
  writeChallenge,
  writeRefusal,
} from './rerequest_wire.js';
import { TokenBucket } from './token_bucket.js';

/** A cookie is good for so long at least, and for twice that at most. */
const secret_ms = 60_000;
/** Sources that are remembered; the one that was silent longest goes first. */
const sources_max = 16_384;

export interface RerequestOptions {
  channel: number;
  requestsPerSecond: number;
  /** Bytes a second of all answers together. */
  totalBytesPerSecond: number;
}

export interface RerequestCounters {
  requests: number;
  /** No request at all, or of another channel: not answered. */
  ignored: number;
  answered: number;
  bytes: number;
  challenges: number;
  /** Requests beyond the rate that were not even refused. */
  dropped: number;
  refused: Record<RerequestCode, number>;
}

export class RerequestState {
  readonly counters: RerequestCounters = {
    requests: 0,
    ignored: 0,
    answered: 0,
    bytes: 0,
    challenges: 0,
    dropped: 0,
    refused: { too_low: 0, too_high: 0, unavailable: 0, rate_limited: 0, wrong_session: 0 },
  };
  readonly #options: RerequestOptions;
  readonly #source: Pick<NativeRecovery, 'state' | 'read'>;
  /** By address: a source may change its port with every request. */
  readonly #rates = new Map<string, TokenBucket>();
  readonly #total: TokenBucket;
  #secret = randomBytes(32);
  #secretBefore = this.#secret;
  #secretFrom_ms: number;

  constructor(options: RerequestOptions, source: Pick<NativeRecovery, 'state' | 'read'>, now_ms: number) {
    this.#options = options;
    this.#source = source;
    this.#total = new TokenBucket(options.totalBytesPerSecond, options.totalBytesPerSecond / 4, now_ms);
    this.#secretFrom_ms = now_ms;
  }

  /** The one datagram that answers, or undefined: nothing is sent. */
  answer(bytes: Uint8Array, address: string, port: number, now_ms: number): Uint8Array | undefined {
    this.counters.requests++;
    const request = readRerequest(bytes);
    if (request === undefined || request.channel !== this.#options.channel) {
      this.counters.ignored++;
      return undefined;
    }
    const bucket = this.#rateOf(address, now_ms);
    const balance = bucket.available(now_ms);
    bucket.take(1, now_ms);
    // One word that it is too much, then silence: whoever goes on all the same is not worth a datagram.
    if (balance < 1) {
      // The debt is bounded, so that whoever stops is served again soon.
      if (balance < -this.#options.requestsPerSecond / 10) {
        bucket.take(-1, now_ms);
        this.counters.dropped++;
        return undefined;
      }
      return this.#refuse('rate_limited');
    }
    const proved = this.#isCookie(request.cookie, address, port, now_ms);
    return this.#answer(request, bytes.byteLength, proved, address, port, now_ms);
  }

  #answer(
    request: Rerequest,
    length: number,
    proved: boolean,
    address: string,
    port: number,
    now_ms: number,
  ): Uint8Array | undefined {
    if (this.#total.available(now_ms) <= 0) return this.#refuse('rate_limited');
    const { session, sequence } = request;
    const read = this.#source.read(session, sequence, sequence, 1, 0);
    if (read.datagrams === 0) return this.#refuse(read.status === 'ok' ? 'rate_limited' : read.status);
    const most = length * amplification_max;
    if (!proved && read.frame.byteLength > most) {
      if (challenge_bytes > most) return undefined;
      this.counters.challenges++;
      return writeChallenge(this.#cookieOf(this.#current(now_ms), address, port));
    }
    this.counters.answered++;
    this.counters.bytes += read.frame.byteLength;
    this.#total.take(read.frame.byteLength, now_ms);
    return read.frame;
  }

  #refuse(code: RerequestCode): Uint8Array {
    this.counters.refused[code]++;
    const { session, next, oldest } = this.#source.state();
    return writeRefusal({ code, session, next, oldest });
  }

  #rateOf(address: string, now_ms: number): TokenBucket {
    const known = this.#rates.get(address);
    // Moved to the end: the map keeps them in order of their last request.
    if (known !== undefined) this.#rates.delete(address);
    const rate = this.#options.requestsPerSecond;
    const bucket = known ?? new TokenBucket(rate, Math.max(1, rate / 10), now_ms);
    this.#rates.set(address, bucket);
    if (this.#rates.size > sources_max) {
      for (const oldest of this.#rates.keys()) {
        this.#rates.delete(oldest);
        break;
      }
    }
    return bucket;
  }

  #current(now_ms: number): Buffer {
    if (now_ms - this.#secretFrom_ms >= secret_ms) {
      // After a long silence the one before is too old as well.
      this.#secretBefore = now_ms - this.#secretFrom_ms >= 2 * secret_ms ? randomBytes(32) : this.#secret;
      this.#secret = randomBytes(32);
      this.#secretFrom_ms = now_ms;
    }
    return this.#secret;
  }

  #cookieOf(secret: Buffer, address: string, port: number): Buffer {
    return createHmac('sha256', secret).update(`${address} ${port}`).digest().subarray(0, cookie_bytes);
  }

  #isCookie(cookie: Uint8Array, address: string, port: number, now_ms: number): boolean {
    if (cookie.every((byte) => byte === 0)) return false;
    const secret = this.#current(now_ms);
    return [secret, this.#secretBefore].some((one) => timingSafeEqual(cookie, this.#cookieOf(one, address, port)));
  }
}

// A refusal is never more than an unproven source may get.
if (refusal_bytes > 48 * amplification_max) throw new Error('a refusal is too long');
