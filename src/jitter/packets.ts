/** A slice's packets with the batch that each came from. Pure. */

const batch_words = 6;
const packet_words = 7;

/** ns from the slice's start. */
export interface TracedPacket {
  /** Of the oldest message. */
  due_ns: number;
  ingest_ns: number;
  sequenced_ns: number;
  before_send_ns: number;
  after_send_ns: number;
  /** `received_ns` where the kernel did not say. */
  kernel_ns: number;
  received_ns: number;
  applied_ns: number;
  messages: number;
  /** 0: line A. */
  line: number;
  sequence: number;
}

/**
 * Calls `each` for every packet, in order of sequence. Both arrays are the addon's (NativeJitterSent.batches,
 * NativeJitterReceived.packets). The object is reused. Packets of batches that were not recorded are left out.
 */
export function eachPacket(batches: Float64Array, packets: Float64Array, each: (packet: TracedPacket) => void): void {
  const traced = {} as TracedPacket;
  let batch = 0;
  for (let at = 0; at + packet_words <= packets.length; at += packet_words) {
    const word = (index: number) => packets[at + index] ?? 0;
    const sequence = word(4);
    while (batch + batch_words <= batches.length && (batches[batch + 4] ?? 0) < sequence) batch += batch_words;
    if (batch + batch_words > batches.length) return;
    traced.ingest_ns = batches[batch] ?? 0;
    traced.sequenced_ns = batches[batch + 1] ?? 0;
    traced.before_send_ns = batches[batch + 2] ?? 0;
    traced.after_send_ns = batches[batch + 3] ?? 0;
    traced.received_ns = word(1);
    traced.kernel_ns = word(0) < 0 ? traced.received_ns : word(0);
    traced.applied_ns = word(2);
    traced.due_ns = word(3);
    traced.sequence = sequence;
    traced.messages = word(5);
    traced.line = word(6);
    each(traced);
  }
}
