/** The feed panel: what has come, how fast, how late, and whether it adds up. */
import { make, setAttribute, Text } from './dom.js';
import type { Feed } from './feed.js';
import { bytesText, countText, msText, rateText } from './format.js';
import type { Percentiles } from './sliding.js';

interface Row {
  name: string;
  label: string;
  help: string;
}

const stream_rows = [
  { name: 'session', label: 'Session', help: 'The publisher’s unbroken run of numbers.' },
  { name: 'sequence', label: 'Sequence', help: 'Last message of the channel that anything on this page covers.' },
  { name: 'rate', label: 'Messages', help: 'Published on the whole channel, per second.' },
  { name: 'frames', label: 'Frames in', help: 'What came from the gateway, per second.' },
  { name: 'bytes', label: 'Bytes in', help: 'The same in bytes.' },
  {
    name: 'draws',
    label: 'Frames drawn',
    help: 'Pictures that this page drew, per second; one at most for each of the screen’s.',
  },
] as const satisfies Row[];

const integrity_rows = [
  {
    name: 'digest',
    label: 'Digest',
    help: 'Every book comes with the hash of its levels, which is computed again here. Unequal: it is asked for anew.',
  },
  { name: 'checked', label: 'Books checked', help: 'How many hashes were compared.' },
  {
    name: 'missing',
    label: 'Missing',
    help: 'Messages of this instrument that the gateway could neither send nor cover with a later book.',
  },
  { name: 'published', label: 'Published', help: 'Messages of this instrument, book and tape, since it was chosen.' },
  { name: 'sent', label: 'Sent', help: 'Of these: shown themselves.' },
  { name: 'conflated', label: 'Conflated', help: 'Of these: covered by a later book.' },
  {
    name: 'accounts',
    label: 'Adds up',
    help: 'Published = sent + conflated + missing, and the gateway’s count is what came here. Asked every 5 s.',
  },
  { name: 'reconnects', label: 'Reconnects', help: 'Connections that were made again.' },
  { name: 'restarts', label: 'Recoveries', help: 'Books that were asked for anew because something did not fit.' },
  { name: 'slow', label: 'Too slow', help: 'Times that the gateway’s policy for slow readers acted.' },
  { name: 'faults', label: 'Faults', help: 'Bytes and texts that were refused.' },
] as const satisfies Row[];

const clock_rows = [
  { name: 'ping', label: 'Round trip', help: 'The fastest ping of the last minute.' },
  {
    name: 'clock',
    label: 'Clock here − there',
    help: 'Estimated from the above; may be wrong by half of the round trip.',
  },
] as const satisfies Row[];

const latency_rows = [
  {
    name: 'transit',
    label: 'Gateway → page',
    help:
      'Of the last 10 s, estimated: two clocks cannot be compared from here, so the fastest frame of the last minute is taken to have ' +
      'needed half of the fastest round trip. The time that a change waits for its frame is not in it.',
  },
  { name: 'drawing', label: 'Page → screen', help: 'From the arrival of a book to its drawing, by this page’s clock.' },
] as const satisfies Row[];

const all_rows = [...stream_rows, ...integrity_rows, ...latency_rows, ...clock_rows];
type ValueName = (typeof all_rows)[number]['name'];
type LatencyName = (typeof latency_rows)[number]['name'];

/** What each figure means. */
export const figure_helps: readonly Row[] = all_rows;

/** Threads: the page's. Redrawn some times a second. */
export class FeedView {
  readonly #values = new Map<ValueName, Text>();
  readonly #latencies = new Map<LatencyName, Text[]>();

