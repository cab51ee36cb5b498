/** The server of perf/gateway_clients.ts: a simulated feed and its gateway, as `serve` runs them. */
import { Distributor } from 'depthcast';
import { serveTask } from './processes.js';

export interface GatewayTask {
  group: string;
  port: number;
  rate: number;
  symbols: number;
  liveOrders: number;
  workers: number;
  nice: number;
  wait: 'spin' | 'yield' | 'park';
  /** Of the publisher alone. */
  core: number;
}

serveTask<GatewayTask>(async (task, tell, stopped) => {
  const distributor = new Distributor({
    lineA: { group: task.group, port: task.port },
    lineB: null,
    control: null,
    source: 'simulate',
    rate: task.rate,
    simulate: { symbols: task.symbols, liveOrders: task.liveOrders },
    limits: { orders: 2 * task.liveOrders + 65_536, instruments: task.symbols + 24, prefault: true },
    // About two seconds of this feed.
    ring: { bytes: '16MiB' },
    wait: task.wait,
    core: task.core,
    gateway: { port: 0, workers: task.workers, nice: task.nice },
    // All clients come from one address here.
    access: { limits: { perAddress: { connectionsMax: 10_000, requestsPerSecond: 100_000, requestsBurst: 100_000 } } },
  });
  await distributor.start();
  tell({ gateway: Number(new URL(distributor.gateway ?? '').port) });
  await stopped;
  const figures = gatewayFigures(distributor.stats().gateway);
  await distributor.close();
  return figures;
});

function gatewayFigures(stats: object | undefined): Record<string, number> {
  const wanted = /^(slow|sessions|turnMsMax|frames|bytes)/;
  return Object.fromEntries(
    Object.entries(stats ?? {})
      .filter(([name, value]) => wanted.test(name) && ['number', 'bigint'].includes(typeof value))
      .map(([name, value]) => [`gateway_${name}`, Number(value)]),
  );
}
