/** The page: what is chosen where, and who hears of it. docs/page.md. */
import type { GatewayWelcome } from '../browser/index.js';
import { Announcer } from './announcer.js';
import { element, make, Text } from './dom.js';
import { Feed } from './feed.js';
import { figure_helps } from './feed_view.js';
import { InstrumentList } from './instrument_list.js';
import { parsePlace, placeText } from './place.js';
import { Screen } from './screen.js';
import { listenForShortcuts } from './shortcuts.js';
import { remember, remembered, Theme } from './theme.js';
import { storedToken, storeToken } from './token_store.js';

/** Whoever holds a key down passes by most instruments: only those are asked for that they stay at for so long. */
const choose_every_ms = 250;

const announcer = new Announcer();
const screen = new Screen(announcer);
const wide = matchMedia('(min-width: 1200px)');
const channels = element('channel', HTMLSelectElement);
const intervals = element('interval', HTMLSelectElement);
const token_dialog = element('token-dialog', HTMLDialogElement);
const token_input = element('token', HTMLInputElement);
const token_button = element('token-open', HTMLButtonElement);
const help_dialog = element('help-dialog', HTMLDialogElement);

let feed: Feed;
let place = parsePlace(location.hash);
let chosen_ms = Number.NEGATIVE_INFINITY;
let choose_timer: number | undefined;

const list = new InstrumentList({
  bestOf: (instrument) => feed.bbo(instrument),
  onChoose: (symbol) => choose(symbol),
  isWide: () => wide.matches,
  wake: () => screen.wake(),
});

function connect(token: string): void {
  feed?.close();
  token_button.hidden = token === '';
  feed = new Feed({
    url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/feed`,
    token,
    intervalMs: Number(intervals.value),
    onChange: () => screen.wake(),
    onInstruments: () => listInstruments(),
    onWelcome: (welcome) => listChannels(welcome),
    onUnauthorised: (message) => askForToken(message),
  });
  screen.follow(feed, list);
  go();
  feed.start();
}

/** To where `place` says. */
function go(): void {
  const { channel, symbol } = place;
  if (channel === undefined) return;
  feed.listChannel(channel);
  if (symbol === undefined) return;
  feed.choose({ channel, symbol });
  list.setChosen(symbol);
}

function choose(symbol: string): void {
  screen.resume();
  place = { channel: place.channel, symbol };
  window.clearTimeout(choose_timer);
  const wait_ms = Math.max(0, chosen_ms + choose_every_ms - performance.now());
  choose_timer = window.setTimeout(() => {
    chosen_ms = performance.now();
    const { channel } = place;
    if (channel === undefined) return;
    history.replaceState(null, '', placeText({ channel, symbol }));
    go();
  }, wait_ms);
}

function listChannels({ channels: known }: GatewayWelcome): void {
  const numbers = known.map(({ channel }) => channel);
  place.channel ??= numbers[0];
  // One that the address names and the gateway does not have is told by the gateway.
  const offered = [...new Set([...numbers, ...(place.channel === undefined ? [] : [place.channel])])];
  channels.replaceChildren(...offered.map((channel) => new Option(String(channel), String(channel))));
  channels.value = String(place.channel);
  channels.disabled = offered.length < 2;
  if (place.channel !== undefined) feed.listChannel(place.channel);
}

function listInstruments(): void {
  list.setInstruments(feed.instruments, feed.isListRefused ? 'Type a symbol  ( / )' : 'Instrument  ( / )');
  if (feed.isListRefused && place.symbol === undefined)
    announcer.tell('The token does not allow to list the instruments: type a symbol.');
  const [first] = feed.instruments;
  if (place.symbol === undefined && first !== undefined) choose(first.symbol);
  screen.wake();
}

function askForToken(message: string): void {
  storeToken('');
  token_button.hidden = false;
  element('token-why', HTMLElement).textContent = message;
  if (!token_dialog.open) token_dialog.showModal();
  token_input.focus();
}

element('token-form', HTMLFormElement).addEventListener('submit', (event) => {
  // Not sent anywhere: no address ever holds the token.
  event.preventDefault();
  const token = token_input.value.trim();
  token_input.value = '';
  token_dialog.close();
  storeToken(token);
  connect(token);
});

token_button.addEventListener('click', () => token_dialog.showModal());

channels.addEventListener('change', () => {
  place = { channel: Number(channels.value), symbol: undefined };
  screen.resume();
  go();
});

intervals.addEventListener('change', () => {
  remember('interval', intervals.value);
  feed.setInterval(Number(intervals.value));
});

const known_interval = [...intervals.options].find(({ value }) => value === remembered('interval'));
if (known_interval !== undefined) intervals.value = known_interval.value;

const theme_name = Text.of('theme-name');
const theme = new Theme((name) => {
  theme_name.set(name);
  screen.recolour();
});
theme.begin();
element('theme', HTMLButtonElement).addEventListener('click', () => theme.next());
element('pause', HTMLButtonElement).addEventListener('click', () => screen.togglePause());
element('help', HTMLButtonElement).addEventListener('click', () => help_dialog.showModal());
element('figures-list', HTMLElement).replaceChildren(
  ...figure_helps.map(({ help, label }) => make('div', '', make('dt', '', label), make('dd', '', help))),
);
wide.addEventListener('change', () => list.refresh());
window.addEventListener('hashchange', () => {
  const next = parsePlace(location.hash);
  if (next.channel === undefined) return;
  place = next;
  channels.value = String(next.channel);
  go();
  if (next.symbol === undefined) listInstruments();
});

listenForShortcuts([
  { keys: ['/'], label: '/', does: 'search for an instrument', act: () => list.focus() },
  { keys: [], label: '↑ ↓ Enter', does: 'in the search: choose' },
  { keys: [], label: 'Esc', does: 'in the search: empty it, then leave it' },
  { keys: ['['], label: '[', does: 'previous instrument', act: () => list.step(-1) },
  { keys: [']'], label: ']', does: 'next instrument', act: () => list.step(1) },
  { keys: ['b', 'B'], label: 'b', does: 'have best bid and ask read out', act: () => screen.speakQuote() },
  { keys: ['p', 'P'], label: 'p', does: 'stop the display, and go on', act: () => screen.togglePause() },
  { keys: ['t', 'T'], label: 't', does: 'colours: auto, dark, light', act: () => theme.next() },
  { keys: ['?'], label: '?', does: 'this list, and what the figures mean', act: () => help_dialog.showModal() },
]);

connect(storedToken());
