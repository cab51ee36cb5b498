/** Options of `depthcast serve`: the library's, and the command's own. Loads no addon, so that --help always works. */
import { z } from 'zod';
import { serveOptions } from '../config.js';
import { wholeNumber } from '../config_values.js';
import { gateway_port_default, gatewayOptions } from '../gateway/options.js';
import type { FlagRules } from './options.js';

/** The library opens no port by itself; the command does, so that there is a page to look at. */
export const gatewayCommandOptions = gatewayOptions.safeExtend({
  port: gatewayOptions.shape.port
    .removeDefault()
    .default(gateway_port_default)
    .describe(gatewayOptions.shape.port.description ?? ''),
});

export const serveCommandOptions = serveOptions.safeExtend({
  gateway: gatewayCommandOptions.prefault({}),
  lines: z.enum(['A', 'B', 'AB']).optional().describe('lines to send on'),
  statusMs: wholeNumber(0, 86_400_000).default(1_000).describe('ms between two status lines on stderr; 0: none'),
});

export const serve_rules: FlagRules = {
  own: {
    title: 'Source:',
    keys: [
      'source',
      'speed',
      'rate',
      'date',
      'unpackBytesMax',
      'carryOver',
      'exitAtEnd',
      'waitSubscribers',
      'waitTimeoutMs',
      'statusMs',
    ],
  },
  defaults: { lines: 'AB', session: '0', 'ring.path': 'private memory' },
};

export const serve_examples = `
Examples:
  depthcast serve --source simulate --speed realtime
      a simulated exchange, about 20,000 messages a second, until Ctrl-C
  depthcast serve --source itch:day.itch50.gz --wait-subscribers 1 --exit-at-end
      a file at full speed, once a subscriber has joined
  depthcast serve --source itch:day.itch50 --speed 10x --date 2019-12-30 --interface eth0 --ttl 1
      ten times faster than the day was, for other machines on eth0's network
  depthcast serve --config serve.json --channel 7
      options from a file such as {"source": "simulate", "lineA": {"port": 30001}, "limits": {"orders": 5000000}}

Exit code: 0 at the end of the source (--exit-at-end) or after SIGINT, SIGTERM, SIGHUP, with the end of session sent;
1 where it fails, a broken source included; 2 for wrong options.`;
