/**
 * The fault injector's I/O: joins the publisher's lines, sends what the faults leave to groups of its own, and knows
 * afterwards exactly which message numbers each line did not bring.
 */
import type { Socket } from 'node:dgram';
import { type DatagramHead, datagramHead } from './datagram.js';
import { type FaultCounters, FaultLine } from './fault_line.js';
import { lengthOf, type NumberRange, NumberRanges } from './number_ranges.js';
import { type FaultProfileInput, type LineName, line_names, parseProfile } from './profile.js';
import { type LineAddress, openReceiver, openSender } from './sockets.js';

export type LinePair = Record<LineName, LineAddress>;

export interface RelayOptions {
  from: LinePair;
  to: LinePair;
  seed: number;
  profile: FaultProfileInput;
  /** IPv4 addresses of the interfaces; loopback unless given. */
  fromInterface?: string;
  toInterface?: string;
  /** Hops of what it sends; 0: it stays on this machine. */
  ttl?: number;
  /** Sees every datagram before the faults do. */
  onDatagram?: (line: LineName, datagram: Buffer, head: DatagramHead) => void;
}

const tick_ms = 5;
const error_texts_max = 10;

/** Numbers of one session, as one line had them. */
class LineLog {
  readonly received = new NumberRanges();
  readonly delivered = new NumberRanges();
}

interface RelayLine {
  name: LineName;
  input: Socket;
  output: Socket;
  faults: FaultLine;
  sending: number;
  taken: number;
}

/** What one session lost on its way through; numbers that the relay itself never had are in `neverReceived`. */
export interface SessionLosses {
  session: bigint;
  /** Last number that either line mentioned. */
  last: number;
  /** Not brought by this line, though it had them. */
  lost: Record<LineName, NumberRange[]>;
  lostOnBoth: NumberRange[];
  neverReceived: Record<LineName, NumberRange[]>;
}

/** Threads: one. */
export class FaultRelay {
  readonly #options: RelayOptions;
  readonly #lines: RelayLine[] = [];
  readonly #sessions = new Map<bigint, Record<LineName, LineLog>>();
  readonly #errors: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #begin_ms: number | undefined;
  #closed = false;

  private constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** Rejects where a line cannot be had, and throws ConfigError for a wrong profile. */
  static async open(options: RelayOptions): Promise<FaultRelay> {
    const profile = parseProfile(options.profile);
    const relay = new FaultRelay(options);
    const { fromInterface = '127.0.0.1', toInterface = '127.0.0.1', ttl = 0 } = options;
    try {
      for (const name of line_names) {
        const output = await openSender(options.to[name], { interfaceAddress: toInterface, ttl });
        const input = await openReceiver(options.from[name], fromInterface).catch((error: unknown) => {
          output.close();
          throw error;
        });
        relay.#addLine(name, input, output, profile);
      }
    } catch (error) {
      relay.close();
      throw error;
    }
    relay.#timer = setInterval(() => relay.#tick(), tick_ms);
    return relay;
  }

  counters(name: LineName): FaultCounters {
    const line = this.#lines.find((one) => one.name === name);
    if (line === undefined) throw new RangeError(`no line ${name}`);
    return { ...line.faults.counters };
  }

  /** Whatever went wrong in the relay itself; the first few. */
  get errors(): readonly string[] {
    return this.#errors;
  }

  /** ms since the first numbered datagram; 0 before. */
  get elapsed_ms(): number {
    return this.#begin_ms === undefined ? 0 : performance.now() - this.#begin_ms;
  }

  /** Sessions in the order in which they came. */
  losses(): SessionLosses[] {
    return [...this.#sessions].map(([session, logs]) => {
      const last = Math.max(...line_names.map((name) => logs[name].received.last));
      const of = <Value>(get: (log: LineLog) => Value) => ({ A: get(logs.A), B: get(logs.B) });
      const missing = of((log) => log.delivered.missing(1, last));
      const neverReceived = of((log) => log.received.missing(1, last));
      return {
        session,
        last,
        lost: missing,
        lostOnBoth: NumberRanges.intersection(missing.A, missing.B),
        neverReceived,
      };
    });
  }

  /** Numbers that neither line brought, over all sessions. */
  get lostOnBoth(): number {
    return this.losses().reduce((sum, { lostOnBoth }) => sum + lengthOf(lostOnBoth), 0);
  }

  /** Sends all that is held back now. */
  drain(): void {
    for (const { faults } of this.#lines) faults.drain();
  }

  /** Resolves when nothing has come for `quiet_ms` and all was handed to the kernel; at the latest after `ms`. */
  async settle(quiet_ms: number, ms: number): Promise<void> {
    const count = () => this.#lines.reduce((sum, { faults }) => sum + faults.counters.received, 0);
    let last = count();
    let since = performance.now();
    for (const begin = since; performance.now() - begin < ms; ) {
      await new Promise((resolve) => setTimeout(resolve, tick_ms));
      const now = performance.now();
      if (count() !== last) {
        last = count();
        since = now;
      }
      const idle = this.#lines.every(({ faults, sending, taken }) => faults.held === 0 && sending === taken);
      if (idle && now - since >= quiet_ms) return;
    }
  }

  /** Any number of times. What is held back is dropped. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    for (const { input, output } of this.#lines) {
      input.close();
      output.close();
    }
  }

  #addLine(name: LineName, input: Socket, output: Socket, profile: ReturnType<typeof parseProfile>): void {
    const line: RelayLine = {
      name,
      input,
      output,
      sending: 0,
      taken: 0,
      faults: new FaultLine(this.#options.seed, name, profile, (datagram) => {
        if (this.#closed) return;
        line.sending++;
        output.send(datagram, (error) => {
          line.taken++;
          if (error !== null) this.#fail(`line ${name}: ${error.message}`);
        });
      }),
    };
    this.#lines.push(line);
    for (const socket of [input, output]) socket.on('error', (error) => this.#fail(`line ${name}: ${error.message}`));
    input.on('message', (datagram) => this.#take(line, datagram));
  }

  #take(line: RelayLine, datagram: Buffer): void {
    try {
      const head = datagramHead(datagram);
      if (head === undefined) this.#fail(`line ${line.name}: ${datagram.length} bytes that are no datagram of ours`);
      else this.#pass(line, datagram, head);
    } catch (error) {
      this.#fail(`line ${line.name}: ${error}`);
    }
  }

  #pass(line: RelayLine, datagram: Buffer, head: DatagramHead): void {
    this.#options.onDatagram?.(line.name, datagram, head);
    const { first, count, endOfSession, session } = head;
    if (count > 0) this.#begin_ms ??= performance.now();
    const verdict = line.faults.take({ datagram, sequence: first, count, endOfSession }, this.elapsed_ms);
    if (count === 0) return;
    const log = this.#logOf(session)[line.name];
    log.received.add(first, first + count - 1);
    if (verdict === 'through') log.delivered.add(first, first + count - 1);
  }

  #logOf(session: bigint): Record<LineName, LineLog> {
    let logs = this.#sessions.get(session);
    if (logs === undefined) {
      logs = { A: new LineLog(), B: new LineLog() };
      this.#sessions.set(session, logs);
    }
    return logs;
  }

  #tick(): void {
    for (const { faults } of this.#lines) faults.tick(this.elapsed_ms);
  }

  #fail(text: string): void {
    if (this.#errors.length < error_texts_max) this.#errors.push(text);
  }
}
