/** What a screen reader is told: changes of state and answers, never the market itself. */
import { Text } from './dom.js';

const quiet_ms = 1_500;

/** Threads: the page's. Of several news within a moment the last is told. */
export class Announcer {
  readonly #text = Text.of('announcer');
  #timer: number | undefined;
  #told = '';

  /** Once the dust has settled; not what was told last. */
  tell(text: string): void {
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      if (text !== this.#told) this.#say(text);
    }, quiet_ms);
  }

  /** At once, and again if asked again. */
  answer(text: string): void {
    window.clearTimeout(this.#timer);
    this.#text.set('');
    // The same words are only spoken again when they were gone in between.
    this.#timer = window.setTimeout(() => this.#say(text), 50);
  }

  #say(text: string): void {
    this.#told = text;
    this.#text.set(text);
  }
}
