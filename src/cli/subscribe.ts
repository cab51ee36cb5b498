/** `depthcast subscribe`: follows one channel, prints what comes, dumps the books. */
import { FeedClient } from '../feed_client.js';
import { applyProfile } from '../profile.js';
import { type FeedStatus, feedLine, statusPanel } from '../view/status.js';
import { columns_min, lookOf, sizeOf } from '../view/terminal.js';
import type { CommandEnd } from './command.js';
import { checkDumpFile, Dumps } from './dumps.js';
import { say } from './failure.js';
import { FeedStatusReader } from './feed_status.js';
import { LadderScreen } from './ladder_screen.js';
import { chooseLines, readOptions } from './options.js';
import { Output } from './output.js';
import { readResumeFile, writeResumeFile } from './resume_file.js';
import { listenForStop, within } from './stopping.js';
import {
  checkSubscribe,
  type SubscribeCommandOptions,
  subscribe_rules,
  subscribeCommandOptions,
} from './subscribe_options.js';
import { environmentToken, readTokenFile } from './token_file.js';
import { UpdatesPrinter } from './updates_printer.js';

const interval_ms_terminal = 100;
const interval_ms_plain = 1_000;
const flush_ms_max = 1_000;
const close_ms_max = 5_000;

/** Something that shows the feed until it is stopped. */
interface View {
  start(status: FeedStatusReader): void;
  stop(): void;
}

function makeClient(options: SubscribeCommandOptions): FeedClient {
  const { lines: _1, view, symbol, levels, intervalMs: _2, dump: _3, l3, dumpAt, ...rest } = options;
  const { exitAtEndOfSession: _4, note: _5, resumeFile, tokenFile, ...library } = rest;
  const isChosen = library.mode !== 'exact' && library.instruments.length === 0;
  const follows_server = library.gateway !== null || library.directory !== null;
  const token = tokenFile !== undefined ? readTokenFile(tokenFile) : environmentToken(process.env);
  return new FeedClient({
    ...library,
    levels,
    token: follows_server ? token : '',
    recovery: { ...library.recovery, token: library.recovery.token === '' ? token : library.recovery.token },
    instruments: isChosen ? symbol : library.instruments,
    resume: (resumeFile === undefined ? null : readResumeFile(resumeFile)) ?? library.resume,
    limits: { ...library.limits, depthLevels: Math.max(library.limits.depthLevels, view === 'ladder' ? levels : 0) },
    delivery: { ...library.delivery, updates: view === 'json' || view === 'bbo' },
    exportPositions: dumpAt,
    exportOrders: l3,
  });
}

/** One status line at a time on stdout. */
class StatusLines implements View {
  #timer: NodeJS.Timeout | undefined;
  constructor(
    private readonly output: Output,
    private readonly interval_ms: number,
  ) {}

