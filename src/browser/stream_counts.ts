/** What a subscription received, counted as the gateway counts what it sent: docs/gateway.md, "Counted, never silent". */
import { depth_entry_bytes, type FrameReader } from './frame_reader.js';
import type { GatewayCounts } from './protocol.js';

export class StreamCounts {
  sent = 0;
  conflated = 0;
  refused = 0;
  /** Not after a session has ended: how much of it was not sent is told by the gateway alone. */
  comparable = true;

  takeDepth(frame: FrameReader): void {
    for (let index = 0; index < frame.entryCount; index++) {
      const messages = frame.view.getUint32(frame.entries + depth_entry_bytes * index + 48, true);
      if (messages === 0) continue;
      this.sent++;
      this.conflated += messages - 1;
    }
  }

  /** What begins anew covers what had not been sent before: the instrument's own number, before it, tells how much. */
  takeJump(frame: FrameReader, at: number, before: number): void {
    const jump = frame.view.getUint32(at + 44, true) - before - frame.view.getUint32(at + 48, true);
    this.conflated += Math.max(0, jump | 0);
  }

  takePrints(frame: FrameReader): void {
    this.sent += frame.printCount;
    this.conflated += frame.others;
    this.refused += frame.refused;
  }

  /** What begins anew covers what was not sent before: how much, the gateway says. Returns what is wrong with it. */
  begin(counts: Pick<GatewayCounts, 'sent' | 'conflated' | 'refused'>): string | undefined {
    const { sent, conflated, refused } = counts;
    const fault =
      this.comparable && (sent !== this.sent || conflated < this.conflated || refused < this.refused)
        ? `${sent} sent, ${conflated} conflated and ${refused} refused, but ${this.sent}, ${this.conflated} and ${this.refused} came`
        : undefined;
    Object.assign(this, { sent, conflated, refused, comparable: true });
    return fault;
  }

  /** What is wrong with the gateway's counts; undefined: nothing. */
  fault(counts: GatewayCounts): string | undefined {
    const { published, sent, conflated, refused, pending } = counts;
    if (sent + conflated + refused + pending !== published)
      return `${sent} sent + ${conflated} conflated + ${refused} refused + ${pending} pending are not ${published} published`;
    if (!this.comparable) return undefined;
    if (sent !== this.sent || conflated !== this.conflated)
      return `${sent} sent and ${conflated} conflated, but ${this.sent} and ${this.conflated} came`;
    // At the end, what was still to come is refused.
    if (refused < this.refused) return `${refused} refused, but ${this.refused} were told`;
    return undefined;
  }
}
