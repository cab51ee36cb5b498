/** Options of `depthcast start`. Loads no addon. */
import { z } from 'zod';
import { serveOptions, simulateOptions } from '../config.js';
import type { FlagRules } from './options.js';
import { gatewayCommandOptions } from './serve_options.js';
import { subscribeCommandOptions } from './subscribe_options.js';

const serve = serveOptions.shape;
const subscribe = subscribeCommandOptions.shape;
const symbols_default = 50;

export const startCommandOptions = z.strictObject({
  channel: serve.channel,
  interface: serve.interface,
  control: serve.control
    .unwrap()
    .unwrap()
    .default('http://127.0.0.1:26400')
    .describe('base URL of the control service; its port is not 0'),
  lineA: serve.lineA,
  lineB: serve.lineB,
  lines: subscribe.lines.describe('lines to send on and to follow'),
  source: z
    .enum(['simulate', 'engine'])
    .default('simulate')
    .describe('simulate, or engine: the example matching engine, a process of its own that pushes at --rate'),
  speed: serve.speed
    .removeDefault()
    .default('realtime')
    .describe(serve.speed.description ?? ''),
  rate: serve.rate,
  simulate: simulateOptions
    .safeExtend({ symbols: simulateOptions.shape.symbols.removeDefault().default(symbols_default).describe('symbols') })
    .prefault({}),
  gateway: gatewayCommandOptions.pick({ host: true, port: true }).prefault({}),
  wait: serve.wait,
  symbol: subscribe.symbol.describe('symbol whose book is shown; the first that has orders unless given'),
  levels: subscribe.levels,
  intervalMs: subscribe.intervalMs,
});

export const start_rules: FlagRules = {
  own: { title: 'View:', keys: ['symbol', 'levels', 'intervalMs'] },
  defaults: { symbol: '', lines: 'AB', intervalMs: '100 on a terminal, else 1000' },
};

export const start_examples = `
A simulated exchange drives a distributor; a client in a process of its own follows line A and line B on this machine and
shows a live depth ladder, or, without a terminal, prints one status line a second. Ctrl-C ends all of it.

Examples:
  depthcast start
  depthcast start --source engine --rate 50000
      the example matching engine feeds it over a Unix socket
  depthcast start --symbol DOBW --simulate-message-interval-ns 10000
      another book, at 100,000 messages a second

Exit code: 0 after Ctrl-C, SIGTERM, SIGHUP or a finite simulation; 1 where one of the processes fails; 2 for wrong options.`;
