/**
 * A fault injector between publisher and subscribers. It joins both lines of the publisher, drops, corrupts, duplicates,
 * reorders and delays datagrams of each line independently, sends the rest to groups of its own, and knows afterwards
 * exactly which message numbers each line failed to bring.
 *
 * Whether a datagram is hit is decided by the seed, the line and its first message number (datagrams without numbers: by
 * their place in the line), never by the moment of arrival. The fifth end of session of a line and later ones are
 * spared, so that a session always ends.
 */
import type { Socket } from 'node:dgram';
import type { DatagramHead } from '../../src/faults/datagram.js';
import { type NumberRange, NumberRanges } from '../../src/faults/number_ranges.js';
import { chance, hashOf } from '../../src/faults/random.js';
import { type LineName, type LinePair, line_names } from './lines.js';
import { packetHead } from './packets.js';
import { openReceiver, openSender } from './sockets.js';

/** Shares of a line's datagrams, 0 to 1. */
export interface LineFaults {
  drop?: number;
  /** One bit is flipped: for the subscriber as good as dropped. */
  corrupt?: number;
  duplicate?: number;
  /** Sent after up to eight later ones. */
  reorder?: number;
  /** Sent up to `delay_ms_max` later. */
  delay?: number;
}

export interface RelayOptions {
  from: LinePair;
  to: LinePair;
  seed: number;
  faults: Record<LineName, LineFaults>;
  /** A number that one line has lost is never lost on the other. */
  neverBoth?: boolean;
  /** Datagrams with one of these numbers are dropped on both lines, whatever the shares say. */
  lose?: readonly number[];
}

const fault_numbers: Record<keyof LineFaults, number> = { drop: 1, corrupt: 2, duplicate: 3, reorder: 4, delay: 5 };
const delay_ms_max = 20;
const reorder_packets_max = 8;
const ends_of_session_at_risk = 4;

interface Held {
  datagram: Buffer;
  after: number;
}

/** One line on its way through. */
class RelayLine {
  received = 0;
  dropped = 0;
  corrupted = 0;
  /** Of them, those with numbered messages. */
  corruptedNumbered = 0;
  duplicated = 0;
  reordered = 0;
  delayed = 0;
  /** Handed to the kernel, and taken by it. */
  sending = 0;
  sent = 0;
  ends = 0;
  unnumbered = 0;
  readonly numbersReceived = new NumberRanges();
  readonly numbersDelivered = new NumberRanges();
  readonly held: Held[] = [];
  readonly delays = new Set<NodeJS.Timeout>();

  constructor(
    readonly name: LineName,
    readonly faults: LineFaults,
    readonly input: Socket,
    readonly output: Socket,
  ) {}

  send(datagram: Buffer): void {
    this.sending++;
    this.output.send(datagram, (error) => {
      if (error === null) this.sent++;
    });
  }

  /** Holds it back until so many later ones have gone. */
  hold(datagram: Buffer, packets: number): void {
    this.held.push({ datagram, after: this.received + packets });
  }

  sendLater(datagram: Buffer, ms: number): void {
    const timer = setTimeout(() => {
      this.delays.delete(timer);
      this.send(datagram);
    }, ms);
    this.delays.add(timer);
  }

  releaseHeld(all: boolean): void {
    for (let index = 0; index < this.held.length; ) {
      const { datagram, after } = this.held[index] as Held;
      if (!all && after > this.received) index++;
      else {
        this.held.splice(index, 1);
        this.send(datagram);
      }
    }
  }

  close(): void {
    for (const timer of this.delays) clearTimeout(timer);
    this.input.close();
    this.output.close();
  }
}

export class Relay {
  readonly #options: RelayOptions;
  readonly #lines: Record<LineName, RelayLine>;
  readonly #flushTimer: NodeJS.Timeout;
  #faulty: string[] = [];
  #closed = false;

