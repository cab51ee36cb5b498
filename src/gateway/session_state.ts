/**
 * The gateway of one worker without sockets, clocks and threads: sessions, subscriptions, turns, bounds. Sockets, the
 * channel and who may have what are passed in as interfaces, time in ms. docs/gateway.md.
 */
import type { NativeGateway } from '../native.js';
import type { ServerSocket } from '../uws_socket.js';
import { closeCode, type Refusal } from './access/codes.js';
import { ChannelNews } from './channel_news.js';
import type { GatewayFigures, GatewaySessionInfo } from './figures.js';
import { close_codes, type InstrumentEntry } from './protocol.js';
import type { GatewayAccess, GatewaySession, GatewaySocket, Grant, LoginVerdict, RenewVerdict } from './session.js';
import { figuresOf } from './session_counts.js';
import { sessionErrorOf } from './session_errors.js';
import { type GroupOutlet, SessionGroups } from './session_groups.js';
import { SessionRequests } from './session_requests.js';
import { SessionServing } from './session_serving.js';
import { type GatewayStateOptions, SessionTable } from './session_table.js';
import { Subscriptions } from './subscriptions.js';

export {
  type GatewayAccess,
  GatewaySession,
  type GatewaySocket,
  type Grant,
  type LoginVerdict,
} from './session.js';
export type { GroupOutlet } from './session_groups.js';
export type { GatewayStateOptions } from './session_table.js';

const hello_ms_max = 5_000;
/** Sessions that are served before the event loop goes round. */
const sessions_per_turn = 256;

/** Threads: one. */
export class GatewayState {
  readonly counters: GatewayFigures;
  readonly #table: SessionTable;
  readonly #groups: SessionGroups;
  readonly #serving: SessionServing;
  readonly #requests: SessionRequests;
  readonly #news: ChannelNews;

  /** Without an outlet each session is served by itself. */
  constructor(
    options: GatewayStateOptions,
    access: GatewayAccess,
    channels: ReadonlyMap<number, NativeGateway>,
    outlet?: GroupOutlet,
  ) {
    this.#table = new SessionTable(options, access, channels);
    this.#groups = new SessionGroups(this.#table, outlet);
    this.counters = this.#table.counters;
    this.#serving = new SessionServing(this.#table, this.#groups);
    const subscriptions = new Subscriptions(this.#table, this.#serving);
    this.#requests = new SessionRequests(this.#table, subscriptions);
    this.#news = new ChannelNews(this.#table, subscriptions);
  }

  /** Undefined where there are too many: the socket was told so, and ends. */
  opened(socket: GatewaySocket, address: string, now_ms: number, connection = 0): GatewaySession | undefined {
    return this.#table.open(socket, address, now_ms, connection);
  }

  /** A socket that is not let in: it is told why, and ends. */
  turnAway(socket: ServerSocket, refusal: Refusal): void {
    this.#table.turnAway(socket, sessionErrorOf(refusal), closeCode(refusal.code), refusal.code);
  }

  closed(session: GatewaySession): void {
    this.#table.remove(session);
  }

  drained(session: GatewaySession): void {
    session.blocked = false;
  }

  /** A text frame. `text` undefined: it was no text. */
  message(session: GatewaySession, text: string | undefined, now_ms: number, bytes = text?.length ?? 0): void {
    if (session.phase === 'closed') return;
    this.#table.now_ms = now_ms;
    this.#requests.message(session, text, bytes);
  }

  /** The answer to GatewayAccess.login(). */
  loggedIn(session: GatewaySession, verdict: LoginVerdict): void {
    this.#requests.loggedIn(session, verdict);
  }

  /** The answer to GatewayAccess.request(): of the first that has none yet. */
  judged(session: GatewaySession, refusal: Refusal | undefined): void {
    this.#requests.judged(session, refusal);
  }

  /** The answer to GatewayAccess.renew(). */
  renewed(session: GatewaySession, verdict: RenewVerdict): void {
    this.#requests.renewed(session, verdict);
  }

  /** Its time is over, or its login was refused. */
  end(session: GatewaySession, refusal: Refusal): void {
    this.#table.end(session, refusal);
  }

  /** Of a channel, as far as they are defined; empty where there is no such channel. */
  instruments(channel: number): readonly InstrumentEntry[] {
    return this.#table.instruments(channel);
  }

  health(): { channel: number; ready: boolean }[] {
    return [...this.#table.channels.values()].map(({ channel, native }) => ({ channel, ready: native.state().ready }));
  }

  /** Those of now, in the order of their coming; `login` is not known here. */
  sessions(): GatewaySessionInfo[] {
    return this.#table.infos();
  }

  /** Everything that is counted; looks at every subscription. */
  figures(turnMsMax: number): GatewayFigures {
    const { channels, counters, sessions } = this.#table;
    return figuresOf(counters, channels, sessions, turnMsMax);
  }

  /** What somebody may have is another: what they have and may no longer have ends. */
  regrant(session: GatewaySession, grant: Grant): void {
    this.#requests.regrant(session, grant);
  }

  /**
   * Follows the channels and gives sessions what there is for them; a bounded amount of work. False: there was nothing
   * to do.
   */
  turn(now_ms = this.#table.now_ms): boolean {
    this.#table.now_ms = now_ms;
    let worked = false;
    for (const channel of this.#table.channels.values()) {
      worked = channel.native.step() || worked;
      this.#news.look(channel);
    }
    worked = this.#groups.serve(sessions_per_turn) || worked;
    let visits = Math.min(sessions_per_turn, this.#table.singles);
    for (; visits > 0; visits--) {
      const session = this.#table.next();
      if (session === undefined) break;
      if (session.phase === 'open' && this.#serving.serve(session, false)) worked = true;
    }
    return worked;
  }

  /** No frame is for several sessions any more: whoever calls turn() does not let what is published go out. */
  separate(): void {
    this.#groups.end();
  }

  /** Looks at what only time brings; about ten times a second. */
  tick(now_ms: number): void {
    for (const session of [...this.#table.sessions]) {
      if (session.phase === 'new' && now_ms - session.opened_ms > hello_ms_max) {
        this.#table.error(session, { code: 'hello_first', message: 'no hello for 5 s' });
        this.#table.close(session, close_codes.bad_version, 'no hello');
      } else if (session.blocked) this.#serving.checkBlocked(session);
    }
  }

  /** Says goodbye to everyone and closes. `url`: where to go instead. */
  closeAll(reconnectMs: number, url?: string): void {
    for (const session of [...this.#table.sessions]) {
      this.#table.send(session, {
        type: 'goodbye',
        code: close_codes.going_away,
        reason: 'the gateway ends',
        reconnectMs,
        ...(url === undefined ? {} : { url }),
      });
      this.#table.close(session, close_codes.going_away, 'the gateway ends');
    }
  }
}
