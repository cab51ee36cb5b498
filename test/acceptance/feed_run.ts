/** One `depthcast serve` of a file and the `depthcast subscribe` processes that follow it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from '../data.js';
import { controlUrl, type LinePair, lineFlags } from '../faults/lines.js';
import { Command } from './command.js';
import type { FeedDump } from './itch_case.js';

export interface SubscriberPlan {
  name: string;
  /** Where it listens; the publisher's own lines unless given. */
  lines?: LinePair;
  /** Positions of the source after which it dumps. */
  positions?: readonly number[];
  flags?: readonly string[];
}

export interface SubscriberResult {
  name: string;
  /** "exit code 0" when all went well. */
  end: string;
  stderr: string;
  /** What it printed: a line of JSON for each update. */
  lines: string;
  /** By position, and "end". */
  dumps: Map<string, FeedDump>;
  /** The one at the end. */
  dump: FeedDump;
}

export interface FeedRun {
  /** Of the lines and the control service; another one for each test file. */
  number: number;
  lines: LinePair;
  /** The ITCH file to serve. */
  file: string;
  serve?: readonly string[];
  subscribers: readonly SubscriberPlan[];
}

export interface FeedRunResult {
  /** Datagrams sent on both lines together, as the publisher counts them. */
  datagrams: number;
  serveEnd: string;
  subscribers: SubscriberResult[];
}

function readDump(file: string): FeedDump {
  return JSON.parse(readFileSync(file, 'utf8')) as FeedDump;
}

/**
 * Serves the file to all of them, from its first message on: the source waits until each has joined. Fails the test, with
 * what they said, where one of them does not end by itself with exit code 0.
 */
export async function runFeed(t: Test, { number, lines, file, serve, subscribers }: FeedRun): Promise<FeedRunResult> {
  const folder = t.testdir({});
  const control = `--control=${controlUrl(number)}`;
  const started = subscribers.map((plan) => {
    const flags = [control, ...lineFlags(plan.lines ?? lines), `--dump=${join(folder, plan.name)}.json`, '--l3'];
    if (plan.positions !== undefined) flags.push(`--dump-at=${plan.positions.join()}`);
    return { plan, command: new Command(t, ['subscribe', ...flags, ...(plan.flags ?? [])]) };
  });
  const waiting = [
    `--wait-subscribers=${subscribers.length}`,
    '--wait-timeout-ms=60000',
    '--exit-at-end',
    '--status-ms=0',
  ];
  const server = new Command(t, [
    'serve',
    `--source=itch:${file}`,
    '--no-gateway-port',
    control,
    ...lineFlags(lines),
    ...waiting,
    ...(serve ?? []),
  ]);
  const served = await server.result();
  t.equal(served.end, 'exit code 0', `serve ended well:\n${served.stderr}`);
  const results: SubscriberResult[] = [];
  for (const { plan, command } of started) {
    const { end, stdout, stderr } = await command.result(20_000);
    t.equal(end, 'exit code 0', `${plan.name} ended well:\n${stderr}`);
    const dumps = new Map<string, FeedDump>();
    for (const position of plan.positions ?? [])
      dumps.set(String(position), readDump(join(folder, `${plan.name}.${position}.json`)));
    const dump = readDump(join(folder, `${plan.name}.json`));
    dumps.set('end', dump);
    results.push({ name: plan.name, end, stderr, lines: stdout, dumps, dump });
  }
  const sent = /ended: .*?([\d,]+) datagrams sent/.exec(served.stderr)?.[1];
  if (sent === undefined) throw new Error(`serve does not say how many datagrams it sent:\n${served.stderr}`);
  return { datagrams: Number(sent.replaceAll(',', '')), serveEnd: served.stderr, subscribers: results };
}
