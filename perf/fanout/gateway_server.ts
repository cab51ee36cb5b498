/** The gateway's server as it ships, on a ring. */
import { join } from 'node:path';
import type { GatewayAccess } from '../../dist/gateway/session_state.js';

type ServerModule = typeof import('../../dist/gateway/server.js');
type NativeModule = typeof import('../../dist/native.js');

const dist = join(process.cwd(), 'dist');

/** Whatever anybody asks for is granted: access is not what is measured. */
export async function openGateway(ringPath: string, clients: number): Promise<{ port: number; close(): void }> {
  const { GatewayServer } = (await import(join(dist, 'gateway', 'server.js'))) as ServerModule;
  const { addon } = (await import(join(dist, 'native.js'))) as NativeModule;
  const native = new addon.Gateway({
    ordersMax: 65_536,
    levelsMax: 65_536,
    instrumentsMax: 1_024,
    depthLevels: 10,
    prefault: false,
    publisher: 0,
    ringPath,
    journalFolder: '',
    checkpointsFolder: '',
    channel: 1,
    windowBytesMax: 2 ** 28,
    printsMax: 65_536,
    snapshotAgeMs: 500,
  });
  const access: GatewayAccess = {
    login: (session) => server.state.loggedIn(session, { grant: { refuse: () => undefined } }),
  };
  const server = new GatewayServer(
    {
      host: '127.0.0.1',
      port: 0,
      shared: false,
      tls: undefined,
      idleSeconds: 60,
      sessionsMax: clients + 16,
      subscriptionsMax: 8,
      levels: 10,
      bufferedBytes: 262_144,
      requestsPerSecond: 1_000,
    },
    access,
    new Map([[1, native]]),
    undefined,
  );
  await server.start();
  return {
    port: server.port,
    close: () => {
      server.close();
      native.close();
    },
  };
}
