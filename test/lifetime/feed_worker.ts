/** A worker thread with a publisher and a subscriber of its own. It closes nothing by itself unless told to. */
import { parentPort, workerData } from 'node:worker_threads';
import { applied, openFeed, simulateEndlessly, until } from './native_feed.js';

export interface WorkerPlan {
  /** Of its lines. */
  number: number;
  /** Messages a second; 0: full speed. */
  rate: number;
  /** What it does once the feed runs: nothing, until somebody terminates it; leave with process.exit(); close, and so end. */
  finish: 'wait' | 'exit' | 'close';
}

const plan = workerData as WorkerPlan;
const { publisher, subscriber, updates } = openFeed(plan.number);
simulateEndlessly(publisher, plan.rate);
subscriber.start();
publisher.start();
publisher.release();
await until('updates', () => updates() > 1_000 && applied(subscriber) > 1_000n);
parentPort?.postMessage('running');
if (plan.finish === 'exit') setTimeout(() => process.exit(7), 20);
if (plan.finish === 'close') {
  publisher.close();
  subscriber.close();
}