  start(status: FeedStatusReader): void {
    this.#timer = setInterval(() => this.output.write(`${feedLine(status.now())}\n`), this.interval_ms);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function makeView(client: FeedClient, output: Output, options: SubscribeCommandOptions): View {
  const { view, symbol, levels, note } = options;
  const look = lookOf(process.stdout, process.env);
  const terminal = process.stdout.isTTY && process.env.TERM !== 'dumb' ? process.stdout : undefined;
  if (view === 'ladder') {
    const intervalMs = options.intervalMs ?? (terminal === undefined ? interval_ms_plain : interval_ms_terminal);
    return new LadderScreen(client, output, { symbol: symbol[0], levels, look, terminal, intervalMs, note });
  }
  if (view === 'status') return new StatusLines(output, options.intervalMs ?? interval_ms_plain);
  if (view === 'none') return { start() {}, stop() {} };
  return new UpdatesPrinter(client, output, { view, symbols: symbol, look });
}

const told_max = 20;

/** What happens to the feed, on stderr. What happens all the time is told the first times; the figures count it. */
function tellEvents(client: FeedClient): void {
  const left = {
    missing: told_max,
    recovered: told_max,
    givenUp: told_max,
    snapshot: told_max,
    state: 2 * told_max,
    digestMismatch: told_max,
    disconnected: told_max,
    refused: told_max,
  };
  const tell = (kind: keyof typeof left, text: string) => {
    if (left[kind] === 0) return;
    left[kind]--;
    say(left[kind] === 0 ? `${text}; more of this kind are counted, not told` : text);
  };
  client.on('session', (session) => say(`session ${session}`));
  client.on('missing', ({ first, last }) => tell('missing', `missing: ${first} to ${last}`));
  client.on('recovered', ({ first, last }, way) => tell('recovered', `recovered by ${way}: ${first} to ${last}`));
  client.on('givenUp', ({ first, last }) => tell('givenUp', `given up: ${first} to ${last}`));
  client.on('snapshot', ({ sequence, reason }) => tell('snapshot', `snapshot as of ${sequence} (${reason})`));
  client.on('snapshotRefused', (reason) => tell('snapshot', `snapshot refused: ${reason}`));
  client.on('slow', (did) => tell('snapshot', `too slow for the gateway: ${did}`));
  client.on('disconnected', (reason) => tell('disconnected', `no connection to the gateway: ${reason}; trying again`));
  client.on('refused', ({ askedAgain, message }) => {
    if (askedAgain) tell('refused', `refused: ${message}; asked again when that may have passed`);
  });
  client.on('countMismatch', (fault) => say(`counts differ: ${fault}`));
  client.on('goodbye', (reason, reconnectMs) => say(`the gateway says goodbye (${reason}); back in ${reconnectMs} ms`));
  client.on('resumed', (sequence) => say(`resumed after ${sequence}`));
  client.on('resumeFailed', (reason) => say(`cannot resume: ${reason}`));
  client.on('state', (state) => {
    if (state !== 'ended' && state !== 'closed') tell('state', state);
  });
  client.on('digestMismatch', (sequence) => tell('digestMismatch', `books differ from the publisher's at ${sequence}`));
  client.on('endOfSession', ({ session, sequence }) => say(`session ${session} has ended at sequence ${sequence}`));
}

/** Once, when the books are whole: whoever misspelt a symbol would wait for nothing. Returns what is to be done at the end. */
function warnOfUnknown(client: FeedClient, symbols: readonly string[]): () => void {
  let told = false;
  const warn = () => {
    if (told) return;
    told = true;
    for (const symbol of symbols)
      if (client.instrument(symbol) === undefined) say(`${symbol}: no such symbol was seen on this channel`);
  };
  client.on('state', (state) => {
    if (state === 'synchronized' || state === 'ended') warn();
  });
  return warn;
}

/** The whole time in figures: a panel on a terminal, else one line. */
function summaryLines(total: FeedStatus): string[] {
  if (!process.stdout.isTTY) return [`ended: ${feedLine(total)}`];
  return statusPanel(total, lookOf(process.stdout, process.env), Math.max(columns_min, sizeOf(process.stdout).columns));
}

const prepare = (raw: Record<string, unknown>) => applyProfile('subscribe', chooseLines(raw));

/** What may end the command. */
function endsOf(client: FeedClient, output: Output, options: SubscribeCommandOptions): Promise<CommandEnd>[] {
  const signal = listenForStop().requested;
  const refused = new Promise<never>((_, reject) => {
    client.on('refused', (error) => {
      if (!error.askedAgain) reject(error);
    });
  });
  // Also where the start fails, and nobody waits for it.
  refused.catch(() => {});
  const ends: Promise<CommandEnd>[] = [signal.then((detail) => ({ exitCode: 0, reason: 'signal', detail })), refused];
  if (options.exitAtEndOfSession ?? options.dump !== undefined)
    ends.push(client.ended.then(() => ({ exitCode: 0, reason: 'done', detail: 'end of session' })));
  // Without a reader there is nothing left to do, unless books are to be dumped.
  if (options.dump === undefined)
    ends.push(output.closed.then(() => ({ exitCode: 0, reason: 'closed', detail: 'nobody reads the output' })));
  return ends;
}

/** Rejects with ConfigError or UsageError for wrong options, with another Error where it fails. */
export async function subscribe(given: Record<string, unknown>): Promise<CommandEnd> {
  const options = readOptions(subscribeCommandOptions, given, subscribe_rules, prepare);
  checkSubscribe(options);
  const { dump, l3, dumpAt, symbol } = options;
  if (dump !== undefined) checkDumpFile(dump, dumpAt);
  const client = makeClient(options);
  const output = new Output();
  const view = makeView(client, output, options);
  const isPicture = options.view === 'ladder' || options.view === 'status';
  if (options.view !== 'ladder' || !process.stdout.isTTY) tellEvents(client);
  const warn = warnOfUnknown(client, symbol);
  const dumps = dump === undefined ? undefined : new Dumps(client, dump, { orders: l3, at: dumpAt });
  const ends = endsOf(client, output, options);
  try {
    await client.start();
    for (const warning of client.warnings) say(`warning: ${warning}`);
    const status = new FeedStatusReader(client);
    view.start(status);
    const end = await Promise.race(ends);
    view.stop();
    await dumps?.finish();
    const token = client.resumeToken();
    if (options.resumeFile !== undefined && token !== undefined) writeResumeFile(options.resumeFile, token);
    warn();
    if (isPicture) output.write(`${summaryLines(status.total()).join('\n')}\n`);
    if (output.failure !== undefined) throw output.failure;
    return end;
  } finally {
    view.stop();
    await within(close_ms_max, client.close());
    await output.flush(flush_ms_max);
  }
}
