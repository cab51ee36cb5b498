/**
 * What the page follows: the book and the tape of the chosen instrument, and the best prices of all. Keeps no copy of
 * what the client keeps; tells when something is to be drawn.
 */
import {
  type Depth,
  GatewayClient,
  type GatewayError,
  type GatewayInstrument,
  type GatewayWelcome,
  type SocketLike,
  type Subscription,
} from '../browser/index.js';
import { FeedFigures } from './figures.js';
import { Tape } from './tape.js';

export interface Choice {
  channel: number;
  symbol: string;
}

/** What is wrong, by the gateway's code. */
export interface Trouble {
  code: string;
  message: string;
}

export interface FeedOptions {
  url: string;
  token: string;
  /** How often the book comes, ms. */
  intervalMs: number;
  /** Something that is shown has changed. */
  onChange: () => void;
  /** The instruments of the channel are others. */
  onInstruments: () => void;
  onWelcome: (welcome: GatewayWelcome) => void;
  /** Nothing comes without a token, or another one. */
  onUnauthorised: (message: string) => void;
  webSocket?: new (url: string) => SocketLike;
}

export type FeedState =
  | 'connecting'
  | 'reconnecting'
  | 'refused'
  | 'silent'
  | 'waiting'
  | 'recovering'
  | 'synchronized'
  | 'stale';

/** They answer a request of one subscription. */
const answer_codes = new Set(['forbidden', 'unknown_channel', 'unknown_instrument', 'unknown_id']);
const levels_most = 15;
/** What a token may allow that does not allow all. */
const levels_few = 5;
const watch_interval_ms = 1_000;
const ping_ms = 2_000;
const timeout_ms = 4_000;
/** A gateway that is there answers pings: nothing at all for so long is no quiet market. */
const silent_ms = 5_000;
const tape_length = 64;

/** Threads: the page's. Times are those of performance.now(). */
export class Feed {
  readonly client: GatewayClient;
  readonly figures: FeedFigures;
  readonly tape = new Tape(tape_length);
  welcome: GatewayWelcome | undefined;
  choice: Choice | undefined;
  /** Of the channel that is followed, by symbol; the list is another one when it has changed. */
  instruments: readonly GatewayInstrument[] = [];
  /** The token does not allow to list the instruments: symbols must be known. */
  isListRefused = false;
  intervalMs: number;
  readonly #options: FeedOptions;
  readonly #troubles = new Map<'client' | 'ladder' | 'tape' | 'watch', Trouble>();
  #channel: number | undefined;
  #watch: Subscription | undefined;
  #ladder: Subscription | undefined;
  #tape: Subscription | undefined;
  #refused = false;
  /** Which of the attempts at the book is made: a token may allow less than what is asked for first. */
  #attempt = 0;
  /** All of them were refused: what is asked for first waits for the gateway to allow it. */
  #attempted = false;
  #heard_ms = 0;
  #heard_bytes = 0;
  #lost_ms: number | undefined;

