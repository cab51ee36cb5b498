/** The gateway of one distributor: its channel, its directory, its figures, and who may come in. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError, type ServeOptions } from './config.js';
import type { DirectoryChannel } from './control/protocol.js';
import type { DistributorStats } from './distributor.js';
import { AccessService, type AccessServiceEvents } from './gateway/access/access_service.js';
import { listeningFault } from './gateway/access/listening.js';
import { Gateway } from './gateway/gateway.js';
import { accessParts, distributorParts } from './gateway/http/parts.js';
import type { NativePublisher } from './native.js';
import { nativeLimits } from './native_limits.js';

/** src/ and dist/ stand side by side; the page is always built. */
const page_folder = fileURLToPath(new URL('../dist/page', import.meta.url));

/** Clients must log in, at the recovery service too. */
export function asksForLogin({ access }: Pick<ServeOptions, 'access'>): boolean {
  return access.tokens !== '' || access.jwt !== null;
}

/** One for gateway and recovery service; undefined where neither asks. Throws ConfigError or TokenFileError. */
export function accessOf(options: ServeOptions, events: AccessServiceEvents): AccessService | undefined {
  const { access, control, gateway } = options;
  const guarded = control !== null && asksForLogin(options) ? new URL(control).hostname : undefined;
  if (gateway.port === null && guarded === undefined) return undefined;
  // The control service speaks no TLS: tokens would travel in the clear.
  const fault =
    guarded === undefined
      ? undefined
      : listeningFault({ host: guarded, tls: false, auth: true, insecure: access.insecure });
  if (fault !== undefined) throw new ConfigError(`control: ${fault}`);
  const place =
    gateway.port === null ? { host: '127.0.0.1', tls: false } : { host: gateway.host, tls: gateway.tls.keyFile !== '' };
  const hosts = guarded === undefined ? access.hosts : [...access.hosts, guarded];
  return new AccessService({ ...access, hosts }, place, events);
}

export interface GatewaySources {
  publisher: NativePublisher;
  access: AccessService;
  directory: () => DirectoryChannel[];
  stats: () => DistributorStats;
}

export function gatewayOf(
  { channel, gateway, limits, state }: ServeOptions,
  { publisher, access, directory, stats }: GatewaySources,
): Gateway {
  return new Gateway(gateway, {
    channels: [
      {
        ...nativeLimits(limits),
        publisher: publisher.handle(),
        ringPath: '',
        journalFolder: state === '' ? '' : join(state, 'journal'),
        checkpointsFolder: state === '' ? '' : join(state, 'checkpoints'),
        channel,
      },
    ],
    directory,
    access: access.control,
    metrics: () => ({ ...distributorParts(stats()), ...accessParts(access.counters) }),
    pageFolder: page_folder,
  });
}