  constructor(place: HTMLElement) {
    place.replaceChildren(
      this.#list(stream_rows),
      this.#list(integrity_rows),
      make('div', 'group', this.#latencyTable(), this.#list(clock_rows)),
    );
  }

  draw(feed: Feed, now: number): void {
    const { figures, sequence, session } = feed;
    this.#set('session', session === 0n ? '–' : String(session));
    this.#set('sequence', sequence === 0n ? '–' : countText(sequence));
    this.#set('rate', `${rateText(figures.messageRate)}/s`);
    this.#set('frames', `${rateText(figures.frameRate)}/s`);
    this.#set('bytes', `${bytesText(figures.byteRate)}/s`);
    this.#set('draws', `${rateText(figures.drawRate)}/s`);
    this.#drawIntegrity(feed);
    const transit = figures.transit.read(now);
    this.#setLatency('transit', transit);
    this.#setLatency('drawing', figures.drawing.read(now));
    this.#set('ping', Number.isNaN(transit.roundTripMs) ? '–' : `${msText(transit.roundTripMs)} ms`);
    const { clockMs } = transit;
    this.#set('clock', Number.isNaN(clockMs) ? '–' : `${clockMs >= 0 ? '+' : '−'}${msText(Math.abs(clockMs))} ms`);
  }

  #drawIntegrity({ figures }: Feed): void {
    const { accounts, countMismatches, mismatches, mismatchSequence, windowsChecked } = figures;
    const differed = `differed ${mismatches}×, last at ${countText(mismatchSequence ?? 0n)}`;
    this.#set('digest', windowsChecked === 0 ? '–' : mismatches === 0 ? 'equal' : differed, mismatches > 0);
    this.#set('checked', countText(windowsChecked));
    const count = (value: number | undefined) => (value === undefined ? '–' : countText(value));
    const missing = accounts?.refused;
    this.#set('missing', count(missing), missing !== undefined && missing > 0);
    this.#set('published', count(accounts?.published));
    this.#set('sent', count(accounts?.sent));
    this.#set('conflated', count(accounts && accounts.conflated + accounts.pending));
    const sum = accounts && accounts.sent + accounts.conflated + accounts.refused + accounts.pending;
    const agrees = sum === accounts?.published && countMismatches === 0;
    this.#set('accounts', accounts === undefined ? '–' : agrees ? 'yes' : 'NO', !agrees);
    this.#set('reconnects', countText(figures.reconnects));
    this.#set('restarts', countText(figures.restarts));
    this.#set('slow', countText(figures.slow), figures.slow > 0);
    this.#set('faults', countText(figures.faults), figures.faults > 0);
  }

  #list(rows: readonly { name: ValueName; label: string; help: string }[]): HTMLElement {
    const made = rows.map(({ name, label, help }) => {
      const value = make('dd');
      value.dataset.name = name;
      this.#values.set(name, new Text(value));
      const term = make('dt', '', label);
      term.title = help;
      return make('div', '', term, value);
    });
    return make('dl', '', ...made);
  }

  #latencyTable(): HTMLElement {
    const heads = ['ms', 'p50', 'p90', 'p99', 'max'].map((text) => {
      const head = make('th', '', text);
      head.scope = 'col';
      return head;
    });
    const rows = latency_rows.map(({ help, label, name }) => {
      const head = make('th', '', label);
      head.scope = 'row';
      head.title = help;
      const cells = [make('td'), make('td'), make('td'), make('td')];
      this.#latencies.set(
        name,
        cells.map((cell) => new Text(cell)),
      );
      return make('tr', '', head, ...cells);
    });
    const table = make('table', 'latency', make('thead', '', make('tr', '', ...heads)), make('tbody', '', ...rows));
    table.setAttribute('aria-label', 'Latency of the last ten seconds, in milliseconds');
    return table;
  }

  #set(name: ValueName, text: string, is_bad = false): void {
    const value = this.#values.get(name);
    if (value === undefined) return;
    value.set(text);
    setAttribute(value.element, 'data-bad', is_bad ? '' : undefined);
  }

  #setLatency(name: LatencyName, { max, p50, p90, p99 }: Percentiles): void {
    const texts = this.#latencies.get(name) ?? [];
    for (const [index, value] of [p50, p90, p99, max].entries()) texts[index]?.set(msText(value));
  }
}
