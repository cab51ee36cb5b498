/** `depthcast jitter`: what a message's way takes, beside the least that it could take on this machine. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseBudget } from '../jitter/budget.js';
import { JitterCollector } from '../jitter/collector.js';
import { compareResults, readResult, renderComparison } from '../jitter/compare.js';
import { hgrmFiles } from '../jitter/hgrm.js';
import { renderHtml } from '../jitter/html.js';
import { parseInjection } from '../jitter/injections.js';
import { type MeasuredEnd, Measurement } from '../jitter/measure.js';
import type { KnownInterval } from '../jitter/periodic.js';
import { intervals_ms, type JitterPlan } from '../jitter/plan.js';
import type { JitterResult } from '../jitter/result.js';
import { renderTable } from '../jitter/table.js';
import type { CommandEnd } from './command.js';
import { say } from './failure.js';
import { type JitterCommandOptions, jitter_rules, jitterCommandOptions } from './jitter_options.js';
import { readOptions } from './options.js';
import { Output } from './output.js';
import { dieStopped, listenForStop } from './stopping.js';

/** Everything in the measured processes that runs at an interval of its own. */
function knownIntervals({ journal, replica, gc_every_ms, inject }: JitterPlan): KnownInterval[] {
  const known = [
    { name: 'heartbeats (heartbeatMs), and the publisher reads the wall clock', interval_ms: intervals_ms.heartbeat },
    { name: 'repeated definitions (definitionsMs)', interval_ms: intervals_ms.definitions },
    { name: 'metrics: both threads publish their counters', interval_ms: intervals_ms.counters },
    { name: 'the counts of the stall log are read anew', interval_ms: 5 },
  ];
  if (journal?.fsync === 'interval') known.push({ name: 'fsync of the journal', interval_ms: intervals_ms.fsync });
  if (journal !== null) known.push({ name: 'the journal looks at the ring', interval_ms: intervals_ms.journalPoll });
  if (replica !== null) {
    known.push({ name: 'the replica looks at the ring', interval_ms: intervals_ms.replicaPoll });
    known.push({ name: 'a snapshot is taken for the snapshot loop', interval_ms: intervals_ms.snapshot });
  }
  if (gc_every_ms > 0) known.push({ name: 'garbage collection (gcEvery)', interval_ms: gc_every_ms });
  if (inject !== null) known.push({ name: `injected: ${inject.kind}`, interval_ms: inject.every_ms });
  return known;
}