  private constructor(options: RelayOptions, lines: Record<LineName, RelayLine>) {
    this.#options = options;
    this.#lines = lines;
    for (const name of line_names) lines[name].input.on('message', (datagram) => this.#take(lines[name], datagram));
    this.#flushTimer = setInterval(() => {
      for (const name of line_names) lines[name].releaseHeld(true);
    }, delay_ms_max);
  }

  static async open(options: RelayOptions): Promise<Relay> {
    const line = async (name: LineName) =>
      new RelayLine(
        name,
        options.faults[name],
        await openReceiver(options.from[name]),
        await openSender(options.to[name]),
      );
    return new Relay(options, { A: await line('A'), B: await line('B') });
  }

  /** Bytes of each input socket's receive buffer, as the kernel counts them. */
  get receiveBufferBytes(): number {
    return Math.min(...line_names.map((name) => this.#lines[name].input.getRecvBufferSize()));
  }

  /** Figures of one line, for messages and for the proof. */
  figures(name: LineName) {
    const { received, dropped, corrupted, corruptedNumbered, duplicated, reordered, delayed, sent } = this.#lines[name];
    return { received, dropped, corrupted, corruptedNumbered, duplicated, reordered, delayed, sent };
  }

  /** The last message number that either line has mentioned. */
  get last(): number {
    return Math.max(...line_names.map((name) => this.#lines[name].numbersReceived.last));
  }

  /** Numbers that neither line delivered. */
  missing(): NumberRange[] {
    return NumberRanges.intersection(this.lost('A'), this.lost('B'));
  }

  /** Numbers that this line did not deliver. */
  lost(name: LineName): NumberRange[] {
    return this.#lines[name].numbersDelivered.missing(1, this.last);
  }

  /**
   * Waits until it has taken as many datagrams as the publisher has sent on both lines together, and has sent on what was
   * to be sent; then says whatever speaks against its log being complete. Nothing: every datagram came here, on each line
   * every number, and the kernel took all that was sent.
   */
  async prove(published: number): Promise<string[]> {
    const lines = line_names.map((name) => this.#lines[name]);
    const total = () => lines.reduce((sum, { received }) => sum + received, 0);
    const idle = () =>
      lines.every(({ held, delays, sent, sending }) => held.length + delays.size === 0 && sent === sending);
    const settled = () => total() >= published && idle();
    for (const begin = Date.now(); !settled() && Date.now() - begin < 3_000; )
      await new Promise((resolve) => setTimeout(resolve, 5));
    const found = [...this.#faulty];
    if (total() !== published) found.push(`received ${total()} of ${published} datagrams`);
    for (const { name, numbersReceived, sending, sent } of lines) {
      if (sent !== sending) found.push(`line ${name}: the kernel took ${sent} of ${sending} datagrams`);
      const never = numbersReceived.missing(1, this.last);
      if (never.length > 0) found.push(`line ${name}: never received ${JSON.stringify(never)}`);
    }
    return found;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#flushTimer);
    for (const name of line_names) this.#lines[name].close();
  }

  #take(line: RelayLine, datagram: Buffer): void {
    line.received++;
    try {
      this.#pass(line, datagram, packetHead(datagram));
    } catch (error) {
      this.#faulty.push(`line ${line.name}: ${error}`);
    }
    line.releaseHeld(false);
  }

  #pass(line: RelayLine, datagram: Buffer, head: DatagramHead): void {
    const key = head.count > 0 ? head.first : -++line.unnumbered;
    const hit = (fault: keyof LineFaults) =>
      chance(line.faults[fault] ?? 0, this.#options.seed, line.name.charCodeAt(0), fault_numbers[fault], key);
    const word = hashOf(this.#options.seed, line.name.charCodeAt(0), key);
    if (head.count > 0) line.numbersReceived.add(head.first, head.first + head.count - 1);
    const lost =
      this.#options.lose?.some((number) => number >= head.first && number < head.first + head.count) ?? false;
    const spared = !lost && this.#isSpared(line, head);
    if (lost || (!spared && hit('drop'))) {
      line.dropped++;
      return;
    }
    if (!spared && hit('corrupt')) {
      line.corrupted++;
      if (head.count > 0) line.corruptedNumbered++;
      const broken = Buffer.from(datagram);
      const bit = word % (8 * broken.length);
      broken[bit >> 3] = (broken[bit >> 3] as number) ^ (1 << (bit & 7));
      line.send(broken);
      return;
    }
    if (head.count > 0) line.numbersDelivered.add(head.first, head.first + head.count - 1);
    if (hit('duplicate')) {
      line.duplicated++;
      line.hold(datagram, word % reorder_packets_max);
    }
    if (hit('reorder')) {
      line.reordered++;
      line.hold(datagram, 1 + (word % reorder_packets_max));
    } else if (hit('delay')) {
      line.delayed++;
      line.sendLater(datagram, word % delay_ms_max);
    } else line.send(datagram);
  }

  #isSpared(line: RelayLine, head: DatagramHead): boolean {
    if (head.endOfSession && ++line.ends > ends_of_session_at_risk) return true;
    if (!this.#options.neverBoth || head.count === 0) return false;
    // What the other line has had in its hands and not delivered is lost there.
    const { numbersDelivered, numbersReceived } = this.#lines[line.name === 'A' ? 'B' : 'A'];
    for (let number = head.first; number < head.first + head.count; number++)
      if (numbersReceived.has(number) && !numbersDelivered.has(number)) return true;
    return false;
  }
}
