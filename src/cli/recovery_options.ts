/** Options of `depthcast recovery`. Loads no addon, so that --help always works. */
import { z } from 'zod';
import { checkAccess, limitsOptions } from '../config.js';
import { recoveryServiceOptions, snapshotOptions } from '../config_recovery.js';
import { byteCount, interfaceAddress, serviceUrl, text, wholeNumber } from '../config_values.js';
import { accessOptions } from '../gateway/access/options.js';
import type { FlagRules } from './options.js';

export const recoveryCommandOptions = z
  .strictObject({
    state: text('a folder', (given) => given !== '').describe("state folder of the distributor: `serve`'s --state"),
    ringPath: text('a path, or nothing')
      .default('')
      .describe('file of its broadcast ring; empty: the one in the state folder'),
    control: serviceUrl()
      .default('http://127.0.0.1:26410')
      .describe('base URL under which clients reach this service; port 0: a free one'),
    channel: wholeNumber(0, 0xffff_ffff).default(1).describe('number of the channel'),
    interface: interfaceAddress()
      .default('127.0.0.1')
      .describe('local interface of the snapshot group and of re-requests: IPv4 address or name'),
    ttl: wholeNumber(0, 255).default(0).describe('hops of multicast packets; 0: they stay on this machine'),
    loop: z.boolean().default(true).describe('receivers on this machine get the packets too'),
    segmentation: z.boolean().default(true).describe('hand several datagrams to the kernel at once (UDP_SEGMENT)'),
    datagramBytes: byteCount(512, 8_952, (bytes) => bytes % 8 === 0, ', a multiple of 8')
      .default(1_400)
      .describe("largest UDP payload of a snapshot's datagrams in bytes"),
    checkpointMs: wholeNumber(0, 86_400_000)
      .default(0)
      .describe('ms between two checkpoints of the books; 0: the distributor writes them'),
    checkpointsKept: wholeNumber(1, 1_000).default(3).describe('checkpoints kept'),
    limits: limitsOptions.prefault({}).describe("what the books can hold: as the distributor's"),
    snapshot: snapshotOptions.prefault({}).describe('snapshots'),
    recovery: recoveryServiceOptions.prefault({}).describe('the recovery service'),
    access: accessOptions.prefault({}).describe("who may have what: as the distributor's"),
    statusMs: wholeNumber(0, 86_400_000).default(1_000).describe('ms between two status lines on stderr; 0: none'),
  })
  .superRefine(checkAccess);

export const recovery_rules: FlagRules = {
  omit: ['recovery.enabled'],
  own: { title: 'Channel:', keys: ['state', 'ringPath', 'control', 'channel', 'statusMs'] },
};

export const recovery_examples = `
The recovery service as a process of its own, beside \`depthcast serve --state DIR --no-recovery-enabled\`: it reads the
distributor's ring and journal, and outlives it. It may be stopped and started at any time.

Examples:
  depthcast recovery --state /var/lib/depthcast/1
      retransmission and snapshots at ws://127.0.0.1:26410/recovery
  depthcast recovery --state DIR --recovery-udp-port 26404 --snapshot-line-port 26403
      re-requests by UDP as well, and the snapshot loop
  depthcast recovery --state DIR --access-tokens tokens.json --access-audit audit.log
      the tokens, entitlements and limits of the distributor's gateway; changes of the file act at once

Exit code: 0 after SIGINT, SIGTERM, SIGHUP; 1 where it fails; 2 for wrong options.`;