/** Rejects with ConfigError for wrong options, with another Error where nothing can be measured. */
export async function jitter(given: Record<string, unknown>): Promise<CommandEnd> {
  const options = readOptions(jitterCommandOptions, given, jitter_rules);
  const [before, after] = options.compare;
  if (before !== undefined && after !== undefined) return compare(before, after, options.json);
  const stopping = listenForStop();
  const folder = mkdtempSync(join(tmpdir(), 'depthcast-jitter-'));
  try {
    const running = measure(options, planOf(options, folder));
    running.result.catch(() => {});
    const result = await Promise.race([running.result, stopping.requested.then(() => undefined)]);
    await running.close();
    if (result === undefined) return await dieStopped(stopping.reason ?? 'SIGTERM');
    return await tell(result, options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    stopping.dispose();
  }
}

async function print(text: string): Promise<void> {
  const output = new Output();
  output.write(text);
  await output.flush(10_000);
}

async function compare(before: string, after: string, json: boolean): Promise<CommandEnd> {
  const comparison = compareResults(
    readResult(readFileSync(before, 'utf8'), before),
    readResult(readFileSync(after, 'utf8'), after),
  );
  await print(json ? `${JSON.stringify(comparison)}\n` : renderComparison(comparison, unicode()));
  return { exitCode: 0, reason: 'done', detail: 'compared' };
}

function unicode(): boolean {
  return process.env.LC_ALL !== 'C';
}

async function tell(result: JitterResult, options: JitterCommandOptions): Promise<CommandEnd> {
  if (options.hgrm !== undefined) {
    mkdirSync(options.hgrm, { recursive: true });
    for (const { name, text } of hgrmFiles(result)) writeFileSync(join(options.hgrm, name), text);
  }
  if (options.html !== undefined) writeFileSync(options.html, renderHtml(result));
  await print(options.json ? `${JSON.stringify(result)}\n` : renderTable(result, unicode()));
  const missed = result.budget.filter(({ kept }) => !kept);
  if (missed.length === 0) return { exitCode: 0, reason: 'done', detail: `${result.feed.count} messages` };
  say(`budget missed: ${missed.map(({ text }) => text).join(', ')} (proved stalls of the machine are not counted)`);
  return { exitCode: 1, reason: 'failed', detail: 'budget missed' };
}

function measure(options: JitterCommandOptions, plan: JitterPlan) {
  const measurement = new Measurement(plan);
  const collector = new JitterCollector(plan.slice_ns, plan.pairs, plan.inject?.kind, plan.gc_every_ms);
  const load = loadavg()[0] ?? 0;
  const progress = process.stderr.isTTY && !options.json;
  const run = async () => {
    const end = await measurement.run((pair, index) => {
      collector.add(pair);
      if (progress) process.stderr.write(`\r${index + 1} of ${plan.pairs} pairs`);
    });
    if (progress) process.stderr.write('\r\x1b[K');
    const budgets = options.budget.map((text) => parseBudget(text)).filter((budget) => budget !== undefined);
    const conditions = conditionsOf(plan, end, load);
    return collector.result(conditions, knownIntervals(plan), budgets, warningsOf(plan, end), end.clockSteps);
  };
  return { result: run(), close: () => measurement.close() };
}

function planOf(options: JitterCommandOptions, folder: string): JitterPlan {
  const { rate, pattern, burst, speed, seed, seconds, source } = options;
  const slice_s = Math.min(options.slice ?? Math.min(2, Math.max(0.25, seconds / 20)), seconds / 2);
  const lines = [options.lineA, options.lineB].filter((line) => line !== null);
  const local = { interface: options.interface };
  const cores = availableParallelism();
  const core = (wanted: number, fallback: number) => (wanted !== -2 ? wanted : cores >= 2 ? fallback : -1);
  const publisherCore = core(options.publisherCore, cores - 2);
  const subscriberCore = core(options.subscriberCore, cores - 1);
  const free = allCores(cores).filter((one) => one !== publisherCore && one !== subscriberCore);
  const inject = options.inject === undefined ? undefined : parseInjection(options.inject);
  return {
    load: { pattern, rate, burst, speed, seed },
    source: source === 'simulate' ? source : source.slice('itch:'.length),
    symbols: options.symbols,
    liveOrders: options.liveOrders,
    preload: source === 'simulate' ? 2 * options.symbols + 4 * options.liveOrders : 0,
    pairs: Math.max(1, Math.round(seconds / (2 * slice_s))),
    slice_ns: Math.round(slice_s * 1e9),
    delivered_ns: options.javascript ? Math.round(slice_s * 0.5e9) : 0,
    gc_every_ms: options.gcEvery,
    inject: inject ?? null,
    journal: options.journal === undefined ? null : { folder: options.journal, fsync: options.journalFsync },
    replica: options.replica ? snapshotLine(lines[0], options.interface) : null,
    lines: lines.map((line) => ({ ...line, ...local, datagramBytes: options.datagramBytes })),
    floorLines: lines.map(({ group, port }) => ({ group, port: port + 2, ...local })),
    wait: options.wait,
    publisherCore,
    subscriberCore,
    // Where there is no third core the other threads of the publisher's process keep off its own at least where that is
    // what is measured.
    publisherHelperCores:
      free.length > 0 ? free : options.gcEvery > 0 ? allCores(cores).filter((one) => one !== publisherCore) : [],
    subscriberHelperCores: free,
    receiveBufferBytes: options.receiveBufferBytes,
    folder,
  };
}

function allCores(count: number): number[] {
  return Array.from({ length: count }, (_, core) => core);
}

/** Beside the lines of feed and floor. */
function snapshotLine(line: { group: string; port: number } | undefined, local: string) {
  const { group = '239.192.28.1', port = 26_451 } = line ?? {};
  return { group, port: port > 65_531 ? port - 4 : port + 4, interface: local };
}

function conditionsOf(plan: JitterPlan, end: MeasuredEnd, load: number): JitterResult['conditions'] {
  const { load: asked } = plan;
  const processors = cpus();
  const granted = end.subscriber.counters.receiveBufferA ?? end.subscriber.counters.receiveBufferB ?? 0n;
  return {
    at: new Date().toISOString(),
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    kernel: release(),
    node: process.version,
    load: Math.round(load * 100) / 100,
    pattern: asked.pattern,
    rate: asked.rate,
    burst: asked.pattern === 'bursts' ? asked.burst : null,
    speed: asked.pattern === 'file' ? asked.speed : null,
    seed: asked.seed,
    source: plan.source === 'simulate' ? 'simulate' : 'itch',
    symbols: plan.symbols,
    live_orders: Number(end.subscriber.counters.liveOrders ?? 0n),
    slice_ms: plan.slice_ns / 1e6,
    pairs: plan.pairs,
    delivered_slice_ms: plan.delivered_ns / 1e6,
    gc_every_ms: plan.gc_every_ms,
    injected: plan.inject === null ? null : `${plan.inject.kind}:${plan.inject.every_ms}:${plan.inject.length_ms}`,
    journal_fsync: plan.journal?.fsync ?? null,
    replica: plan.replica !== null,
    lines: plan.lines.length,
    datagram_bytes: plan.lines[0]?.datagramBytes ?? 0,
    wait: plan.wait,
    publisher_core: plan.publisherCore,
    subscriber_core: plan.subscriberCore,
    receive_buffer_granted: Number(granted),
    missing_messages: Number(end.subscriber.missingMessages),
    kernel_drops: Number((end.subscriber.counters.kernelDropsA ?? 0n) + (end.subscriber.counters.kernelDropsB ?? 0n)),
    digest_mismatches: end.subscriber.digestMismatches,
    books_equal: end.subscriber.counters.digest === end.publisher.digest,
  };
}

function warningsOf(plan: JitterPlan, { subscriber, clockSteps }: MeasuredEnd): string[] {
  const warnings: string[] = [];
  if (clockSteps.length > 0)
    warnings.push(
      `the system's clock was set while ${clockSteps.length} pairs of slices ran: they were thrown away ` +
        `(${clockSteps.map((ns) => `${(ns / 1e6).toFixed(3)} ms`).join(', ')})`,
    );
  if (plan.inject !== null) warnings.push(`faults were made on purpose: ${plan.inject.kind}`);
  if (subscriber.missingMessages > 0n)
    warnings.push(`${subscriber.missingMessages} messages were lost on both lines, and are in no figure`);
  if (subscriber.digestMismatches > 0) warnings.push("the client's books differ from the publisher's");
  if (plan.wait === 'spin' && availableParallelism() < 2)
    warnings.push('one core for two spinning threads: what is measured is the scheduler');
  return warnings;
}
