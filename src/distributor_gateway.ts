/** The gateway of one distributor: its channel, its directory, its figures, and who may come in. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServeOptions } from './config.js';
import type { DirectoryChannel } from './control/protocol.js';
import type { DistributorStats } from './distributor.js';
import { AccessService, type AccessServiceEvents } from './gateway/access/access_service.js';
import { Gateway } from './gateway/gateway.js';
import { accessParts, distributorParts } from './gateway/http/parts.js';
import type { NativePublisher } from './native.js';
import { nativeLimits } from './native_limits.js';

/** src/ and dist/ stand side by side; the page is always built. */
const page_folder = fileURLToPath(new URL('../dist/page', import.meta.url));

/** Undefined where nobody asks. Throws ConfigError or TokenFileError. */
export function accessOf({ access, gateway }: ServeOptions, events: AccessServiceEvents): AccessService | undefined {
  if (gateway.port === null) return undefined;
  const { host, tls } = gateway;
  return new AccessService(access, { host, tls: tls.keyFile !== '' }, events);
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
