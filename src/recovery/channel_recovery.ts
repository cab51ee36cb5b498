/** All the ways back that one channel offers: replica, recovery service, re-requests by UDP. */
import { join } from 'node:path';
import type { RecoveryServiceOptions, SnapshotOptions } from '../config_recovery.js';
import type { SessionAction } from '../gateway/access/access_control.js';
import { addon, type NativeLimits, type NativePublisher, type NativeRecovery } from '../native.js';
import { CounterReader } from '../rates.js';
import type { RecoveryGuard } from './guard.js';
import { recovery_path } from './protocol.js';
import { RerequestServer } from './rerequest_server.js';
import type { RerequestCounters } from './rerequest_state.js';
import { RecoveryService } from './service.js';
import type { RecoveryCounters } from './service_state.js';

export interface ChannelRecoveryOptions {
  channel: number;
  /** IPv4 address of the interface: of the snapshot group, and where re-requests are received. */
  interface: string;
  ttl: number;
  loop: boolean;
  segmentation: boolean;
  /** Of a snapshot's datagrams. */
  datagramBytes: number;
  limits: NativeLimits;
  /** State folder; empty: nothing is kept. */
  state: string;
  checkpointMs: number;
  checkpointsKept: number;
  snapshot: SnapshotOptions;
  recovery: RecoveryServiceOptions;
}

/** Where the ring is: with a publisher of this thread, or in a file. */
export type RingSource = { publisher: NativePublisher } | { ringPath: string };

/** Figures since start; undefined where there is no such part. */
export interface RecoveryStats {
  /** Replica and archive, by name. */
  native: Record<string, bigint>;
  service: (RecoveryCounters & { turnMsMax: number }) | undefined;
  udp: (RerequestCounters & { failed: number }) | undefined;
}

/** Threads: one. */
export class ChannelRecovery {
  readonly #options: ChannelRecoveryOptions;
  readonly #service: RecoveryService | undefined;
  #native: NativeRecovery | undefined;
  #counters: CounterReader | undefined;
  #udp: RerequestServer | undefined;
  #closed = false;

  /** `served`: there is a control service on which `addRoutes` is put. */
  constructor(options: ChannelRecoveryOptions, served: boolean) {
    this.#options = options;
    this.#service = served && options.recovery.enabled ? new RecoveryService() : undefined;
  }

  /** Before the control service listens: who asks must be let in. */
  setGuard(guard: RecoveryGuard): void {
    if (this.#service !== undefined) this.#service.guard = guard;
  }

  /** Of an instrument as the replica knows it; undefined: it is not defined, or there is no replica. */
  symbolOf(instrument: number): string | undefined {
    return this.#closed ? undefined : this.#native?.symbol(instrument);
  }

  /** Logins of the guard's that have ended. */
  act(actions: readonly SessionAction[]): void {
    this.#service?.act(actions);
  }

  /** For ControlServer; before it listens. */
  get addRoutes(): RecoveryService['addRoutes'] | undefined {
    return this.#service?.addRoutes;
  }

  /** What GET /channels says of it. */
  get directory(): {
    recovery: string | null;
    recoveryUdpPort: number | null;
    snapshotLine: { group: string; port: number } | null;
  } {
    const { snapshot } = this.#options;
    return {
      recovery: this.#service === undefined ? null : recovery_path,
      recoveryUdpPort: this.#udp?.port ?? null,
      snapshotLine: snapshot.enabled ? snapshot.line : null,
    };
  }

  /** Rejects where the snapshot group or the UDP port cannot be had; then close() it. */
  async open(ring: RingSource): Promise<void> {
    const options = this.#options;
    const { recovery, snapshot, state } = options;
    const keepsCheckpoints = state !== '' && options.checkpointMs > 0;
    const replica = snapshot.enabled && (this.#service !== undefined || snapshot.line !== null || keepsCheckpoints);
    const udp = recovery.enabled && recovery.udpPort > 0;
    if (this.#closed || !(replica || udp || this.#service !== undefined)) return;
    const native = new addon.Recovery(
      {
        publisher: 'publisher' in ring ? ring.publisher : null,
        ringPath: 'ringPath' in ring ? ring.ringPath : '',
        journalFolder: state === '' ? '' : join(state, 'journal'),
        checkpointsFolder: state === '' ? '' : join(state, 'checkpoints'),
        replica: replica ? replicaOptions(options) : null,
      },
      (ticket, given, waitMs) => this.#service?.onSnapshot(ticket, given, waitMs),
    );
    this.#native = native;
    this.#counters = new CounterReader(addon.recoveryCounterNames, (out) => native.counters(out));
    this.#service?.open(
      {
        channel: options.channel,
        bytesPerSecond: recovery.bytesPerSecond,
        burstBytes: recovery.burstBytes,
        totalBytesPerSecond: recovery.totalBytesPerSecond,
        snapshotBytesPerSecond: snapshot.totalBytesPerSecond,
        snapshots: replica,
        clientsMax: recovery.clientsMax,
        token: recovery.token,
      },
      native,
    );
    if (udp) await this.#openUdp(native);
  }

  stats(): RecoveryStats {
    return { native: this.#counters?.read() ?? {}, service: this.#service?.counters, udp: this.#udp?.counters };
  }

  /** What is there to be had; undefined before open() and after close(). */
  state(): ReturnType<NativeRecovery['state']> | undefined {
    return this.#closed ? undefined : this.#native?.state();
  }

  /** Before the control service and the publisher. Any number of times. */
  close(): void {
    if (this.#closed) return;
    this.#counters?.read();
    this.#closed = true;
    this.#service?.close();
    this.#udp?.close();
    this.#native?.close();
  }

  async #openUdp(native: NativeRecovery): Promise<void> {
    const { channel, recovery } = this.#options;
    this.#udp = new RerequestServer(
      {
        channel,
        requestsPerSecond: recovery.udpRequestsPerSecond,
        totalBytesPerSecond: recovery.totalBytesPerSecond,
      },
      native,
    );
    await this.#udp.start(recovery.udpPort, this.#options.interface);
    if (this.#closed) this.#udp.close();
  }
}

function replicaOptions(options: ChannelRecoveryOptions) {
  const { snapshot, channel, datagramBytes, ttl, loop, segmentation, checkpointMs, checkpointsKept } = options;
  return {
    ...options.limits,
    channel,
    datagramBytes,
    ageMs: snapshot.ageMs,
    checkpointMs,
    checkpointsKept,
    // It has no hurry: it sleeps while there is nothing to follow, however the publisher waits.
    wait: 'park' as const,
    core: snapshot.core,
    line:
      snapshot.line === null
        ? null
        : { ...snapshot.line, interface: options.interface, bytesPerSecond: snapshot.bytesPerSecond },
    ttl,
    loop,
    segmentation,
  };
}
