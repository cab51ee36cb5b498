/** Who is measured, and how each is set. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BrokerName, brokerVersion } from './brokers.js';
import { type InstalledPeer, packageVersion } from './install.js';
import type { Encoding } from './peer_publisher.js';
import { nats } from './transports/nats.js';
import { redis } from './transports/redis.js';
import type { Transport } from './transports/transport.js';
import { uws } from './transports/uws.js';
import { ws } from './transports/ws.js';
import { zeromq } from './transports/zeromq.js';

interface Common {
  title: string;
  /** What is carried, and how the subscriber takes it. */
  carries: string;
  version: () => string;
}

export interface PeerSystem extends Common {
  transport: Transport;
  encoding: Encoding;
  installed?: InstalledPeer;
  broker?: BrokerName;
  /**
   * The publisher gives its core away between turns of its event loop: better where a broker or threads of the peer's own
   * need one. Each peer has what was better for it.
   */
  sleeps: boolean;
}
export interface FeedSystem extends Common {
  /** Updates are delivered to JavaScript. */
  delivers: boolean;
}
export type System = PeerSystem | FeedSystem;

const own = () => version(process.cwd());
const tree = (name: string) => version(join(process.cwd(), 'node_modules', name));
function version(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
}

const message = '40 bytes each';
const packet = 'datagrams of up to 29';
const each = { encoding: 'message', carries: message } as const;
const packed = { encoding: 'packet', carries: packet } as const;

const peers = {
  zeromq: {
    title: 'ZeroMQ PUB/SUB, TCP',
    transport: zeromq,
    installed: 'zeromq',
    sleeps: true,
    version: () => `zeromq.js ${packageVersion('zeromq', 'zeromq')}, libzmq 4.3.5`,
  },
  nats: {
    title: 'NATS',
    transport: nats,
    installed: 'nats',
    broker: 'nats',
    sleeps: true,
    version: () =>
      `nats-server ${brokerVersion('nats')}, @nats-io/transport-node ${packageVersion('nats', '@nats-io/transport-node')}`,
  },
  redis: {
    title: 'Redis pub/sub',
    transport: redis,
    installed: 'redis',
    broker: 'redis',
    sleeps: true,
    version: () => `redis-server ${brokerVersion('redis')}, ioredis ${packageVersion('redis', 'ioredis')}`,
  },
  uws: {
    title: 'uWebSockets.js publish',
    transport: uws,
    sleeps: false,
    version: () => `uWebSockets.js of uws-pack ${tree('uWebSockets.js')}; subscriber ws ${tree('ws')}`,
  },
  ws: {
    title: 'ws',
    transport: ws,
    sleeps: false,
    version: () => `ws ${tree('ws')}`,
  },
} as const satisfies Record<string, Omit<PeerSystem, 'encoding' | 'carries'>>;

export const systems: Readonly<Record<string, System>> = {
  depthcast: { title: 'depthcast', carries: 'its packets, books kept, to JavaScript', delivers: true, version: own },
  'depthcast-book': { title: 'depthcast', carries: 'its packets, books kept, native', delivers: false, version: own },
  zeromq: { ...peers.zeromq, ...each },
  'zeromq-packets': { ...peers.zeromq, ...packed },
  nats: { ...peers.nats, ...each },
  'nats-packets': { ...peers.nats, ...packed },
  redis: { ...peers.redis, ...each },
  'redis-packets': { ...peers.redis, ...packed },
  uws: { ...peers.uws, ...each },
  'uws-packets': { ...peers.uws, ...packed },
  'ws-json': { ...peers.ws, encoding: 'json', carries: 'JSON each' },
  'ws-json-packets': { ...peers.ws, encoding: 'json_packet', carries: 'JSON arrays of up to 29' },
};

export function systemOf(name: string): System {
  const system = systems[name];
  if (system === undefined) throw new Error(`expected ${Object.keys(systems).join(', ')}, not "${name}"`);
  return system;
}

export function isPeer(system: System): system is PeerSystem {
  return 'transport' in system;
}
