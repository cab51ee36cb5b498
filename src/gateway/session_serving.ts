/** What a session is sent of its subscriptions: as much as socket and pace take, and what befalls who is too slow. Pure. */
import type { NativeGateway } from '../native.js';
import { jsonTexts } from './json_frames.js';
import { close_codes, type InstrumentEntry } from './protocol.js';
import type { GatewaySession, SubscriptionState } from './session.js';
import { sentTo } from './session_counts.js';
import type { SessionGroups } from './session_groups.js';
import type { SessionTable } from './session_table.js';

/** Of one session before the next one's turn. */
const frames_per_visit = 4;
const frame_bytes = 65_536;
/** As JSON a frame is some six times as long, and takes some milliseconds for each 64 KiB. */
const json_frame_bytes = 24_576;

export class SessionServing {
  readonly #table: SessionTable;
  readonly #groups: SessionGroups;
  readonly #out = new Uint8Array(frame_bytes);

  constructor(table: SessionTable, groups: SessionGroups) {
    this.#table = table;
    this.#groups = groups;
  }

  /** No group carries it any more: before its subscriptions or what it may have change, or are counted. */
  single(session: GatewaySession): void {
    this.#groups.leave(session);
  }

  /**
   * True where something was sent. `flush`: as far as the socket takes it, nothing is left open. What groups carry is
   * not looked at.
   */
  serve(session: GatewaySession, flush: boolean): boolean {
    let sent = false;
    const share = !flush && this.#groups.mayJoin(session);
    for (const [number, client] of session.clients) {
      const channel = session.groups.has(number) ? undefined : this.#table.channels.get(number);
      const out = session.json ? this.#out.subarray(0, json_frame_bytes) : this.#out;
      for (let frames = 0; channel !== undefined && frames < frames_per_visit; frames++) {
        if (!this.#hasRoom(session)) return sent;
        const composed = channel.native.compose(client, out, flush, share);
        const bytes = composed % 2 ** 32;
        if (bytes > 0) {
          sent = true;
          this.#sendData(session, out.subarray(0, bytes), channel.exponents);
          this.#paced(session);
        }
        const flags = Math.floor(composed / 2 ** 32);
        if ((flags & 2) !== 0 && !this.#tellSlow(session, channel.native)) return sent;
        if ((flags & 4) !== 0) this.#groups.join(session, channel, channel.native.joinedGroup());
        if ((flags & 1) === 0) break;
      }
    }
    return sent;
  }

  /** One who takes nothing is not served, so that what it misses has to be looked for. */
  checkBlocked(session: GatewaySession): void {
    for (const [channel, client] of [...session.clients]) {
      const native = this.#table.channels.get(channel)?.native;
      if (native?.check(client) === true && !this.#tellSlow(session, native)) return;
    }
  }

  #sendData(session: GatewaySession, frame: Uint8Array, exponents: ReadonlyMap<number, InstrumentEntry>): void {
    const { counters } = this.#table;
    if (!session.json) {
      counters.frames++;
      counters.bytes += frame.length;
      session.socket.sendFrame(frame);
      return;
    }
    for (const text of jsonTexts(frame, exponents)) {
      counters.frames++;
      counters.bytes += text.length;
      session.socket.sendText(text);
    }
  }

  #paced(session: GatewaySession): void {
    const { channels, now_ms } = this.#table;
    session.pace?.went(session.pace.countsMessages ? sentTo(channels, session) : 0n, now_ms);
  }

  #hasRoom(session: GatewaySession): boolean {
    if (session.phase !== 'open' || session.pace?.mayGo(this.#table.now_ms) === false) return false;
    if (!session.blocked) session.blocked = session.socket.buffered() > this.#table.options.bufferedBytes;
    else if (session.socket.buffered() === 0) session.blocked = false;
    if (session.blocked) this.#groups.leave(session);
    return !session.blocked;
  }

  /** False: the session is closed. */
  #tellSlow(session: GatewaySession, native: NativeGateway): boolean {
    const { counters } = this.#table;
    for (const { did, sequence, subscription: id } of native.takeSlow()) {
      if (did === 'disconnect') {
        counters.slowDisconnected++;
        this.#table.error(session, { id, code: 'too_slow', message: `the last number sent is ${sequence}` });
        this.#table.close(session, close_codes.too_slow, `too slow: ${sequence}`);
        return false;
      }
      const subscription = session.subscriptions.get(id);
      if (did === 'conflate') {
        counters.slowConflated++;
        if (subscription !== undefined) conflate(subscription);
      } else counters.slowResnapshot++;
      const client = did === 'conflate' ? session.clients.get(subscription?.channel ?? 0) : undefined;
      const counts = client === undefined ? undefined : native.counts(client, id);
      this.#table.send(session, {
        type: 'slow',
        id,
        did: did === 'conflate' ? 'conflated' : 'resnapshot',
        sequence,
        ...(counts === undefined ? {} : { counts }),
      });
    }
    return true;
  }
}

/** As the native side has it then. */
function conflate(subscription: SubscriptionState): void {
  const conflatedFrom = subscription.conflatedFrom ?? subscription.mode;
  Object.assign(subscription, { mode: 'depth', levels: 10, intervalMs: 100, conflatedFrom });
}
