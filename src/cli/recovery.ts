/** `depthcast recovery`: the recovery service of a channel whose distributor is another process. */
import { join } from 'node:path';
import type { z } from 'zod';
import { ControlServer } from '../control/server.js';
import { asksForLogin } from '../distributor_gateway.js';
import { AccessService } from '../gateway/access/access_service.js';
import { nativeLimits } from '../native_limits.js';
import { ChannelRecovery } from '../recovery/channel_recovery.js';
import { recovery_path } from '../recovery/protocol.js';
import type { CommandEnd } from './command.js';
import { say } from './failure.js';
import { readOptions } from './options.js';
import { recovery_rules, recoveryCommandOptions } from './recovery_options.js';
import { listenForStop } from './stopping.js';

type Options = z.output<typeof recoveryCommandOptions>;

function statusLine(recovery: ChannelRecovery): string {
  const state = recovery.state();
  if (state === undefined || state.session === 0n) return 'waiting for the distributor';
  const { native, service, udp } = recovery.stats();
  const parts = [
    `session ${state.session} ${state.oldest}…${state.next - 1n}${state.ended ? ' ended' : ''}`,
    `replica at ${native.sequence ?? 0n}, lag ${native.lagMessages ?? 0n}`,
    `${service?.clients ?? 0} clients`,
    `${service?.retransmittedDatagrams ?? 0} datagrams`,
    `${service?.snapshots ?? 0} snapshots`,
  ];
  if (udp !== undefined) parts.push(`${udp.answered} by UDP`);
  const refused = Object.entries(service?.refused ?? {}).filter(([, count]) => count > 0);
  if (refused.length > 0) parts.push(`refused: ${refused.map(([code, count]) => `${code} ${count}`).join(', ')}`);
  if ((native.mismatched ?? 0n) > 0n) parts.push(`DIGESTS DIFFERED ${native.mismatched} times`);
  return parts.join(', ');
}

/** As open as the multicast groups where nobody can log in. Throws ConfigError or TokenFileError. */
function guard(options: Options, ways: ChannelRecovery): AccessService | undefined {
  if (!asksForLogin(options)) return undefined;
  const { access, channel, control } = options;
  // The control service speaks no TLS.
  const place = { host: new URL(control).hostname, tls: false };
  const service = new AccessService(access, place, { actions: (actions) => ways.act(actions), notice: say });
  service.start();
  ways.setGuard({ control: service.control, channel, nameOf: (instrument) => ways.symbolOf(instrument) });
  return service;
}

function make(options: Options): ChannelRecovery {
  const { access: _, limits, ...rest } = options;
  return new ChannelRecovery({ ...rest, limits: nativeLimits(limits) }, true);
}

/** Rejects with ConfigError or UsageError for wrong options, with another Error where it cannot start. */
export async function recovery(given: Record<string, unknown>): Promise<CommandEnd> {
  const options = readOptions(recoveryCommandOptions, given, recovery_rules);
  const stopping = listenForStop();
  const ways = make(options);
  const channels = () => {
    const session = String(ways.state()?.session ?? 0n);
    return [{ channel: options.channel, session, lineA: null, lineB: null, instruments: 0, ...ways.directory }];
  };
  const server = new ControlServer(options.control, channels, ways.addRoutes);
  let timer: NodeJS.Timeout | undefined;
  let access: AccessService | undefined;
  try {
    access = guard(options, ways);
    await server.start();
    await ways.open({ ringPath: options.ringPath || join(options.state, 'ring') });
    say(`recovery of channel ${options.channel} at ${server.url}${recovery_path}, state folder ${options.state}`);
    if (options.statusMs > 0) timer = setInterval(() => say(statusLine(ways)), options.statusMs);
    await stopping.requested;
    say(`ended: ${statusLine(ways)}`);
    return { exitCode: 0, reason: 'signal', detail: stopping.reason ?? '' };
  } finally {
    clearInterval(timer);
    ways.close();
    server.close();
    await access?.close();
  }
}
