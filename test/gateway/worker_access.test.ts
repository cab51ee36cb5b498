import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { all_entitlements, type Entitlements } from '../../src/gateway/access/entitlements.js';
import type { MainLink } from '../../src/gateway/main_link.js';
import type { GatewaySession, RenewVerdict } from '../../src/gateway/session.js';
import type { GatewayState } from '../../src/gateway/session_state.js';
import { WorkerAccess } from '../../src/gateway/worker_access.js';

const origin = { hosts: [], bindHost: '127.0.0.1', origins: [], tls: false };

test('renewing a login grants anew only what has changed', async (t) => {
  const limited: Entitlements = { ...all_entitlements, messagesPerSecondMax: 100 };
  let entitlements = limited;
  const main = { ask: async () => ({ entitlements: structuredClone(entitlements) }), tell: () => {} };
  const told: string[] = [];
  const state = {
    loggedIn: () => told.push('loggedIn'),
    renewed: (_session: GatewaySession, verdict: RenewVerdict) => {
      told.push('renewed');
      if ('grant' in verdict && verdict.grant !== undefined) told.push('regrant');
    },
    regrant: () => told.push('regrant'),
  };
  const access = new WorkerAccess(main as unknown as MainLink, () => state as unknown as GatewayState, origin);
  const session = { connection: 1 } as GatewaySession;
  access.login(session, 'token', 5);
  await turn();
  // Else every renewal would give a full allowance of messages.
  access.renew(session, 'token');
  await turn();
  t.same(told, ['loggedIn', 'renewed']);
  entitlements = { ...limited, messagesPerSecondMax: 50 };
  access.renew(session, 'token');
  await turn();
  t.same(told, ['loggedIn', 'renewed', 'renewed', 'regrant']);
  access.obey([{ connection: 1, act: 'change', entitlements: limited }]);
  access.renew(session, 'token');
  await turn();
  t.equal(told.filter((what) => what === 'regrant').length, 3, 'it is the last grant that counts');
});
