/** What each side of a measurement does for one slice after the other; one in each process. */

export interface SliceTask {
  /** Number of the slice in its session; tells its messages from late ones of another. */
  slice: number;
  /** Messages a second, open loop. */
  rate: number;
  /** Messages in all. */
  count: number;
  /** CLOCK_REALTIME ms at which the first is due; depthcast's own publisher decides that by itself. */
  startMs: number;
}

export interface PublishedSlice {
  /** Messages handed over; less than `count` where it fell so far behind that it gave up. */
  sent: number;
  /** Of this process, during the slice, ms. */
  cpu_ms: number;
  /** By how much the last message was handed over too late, ns, where the subscribers' latency does not hold that. */
  behind_ns?: number;
  /** Median length of a call that hands a batch to the kernel, µs, where that is known. */
  send_call_us?: number;
}

export interface ReceivedSlice {
  received: number;
  /** Messages that never came, or came out of order. */
  lost: number;
  /** Of the last message, due → received, ns. */
  last_ns: number;
  /** LogHistogram.counts of due → received, ns. */
  counts: number[];
  /** Of this process, during the slice, ms. */
  cpu_ms: number;
}

/** Threads: one. One call at a time, save `close`. */
export interface PublisherSide {
  readonly address: string;
  publish(task: SliceTask): Promise<PublishedSlice>;
  close(): Promise<void> | void;
}

export interface SubscriberSide {
  /** Before the slice is published. */
  begin(task: SliceTask): void | Promise<void>;
  /** Messages of the slice so far. */
  received(): number;
  end(): ReceivedSlice | Promise<ReceivedSlice>;
  close(): Promise<void> | void;
}
