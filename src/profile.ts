/**
 * Named bundles of settings. A profile fills in what was not said otherwise; what it asks for and this machine does not
 * give is told as a warning. docs/profiles.md says what each costs.
 */
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { mergeOptions } from './config.js';
import { allowedCores, hasSharedMemory, hugePages, lockLimit, shared_memory_folder } from './host.js';

export type Role = 'serve' | 'subscribe';

/** What a profile looks at. */
export interface Host {
  cores: number[];
  hugePages: string;
  lockLimit: string;
  sharedMemory: boolean;
}

export function thisHost(): Host {
  return { cores: allowedCores(), hugePages: hugePages(), lockLimit: lockLimit(), sharedMemory: hasSharedMemory() };
}

type Raw = Record<string, unknown>;

const mebibyte = 2 ** 20;

/** The last core for the publisher, the one before for a subscriber: interrupts and the rest live on the first ones. */
function ownCore(role: Role, { cores }: Host): number {
  return cores.length < 2 ? -1 : (cores.at(role === 'serve' ? -1 : -2) ?? -1);
}

// A file's pages are written to the disk behind our back, and each such page faults at the next write to it.
function ringPath(state: unknown, host: Host): Raw {
  if (typeof state !== 'string' || state === '' || !host.sharedMemory) return {};
  const name = createHash('sha256').update(resolve(state)).digest('hex').slice(0, 16);
  return { ring: { path: join(shared_memory_folder, `depthcast-${name}.ring`) } };
}

function laptop(role: Role): Raw {
  const shared = { wait: 'park', core: -1, lockMemory: false, limits: { prefault: false } };
  return role === 'serve'
    ? { ...shared, ring: { bytes: 16 * mebibyte } }
    : { ...shared, receiveBufferBytes: 8 * mebibyte, busyPollUs: 0 };
}

function lowLatency(role: Role, given: Raw, host: Host): Raw {
  const core = ownCore(role, host);
  const shared = { wait: core < 0 ? 'yield' : 'spin', core, lockMemory: true, limits: { prefault: true } };
  return role === 'serve'
    ? { ...shared, ...ringPath(given.state, host) }
    : { ...shared, receiveBufferBytes: 64 * mebibyte, busyPollUs: 50 };
}

/** `given` with what its profile says of everything that it does not say itself. The schema checks the rest. */
export function applyProfile<Input>(role: Role, given: Input, host: () => Host = thisHost): Input {
  const raw = given as Raw | null | undefined;
  switch (raw?.profile) {
    case 'laptop':
      return mergeOptions(laptop(role), raw) as Input;
    case 'low-latency':
      return mergeOptions(lowLatency(role, raw, host()), raw) as Input;
    default:
      return given;
  }
}

/** Checked options, as far as they concern the machine. */
export interface HostOptions {
  profile?: string | undefined;
  wait: string;
  core: number;
}

/** What was asked for and this machine does not give. */
export function hostWarnings({ profile, wait, core }: HostOptions, host: Host): string[] {
  const warnings: string[] = [];
  const cores = host.cores.join(', ');
  if (core >= 0 && host.cores.length > 0 && !host.cores.includes(core))
    warnings.push(`core ${core} is not among those that this process may use (${cores}): the thread is not pinned`);
  if (profile !== 'low-latency') return warnings;
  if (host.cores.length < 2)
    warnings.push(`low-latency wants a core for its thread alone, but there is only core ${cores}: wait is ${wait}`);
  else if (core < 0) warnings.push('low-latency without a core of its own: whatever runs there delays the thread');
  if (host.hugePages === 'never')
    warnings.push('huge pages are off (/sys/kernel/mm/transparent_hugepage/enabled): the books stand in small pages');
  return warnings;
}

/** `error`: of mlock(), 0 where it worked. */
export function lockWarnings(error: number, host: Host): string[] {
  if (error === 0) return [];
  const limit = host.lockLimit === '' ? '' : `, limit ${host.lockLimit} bytes (ulimit -l, or CAP_IPC_LOCK)`;
  return [`memory is not locked: ${getSystemErrorName(-error)}${limit}; the system may take pages away`];
}

/** `granted`: of the sockets, in bytes as the kernel counts them, twice what it allows. */
export function receiverWarnings(asked: number, granted: readonly number[], pollRefused: boolean): string[] {
  const least = Math.min(...granted.filter((bytes) => bytes > 0)) / 2;
  const warnings: string[] = [];
  if (least < asked)
    warnings.push(`receive buffer: ${least} bytes granted of ${asked} (sysctl net.core.rmem_max, or CAP_NET_ADMIN)`);
  if (pollRefused) warnings.push('busy polling is refused (CAP_NET_ADMIN): packets come by interrupt');
  return warnings;
}
