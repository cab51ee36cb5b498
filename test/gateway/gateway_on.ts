/** A distributor and the gateway's server in this thread, for the tests of both ends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServeOptionsInput } from '../../src/config.js';
import { Distributor } from '../../src/distributor.js';
import { GatewayServer } from '../../src/gateway/server.js';
import type {
  GatewayAccess,
  GatewaySession,
  GatewayStateOptions,
  Grant,
  LoginVerdict,
} from '../../src/gateway/session_state.js';
import type { Tls } from '../../src/gateway/tls_files.js';
import { addon } from '../../src/native.js';
import { nativeLimits } from '../../src/native_limits.js';
import type { TemplatedApp } from '../../src/uws.js';
import { limits, until } from '../channel.js';
import type { Test } from '../data.js';
import { linePair } from '../faults/lines.js';

export const everything: Grant = { refuse: () => undefined };

/**
 * Ends a source without an end when so many more messages have come: however long it took until somebody listened, there
 * is as much to hear.
 */
export async function endAfter(distributor: Distributor, messages: number): Promise<void> {
  const end = distributor.stats().sequence + BigInt(messages);
  await until(`${messages} more messages`, () => distributor.stats().sequence >= end);
  await distributor.stop();
}

/** On the lines of `number`; ends with the test. */
export async function gatewayOn(
  t: Test,
  number: number,
  given: ServeOptionsInput,
  more: Partial<
    GatewayStateOptions & {
      grant: Grant;
      idleSeconds: number;
      port: number;
      tls: Tls;
      verdict: (token?: string) => LoginVerdict;
    }
  > = {},
  addRoutes?: (app: TemplatedApp) => void,
) {
  // Not t.testdir(): a second gateway of the same test would empty the folder of the first.
  const folder = mkdtempSync(join(tmpdir(), 'depthcast-gateway-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const ringPath = join(folder, 'ring');
  const { A: lineA, B: lineB } = linePair(number);
  const distributor = new Distributor({
    lineA,
    lineB,
    control: null,
    limits,
    simulate: { symbols: 8, liveOrders: 500 },
    ...given,
    ring: { ...given.ring, path: ringPath },
  });
  t.teardown(() => distributor.close());
  await distributor.start();
  const { channel, limits: bounds } = distributor.options;
  const native = new addon.Gateway({
    ...nativeLimits(bounds),
    publisher: 0,
    ringPath,
    journalFolder: '',
    checkpointsFolder: '',
    channel,
    windowBytesMax: 2 ** 26,
    printsMax: 65_536,
    snapshotAgeMs: 100,
  });
  /** All that have come, in their order. */
  const sessions: GatewaySession[] = [];
  const access: GatewayAccess = {
    login: (session, token) => {
      sessions.push(session);
      server.state.loggedIn(session, more.verdict?.(token) ?? { grant: more.grant ?? everything });
    },
  };
  const server = new GatewayServer(
    {
      host: '127.0.0.1',
      port: 0,
      shared: false,
      tls: undefined,
      idleSeconds: 60,
      sessionsMax: 100,
      subscriptionsMax: 8,
      levels: bounds.depthLevels,
      bufferedBytes: 262_144,
      requestsPerSecond: 1_000,
      ...more,
    },
    access,
    new Map([[channel, native]]),
    undefined,
    addRoutes,
  );
  t.teardown(() => {
    server.close();
    native.close();
  });
  await server.start();
  return { distributor, native, ringPath, server, sessions };
}
