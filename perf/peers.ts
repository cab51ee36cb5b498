/**
 * depthcast beside ZeroMQ, NATS, Redis, uWebSockets.js and ws: the same messages at the same open-loop rates, by turns; one
 * publisher process, one or several subscriber processes. perf/peers/systems.ts says who, and how each is set.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { conditions } from './conditions.js';
import { default_feed } from './peers/depthcast_sides.js';
import { type InstalledPeer, installPeer, peer_packages } from './peers/install.js';
import { searchRate } from './peers/rate_search.js';
import { type PeersResult, type PeersRun, renderMarkdown, renderText } from './peers/report.js';
import { Session, type SessionOptions } from './peers/session.js';
import { isPeer, systemOf, systems } from './peers/systems.js';

const help = `perf peers [--option value]…
  --only A,B…        of ${Object.keys(systems).join(', ')}   (all)
  --subscribers N    processes that subscribe                        (1)
  --rates A,B…       messages a second of the latency slices         (50000,200000)
  --seconds N        length of such a slice, s                       (2)
  --rounds N         times that each system gets its turn            (1)
  --no-search        leave out the highest rate that is sustained
  --sleeps yes|no    whether a peer's publisher sleeps between turns (as perf/peers/systems.ts says)
  --append FILE      add the runs to those in this file
  --markdown FILE    measure nothing: the tables of docs/performance.md from such a file
  --install          only install the peers, into build/peers`;

const search = { from: 100_000, to: 25_600_000, refinements: 2, seconds: 0.8 };

interface Settings {
  names: string[];
  subscribers: number;
  rates: number[];
  seconds: number;
  search: boolean;
  sleeps: boolean | undefined;
}

async function measure(name: string, file: string, settings: Settings): Promise<PeersRun> {
  const options: SessionOptions = {
    system: name,
    subscribers: settings.subscribers,
    file,
    feed: default_feed,
    sleeps: settings.sleeps,
  };
  let session = await Session.open(options);
  const run: PeersRun = { system: name, subscribers: settings.subscribers, slices: [], sustained: undefined };
  try {
    for (const rate of settings.rates) {
      const figures = await session.slice(rate, settings.seconds);
      run.slices.push({ asked: rate, ...figures });
    }
    if (!settings.search) return run;
    const from = settings.subscribers > 1 ? search.from / 4 : search.from;
    run.sustained = 0;
    await searchRate({ ...search, from }, async (rate) => {
      const figures = await session.slice(rate, search.seconds);
      if (figures.sustained) {
        // What was carried: some of a source's messages make two of depthcast's.
        run.sustained = Math.max(run.sustained ?? 0, Math.round(figures.rate));
        return true;
      }
      // What was left behind must not burden the next trial.
      await session.close();
      session = await Session.open(options);
      return false;
    });
    return run;
  } finally {
    await session.close();
  }
}

/** Messages for the peers' publishers. */
function simulate(folder: string): string {
  const file = join(folder, 'peers.itch50');
  const command = join(process.cwd(), 'dist', 'cli', 'main.js');
  const parameters = ['--messages', '100000', '--symbols', '100', '--live-orders', '20000', '--seed', '1'];
  execFileSync(process.execPath, [command, 'simulate', '--out', file, ...parameters], { stdio: 'ignore' });
  return file;
}

function installNeeded(names: string[]): void {
  for (const name of names) {
    const system = systemOf(name);
    if (isPeer(system) && system.installed !== undefined) installPeer(system.installed);
  }
}

async function measureAll(settings: Settings, rounds: number): Promise<PeersResult> {
  const around = conditions();
  const versions = Object.fromEntries(settings.names.map((name) => [name, systemOf(name).version()]));
  const folder = mkdtempSync(join(tmpdir(), 'depthcast-peers-'));
  const runs: PeersRun[] = [];
  try {
    const file = simulate(folder);
    for (let round = 0; round < rounds; round++) {
      for (const name of settings.names) {
        try {
          runs.push(await measure(name, file, settings));
        } catch (error) {
          // The others are measured all the same.
          console.error(`perf peers: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { name: 'peers', versions, conditions: [{ ...around }], runs };
}

function readResult(file: string): PeersResult {
  return JSON.parse(readFileSync(file, 'utf8')) as PeersResult;
}

function append(file: string, result: PeersResult): void {
  let known: PeersResult | undefined;
  try {
    known = readResult(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const joined: PeersResult = {
    name: 'peers',
    versions: { ...known?.versions, ...result.versions },
    conditions: [...(known?.conditions ?? []), ...result.conditions],
    runs: [...(known?.runs ?? []), ...result.runs],
  };
  writeFileSync(file, `${JSON.stringify(joined, undefined, 1)}\n`);
}

export async function run(parameters: string[], json: boolean): Promise<void> {
  const { values } = parseArgs({
    args: parameters,
    options: {
      help: { type: 'boolean' },
      only: { type: 'string', default: Object.keys(systems).join() },
      subscribers: { type: 'string', default: '1' },
      rates: { type: 'string', default: '50000,200000' },
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '1' },
      'no-search': { type: 'boolean', default: false },
      sleeps: { type: 'string' },
      append: { type: 'string' },
      markdown: { type: 'string' },
      install: { type: 'boolean' },
    },
  });
  if (values.help) return console.log(help);
  if (values.markdown !== undefined) return console.log(renderMarkdown(readResult(values.markdown)));
  if (values.install) {
    for (const peer of Object.keys(peer_packages)) installPeer(peer as InstalledPeer);
    return;
  }
  const names = values.only.split(',');
  installNeeded(names);
  const settings: Settings = {
    names,
    subscribers: Number(values.subscribers),
    rates: values.rates.split(',').filter(Boolean).map(Number),
    seconds: Number(values.seconds),
    search: !values['no-search'],
    sleeps: values.sleeps === undefined ? undefined : values.sleeps === 'yes',
  };
  const result = await measureAll(settings, Number(values.rounds));
  if (values.append !== undefined) append(values.append, result);
  console.log(json ? JSON.stringify(result) : renderText(result));
}
