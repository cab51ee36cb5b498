/** What a subscription received, counted as the gateway counts what it sent: docs/gateway.md, "Counted, never silent". */
import { depth_entry_bytes, type FrameReader } from './frame_reader.js';
import type { GatewayCounts } from './protocol.js';

export class StreamCounts {
  sent = 0;
  conflated = 0;
  /** After a change of mode or instruments, or another socket, the gateway's counts are of something else. */
  comparable = true;

  takeDepth(frame: FrameReader): void {
    for (let index = 0; index < frame.entryCount; index++) {
      const messages = frame.view.getUint32(frame.entries + depth_entry_bytes * index + 48, true);
      if (messages === 0) continue;
      this.sent++;
      this.conflated += messages - 1;
    }
  }

  takePrints(frame: FrameReader): void {
    this.sent += frame.printCount;
    this.conflated += frame.others;
  }

  /** What is wrong with the gateway's counts; undefined: nothing. */
  fault(counts: GatewayCounts): string | undefined {
    const { published, sent, conflated, refused, pending } = counts;
    if (sent + conflated + refused + pending !== published)
      return `${sent} sent + ${conflated} conflated + ${refused} refused + ${pending} pending are not ${published} published`;
    if (!this.comparable) return undefined;
    if (sent !== this.sent || conflated !== this.conflated)
      return `${sent} sent and ${conflated} conflated, but ${this.sent} and ${this.conflated} came`;
    return undefined;
  }
}