  constructor(options: FeedOptions) {
    const { url, token, intervalMs, webSocket, onChange } = options;
    this.#options = options;
    this.intervalMs = intervalMs;
    this.client = new GatewayClient({
      url,
      token,
      client: 'depthcast page',
      timeoutMs: timeout_ms,
      pingMs: ping_ms,
      backoffMsMax: 4_000,
      ...(webSocket !== undefined && { webSocket }),
    });
    this.figures = new FeedFigures(this.client);
    this.client
      .on('welcome', (welcome) => this.#onWelcome(welcome))
      .on('state', onChange)
      .on('subscriptionState', (state, _, subscription) => this.#onState(state, subscription))
      .on('session', (_, subscription) => {
        if (subscription === this.#tape) this.tape.clear();
      })
      .on('slow', (_, subscription) => {
        if (subscription === this.#tape) this.tape.addGap();
      })
      .on('definitions', (_, subscription) => this.#list(subscription))
      .on('depth', (changed, subscription) => this.#onDepth(changed.length, subscription))
      .on('prints', (prints, subscription) => {
        if (subscription !== this.#tape) return;
        this.tape.add(prints);
        this.figures.onFrame(subscription, performance.now());
        onChange();
      })
      .on('goodbye', (reason) => this.#troubles.set('client', { code: 'goodbye', message: reason }))
      .on('error', (error, subscription) => this.#onError(error, subscription));
  }

  start(): void {
    this.#lost_ms = performance.now();
    this.client.start();
  }

  close(): void {
    this.client.close();
  }

  /** Follows another instrument; nothing is asked for before the gateway has said which channels there are. */
  choose(choice: Choice): void {
    const is_same = choice.channel === this.choice?.channel && choice.symbol === this.choice.symbol;
    // What was refused is asked for again.
    if (is_same && this.#ladder !== undefined && this.#ladder.refusal === undefined) return;
    this.choice = choice;
    this.#attemptAnew();
    this.tape.clear();
    this.#follow();
  }

  /** The instruments of that channel are listed from now on. */
  listChannel(channel: number): void {
    if (channel === this.#channel) return;
    this.#channel = channel;
    if (this.choice !== undefined && this.choice.channel !== channel) {
      this.choice = undefined;
      this.tape.clear();
      this.#follow();
    }
    this.#relist();
  }

  setInterval(interval_ms: number): void {
    if (interval_ms === this.intervalMs) return;
    this.intervalMs = interval_ms;
    this.#attemptAnew();
    if (this.#ladder !== undefined) this.#follow();
  }

  /** Looks at what only time brings; some times a second. */
  tick(now: number): void {
    this.#hear(now);
    if (this.client.connected) this.#lost_ms = undefined;
    else this.#lost_ms ??= now;
    this.figures.tick(now, [this.#ladder, this.#tape], this.#watch);
  }

  get state(): FeedState {
    if (this.#refused) return 'refused';
    if (!this.client.connected) return this.welcome === undefined ? 'connecting' : 'reconnecting';
    if (this.#ladder === undefined) return 'waiting';
    if (performance.now() - this.#heard_ms > silent_ms) return 'silent';
    const { state } = this.#ladder;
    return state === 'connecting' ? 'waiting' : state;
  }

  /** What is shown is the publisher's book as of its sequence, and the gateway is there. */
  get isLive(): boolean {
    return this.state === 'synchronized' && this.#ladder?.instrumentState(this.choice?.symbol ?? '') === 'live';
  }

  /** Without a connection since then. */
  get lostMs(): number | undefined {
    return this.#lost_ms;
  }

  get trouble(): Trouble | undefined {
    const { client, ladder, tape, watch } = Object.fromEntries(this.#troubles);
    return client ?? ladder ?? tape ?? watch;
  }

  get levels(): number {
    return Math.min(levels_most, this.welcome?.levels ?? 10);
  }

  /** Of each side, as granted; undefined before. */
  get levelsGranted(): number | undefined {
    const { levels, mode } = this.#ladder?.options ?? {};
    return mode === 'bbo' ? 1 : levels;
  }

  get session(): bigint {
    return this.#ladder?.session ?? 0n;
  }

  /** Of the channel, as far as anything told it. */
  get sequence(): bigint {
    const known = [this.#ladder, this.#tape, this.#watch].map((one) => one?.sequence ?? 0n);
    return known.reduce((most, sequence) => (sequence > most ? sequence : most), 0n);
  }

  instrument(): GatewayInstrument | undefined {
    return this.choice && this.#ladder?.instrument(this.choice.symbol);
  }

  depth(): Depth | undefined {
    return this.choice && this.#ladder?.depth(this.choice.symbol);
  }

  /** Best prices of a listed instrument, up to a second old. */
  bbo(instrument: number) {
    return this.#watch?.bbo(instrument);
  }

  #onWelcome(welcome: GatewayWelcome): void {
    this.welcome = welcome;
    this.#refused = false;
    this.#troubles.clear();
    this.#heard_ms = performance.now();
    this.#options.onWelcome(welcome);
    if (this.#ladder === undefined) this.#follow();
    if (this.#watch === undefined) this.#relist();
  }

  #onState(state: string, subscription: Subscription): void {
    if (subscription === this.#ladder && state === 'synchronized') {
      this.#troubles.delete('ladder');
      this.#attempted = false;
    }
    if (subscription === this.#tape) {
      if (state === 'synchronized') this.#troubles.delete('tape');
      else this.tape.addGap();
    }
    if (subscription === this.#watch) this.#list(subscription);
    this.#options.onChange();
  }

  #onDepth(windows: number, subscription: Subscription): void {
    const now = performance.now();
    this.figures.windowsChecked += windows;
    this.figures.onFrame(subscription, now);
    if (subscription === this.#ladder) this.figures.onBook(now);
    this.#options.onChange();
  }

  #onError(error: GatewayError, subscription: Subscription | undefined): void {
    const { code, message } = error;
    const trouble = { code, message: message.replace(`${code}: `, '') };
    if (code === 'unauthorised') {
      if (this.#refused) return;
      this.#refused = true;
      this.#troubles.set('client', trouble);
      this.#options.onUnauthorised(trouble.message);
    } else if (subscription === undefined) {
      // An answer to what was given up meanwhile is of no interest.
      if (!answer_codes.has(code)) this.#troubles.set('client', trouble);
    } else if (subscription === this.#ladder) this.#onRefused('ladder', trouble);
    else if (subscription === this.#tape) this.#onRefused('tape', trouble);
    else if (subscription === this.#watch) this.#onRefused('watch', trouble);
    this.#options.onChange();
  }

  // Of what may pass, the client asks again by itself.
  #onRefused(which: 'ladder' | 'tape' | 'watch', trouble: Trouble): void {
    this.#troubles.set(which, trouble);
    const is_forbidden = trouble.code === 'forbidden';
    if (which === 'watch') {
      this.isListRefused = is_forbidden;
      if (this.isListRefused) this.#troubles.delete('watch');
      this.#options.onInstruments();
    } else if (which === 'ladder' && is_forbidden && !this.#attempted) {
      this.#attempted = this.#attempt === this.#attempts().length - 1;
      this.#attempt = this.#attempted ? 0 : this.#attempt + 1;
      this.#follow();
    }
  }

  #attemptAnew(): void {
    this.#attempt = 0;
    this.#attempted = false;
  }

  #follow(): void {
    this.#forget(this.#ladder);
    this.#forget(this.#tape);
    this.#ladder = undefined;
    this.#tape = undefined;
    this.#troubles.delete('ladder');
    this.#troubles.delete('tape');
    this.figures.restart();
    const { choice } = this;
    if (choice === undefined || this.welcome === undefined) return;
    const { channel, symbol } = choice;
    const instruments = [this.#selector(symbol)];
    const { intervalMs } = this;
    const attempt = this.#attempts()[this.#attempt];
    this.#ladder = this.#subscribe({ channel, mode: 'depth', ...attempt, instruments, intervalMs });
    this.#tape = this.#subscribe({ channel, mode: 'trades', instruments, intervalMs: Math.min(intervalMs, 100) });
    this.#options.onChange();
  }

  #relist(): void {
    this.#forget(this.#watch);
    this.#watch = undefined;
    this.instruments = [];
    this.isListRefused = false;
    this.#troubles.delete('watch');
    if (this.#channel !== undefined && this.welcome !== undefined)
      this.#watch = this.#subscribe({ channel: this.#channel, mode: 'bbo', intervalMs: watch_interval_ms });
    this.#options.onInstruments();
  }

  #list(subscription: Subscription): void {
    if (subscription !== this.#watch) return;
    if (subscription.refusal === undefined) this.isListRefused = false;
    const found = subscription.instruments();
    const is_same =
      found.length === this.instruments.length &&
      found.every(({ instrument, symbol }) => this.bySymbol(symbol)?.instrument === instrument);
    if (is_same) return;
    this.#troubles.delete('watch');
    this.instruments = found.sort((a, b) => (a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : 0));
    this.#options.onInstruments();
  }

  /** Of the list. */
  bySymbol(symbol: string): GatewayInstrument | undefined {
    let [low, high] = [0, this.instruments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.instruments[middle] as GatewayInstrument).symbol < symbol) low = middle + 1;
      else high = middle;
    }
    const found = this.instruments[low];
    return found?.symbol === symbol ? found : undefined;
  }

  #attempts(): readonly { mode?: 'bbo'; levels?: number }[] {
    return [{ levels: this.levels }, { levels: levels_few }, { mode: 'bbo' }];
  }

  // A symbol with a wildcard in it would mean others too: its number does not.
  #selector(symbol: string): string | number {
    return /[*?]/.test(symbol) ? (this.bySymbol(symbol)?.instrument ?? symbol) : symbol;
  }

  #subscribe(options: Parameters<GatewayClient['subscribe']>[0]): Subscription {
    const subscription = this.client.subscribe(options);
    // A refusal comes as an error too.
    subscription.ready.catch(() => {});
    return subscription;
  }

  #forget(subscription: Subscription | undefined): void {
    subscription?.unsubscribe().catch(() => {});
  }

  #hear(now: number): void {
    const { bytes } = this.client.figures();
    if (bytes === this.#heard_bytes) return;
    this.#heard_bytes = bytes;
    this.#heard_ms = now;
  }
}
