/** Everything that is drawn: once per animation frame at most, from the latest state. */
import type { Depth, GatewayInstrument } from '../browser/index.js';
import type { Announcer } from './announcer.js';
import { DepthChart } from './depth_chart.js';
import { element, setAttribute, Text } from './dom.js';
import type { Feed, FeedState } from './feed.js';
import { FeedView } from './feed_view.js';
import { countText, localTime, timeOfDay } from './format.js';
import type { InstrumentList } from './instrument_list.js';
import { LadderView } from './ladder_view.js';
import { QuoteView, spokenQuote, spreadText } from './quote_view.js';
import { TapeView } from './tape_view.js';
import { cureOf, unreachable } from './troubles.js';

const panel_every_ms = 250;
/** A connection that comes at once needs no explanation. */
const unreachable_ms = 2_000;

const state_texts: Record<FeedState, string> = {
  connecting: 'connecting',
  reconnecting: 'connection lost, reconnecting',
  refused: 'not let in',
  silent: 'no word from the gateway',
  waiting: 'waiting for the book',
  recovering: 'recovering',
  synchronized: 'synchronized',
  stale: 'stale',
};

interface Frozen {
  symbol: string;
  depth: Depth | undefined;
  instrument: GatewayInstrument | undefined;
  at: Date;
}

/** Threads: the page's. */
export class Screen {
  readonly #quote = new QuoteView();
  readonly #ladder = new LadderView();
  readonly #tape = new TapeView();
  readonly #chart = new DepthChart(() => this.wake());
  readonly #panel = new FeedView(element('feed', HTMLElement));
  readonly #state = element('state', HTMLElement);
  readonly #state_text = Text.of('state-text');
  readonly #asof = Text.of('asof');
  readonly #notice = Text.of('notice');
  readonly #pause = element('pause', HTMLButtonElement);
  #feed: Feed | undefined;
  #list: InstrumentList | undefined;
  #scheduled = false;
  #frozen: Frozen | undefined;
  #told_state: FeedState | undefined;
  /** When the book that is shown was live for the last time. */
  #live_at: Date | undefined;

  constructor(private readonly announcer: Announcer) {
    window.setInterval(() => this.#tick(), panel_every_ms);
  }

  follow(feed: Feed, list: InstrumentList): void {
    this.#feed = feed;
    this.#list = list;
    this.wake();
  }

  /** Something has changed: the next animation frame shows it. */
  wake(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  recolour(): void {
    this.#chart.recolour();
    this.wake();
  }

  /** Stops the display, or lets it go on. */
  togglePause(): void {
    const feed = this.#feed;
    if (this.#frozen !== undefined || feed === undefined) this.resume();
    else {
      const symbol = feed.choice?.symbol ?? '';
      this.#frozen = { symbol, depth: feed.depth(), instrument: feed.instrument(), at: new Date() };
      this.announcer.answer('Paused: what is shown is not live.');
    }
    setAttribute(this.#pause, 'aria-pressed', String(this.#frozen !== undefined));
    this.wake();
  }

  resume(): void {
    if (this.#frozen !== undefined) this.announcer.answer('Live again.');
    this.#frozen = undefined;
    setAttribute(this.#pause, 'aria-pressed', 'false');
    this.wake();
  }

  /** Best bid and offer, for whoever listens. */
  speakQuote(): void {
    const { depth, instrument } = this.#frozen ?? { depth: this.#feed?.depth(), instrument: this.#feed?.instrument() };
    const doubt = this.#frozen !== undefined ? 'Paused. ' : this.#feed?.isLive ? '' : 'Not live. ';
    this.announcer.answer(doubt + spokenQuote(depth, instrument));
  }

  #draw(): void {
    const feed = this.#feed;
    if (feed === undefined) return;
    const begin = performance.now();
    const live = feed.isLive;
    const { depth, instrument, symbol } = this.#frozen ?? {
      symbol: feed.choice?.symbol ?? '',
      depth: feed.depth(),
      instrument: feed.instrument(),
    };
    const is_fresh = live && this.#frozen === undefined;
    setAttribute(document.documentElement, 'data-fresh', is_fresh ? 'yes' : 'no');
    this.#drawState(feed, depth, is_fresh);
    if (this.#frozen === undefined) {
      this.#quote.draw(symbol, depth, instrument, feed.tape.last, feed.levelsGranted);
      this.#ladder.draw(depth, instrument, feed.levels, spreadText(depth, instrument));
      this.#tape.draw(feed.tape, instrument);
    }
    this.#chart.draw(depth, instrument, is_fresh, begin);
    this.#list?.draw(feed.client.connected && feed.state !== 'silent');
    feed.figures.onDrawn(begin, performance.now());
  }

  #drawState(feed: Feed, depth: Depth | undefined, is_fresh: boolean): void {
    const { state } = feed;
    setAttribute(this.#state, 'data-state', state);
    this.#state_text.set(state_texts[state]);
    const sequence = depth === undefined ? '' : `sequence ${countText(depth.sequence)}`;
    if (this.#frozen !== undefined) this.#asof.set(`PAUSED at ${localTime(this.#frozen.at)} · ${sequence}`);
    else if (depth === undefined) this.#asof.set('no book yet');
    else if (is_fresh) this.#asof.set(`live · ${sequence} · ${timeOfDay(depth.timeNs)} UTC`);
    else {
      const since = this.#live_at === undefined ? '' : ` · last live at ${localTime(this.#live_at)}`;
      this.#asof.set(`NOT LIVE · ${sequence}${since}`);
    }
    if (is_fresh) this.#live_at = new Date();
  }

  #tick(): void {
    const feed = this.#feed;
    if (feed === undefined) return;
    const now = performance.now();
    feed.tick(now);
    this.#panel.draw(feed, now);
    this.#tellState(feed);
    this.#explain(feed, now);
    this.#nameTab(feed);
    // Silence changes the state without a message.
    this.wake();
  }

  #tellState(feed: Feed): void {
    const { state } = feed;
    if (state === this.#told_state) return;
    this.#told_state = state;
    this.announcer.tell(`Feed: ${state_texts[state]}.`);
  }

  #explain(feed: Feed, now: number): void {
    const { trouble, lostMs } = feed;
    let text = '';
    if (trouble?.code === 'goodbye')
      text = `The gateway said goodbye (${trouble.message}). The page comes back by itself.`;
    else if (trouble !== undefined) text = `${trouble.code}: ${trouble.message}. ${cureOf(trouble.code)}`;
    else if (lostMs !== undefined && now - lostMs > unreachable_ms) text = unreachable;
    this.#notice.set(text);
    if (this.#notice.element.hidden !== (text === '')) {
      this.#notice.element.hidden = text === '';
      if (text !== '') this.announcer.tell(text);
    }
  }

  #nameTab(feed: Feed): void {
    const { choice, isLive } = feed;
    const title = choice === undefined ? 'depthcast' : `${isLive ? '' : '(not live) '}${choice.symbol} · depthcast`;
    if (document.title !== title) document.title = title;
  }
}
