/** What a screen reader is told: changes of state and answers, never the market itself. */
import { Text } from './dom.js';

const quiet_ms = 1_500;
/** The same words are only spoken again when they were gone in between. */
const gone_ms = 50;

/** Threads: the page's. Of several news within a moment the last is told; an answer comes before them, and is heard out. */
export class Announcer {
  readonly #text = Text.of('announcer');
  #news: string | undefined;
  #news_timer: number | undefined;
  #answer_timer: number | undefined;
  #told = '';

  /** Once the dust has settled; not what was told last. */
  tell(text: string): void {
    this.#news = text;
    window.clearTimeout(this.#news_timer);
    this.#news_timer = window.setTimeout(() => {
      this.#news = undefined;
      if (text !== this.#told) this.#say(text);
    }, quiet_ms);
  }

  /** At once, and again if asked again. */
  answer(text: string): void {
    window.clearTimeout(this.#answer_timer);
    this.#text.set('');
    this.#answer_timer = window.setTimeout(() => this.#say(text), gone_ms);
    if (this.#news !== undefined) this.tell(this.#news);
  }

  #say(text: string): void {
    this.#told = text;
    this.#text.set(text);
  }
}
