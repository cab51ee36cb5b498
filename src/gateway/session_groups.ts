/**
 * Sessions that stand at the same place of the same streams (native/run/gateway_groups.h): one frame is composed and
 * published for all of them. Pure.
 */
import type { SessionGroup } from './session.js';
import { type ChannelState, type GatewaySession, groupOf } from './session.js';
import type { SessionTable } from './session_table.js';

/** The same as for one session: nobody falls behind by being in a group, or without one. */
const frames_per_turn = 4;
const frame_bytes = 65_536;
/** Of frames times members, and a frame more. */
const turn_bytes_max = 64 * 2 ** 20;
/** Published between two looks at what waits for the members' sockets, and a frame more. */
const unseen_bytes_max = 65_536;

/** Where a frame goes that is for every socket of a topic. */
export interface GroupOutlet {
  /** Each gets it behind what it was sent before, and before what it is sent later. The bytes are not ours after it. */
  publish(topic: string, frame: Uint8Array): void;
}

export class SessionGroups {
  readonly #table: SessionTable;
  readonly #outlet: GroupOutlet | undefined;
  readonly #room = new Uint8Array(frame_bytes);
  readonly #groups = new Map<string, SessionGroup>();
  /** Whose turn comes next. */
  #turn: Iterator<SessionGroup> | undefined;
  #ended = false;

  /** Without an outlet there are no groups. */
  constructor(table: SessionTable, outlet: GroupOutlet | undefined) {
    this.#table = table;
    this.#outlet = outlet;
  }

  /** Whether it may be in a group: it is sent nothing but what others are, and as soon as they are. */
  mayJoin(session: GatewaySession): boolean {
    return this.#outlet !== undefined && !this.#ended && !session.json && session.pace === undefined;
  }

  /** The native side has put it into its group `number` of that channel. What it was to get before has been sent. */
  join(session: GatewaySession, channel: ChannelState, number: number): void {
    const { bufferedBytes } = this.#table.options;
    if (session.phase !== 'open' || session.socket.buffered() > bufferedBytes) {
      channel.native.leaveGroup(session.clients.get(channel.channel) ?? 0);
      return;
    }
    const topic = `${channel.channel} ${number}`;
    const group = this.#groups.get(topic) ?? groupOf(topic, channel, number);
    this.#groups.set(topic, group);
    group.members.add(session);
    session.groups.set(channel.channel, group);
    session.socket.join(topic);
    if (session.groups.size === session.clients.size) this.#table.carried(session);
  }

  /** From here on it is served by itself. Before anything that is for it alone. */
  leave(session: GatewaySession): void {
    if (session.groups.size === 0) return;
    for (const [number, group] of session.groups) {
      group.members.delete(session);
      group.channel.native.leaveGroup(session.clients.get(number) ?? 0);
      session.socket.leave(group.topic);
    }
    session.groups.clear();
    this.#table.single(session);
  }

  /** About so many sessions get what there is for them; every group is looked at that comes before. True where something was published. */
  serve(sessions_max: number): boolean {
    let published = false;
    let sessions = 0;
    for (let left = this.#groups.size; left > 0 && sessions < sessions_max; left--) {
      const group = this.#next();
      if (group === undefined) break;
      if (!this.#carry(group)) continue;
      published = true;
      sessions += group.members.size;
    }
    return published;
  }

  /** Nobody is in a group any more, nor will be. */
  end(): void {
    this.#ended = true;
    for (const group of [...this.#groups.values()]) this.#dissolve(group);
  }

  #next(): SessionGroup | undefined {
    this.#turn ??= this.#groups.values();
    let next = this.#turn.next();
    if (next.done) {
      this.#turn = this.#groups.values();
      next = this.#turn.next();
    }
    return next.done ? undefined : next.value;
  }

  /** True where something was published. */
  #carry(group: SessionGroup): boolean {
    let published = 0;
    for (let frames = 0; frames < frames_per_turn && published < turn_bytes_max; frames++) {
      if (group.unseenBytes > unseen_bytes_max) this.#look(group);
      const { size } = group.members;
      if (size === 0) {
        this.#groups.delete(group.topic);
        break;
      }
      const composed = group.channel.native.composeGroup(group.number, this.#room);
      const bytes = composed % 2 ** 32;
      if (bytes > 0) {
        this.#table.counters.frames += size;
        this.#table.counters.bytes += size * bytes;
        published += size * bytes;
        group.unseenBytes += bytes;
        this.#outlet?.publish(group.topic, this.#room.subarray(0, bytes));
      }
      const flags = Math.floor(composed / 2 ** 32);
      if ((flags & 4) !== 0) this.#dissolve(group);
      if ((flags & 5) !== 1) break;
    }
    return published > 0;
  }

  /** Who takes too little goes on by itself, and is sent no more before it has room. */
  #look(group: SessionGroup): void {
    group.unseenBytes = 0;
    for (const session of group.members) {
      if (session.socket.buffered() <= this.#table.options.bufferedBytes) continue;
      session.blocked = true;
      this.leave(session);
    }
  }

  #dissolve(group: SessionGroup): void {
    for (const session of group.members) this.leave(session);
    this.#groups.delete(group.topic);
  }
}
