/** Captures for tests, written from the specifications of pcap and pcapng. */

export interface FrameOptions {
  group: string;
  port: number;
  /** Link-layer type: 1 Ethernet, 101 and 228 IP, 113 Linux cooked. */
  link: number;
  vlan?: number;
}

function linkHeader({ link, vlan }: FrameOptions): Buffer {
  if (link === 101 || link === 228) return Buffer.alloc(0);
  if (link === 113) return Buffer.concat([Buffer.alloc(14), Buffer.from([8, 0])]);
  const addresses = Buffer.alloc(12, 2);
  const tag = Buffer.alloc(4);
  tag.writeUInt16BE(0x8100, 0);
  tag.writeUInt16BE(vlan ?? 0, 2);
  return Buffer.concat([addresses, ...(vlan === undefined ? [] : [tag]), Buffer.from([8, 0])]);
}

/** A UDP datagram in IPv4 in that link layer. */
export function udpFrame(payload: Buffer, options: FrameOptions): Buffer {
  const head = Buffer.alloc(28);
  head.writeUInt8(0x45, 0);
  head.writeUInt16BE(28 + payload.length, 2);
  head.writeUInt8(16, 8);
  head.writeUInt8(17, 9);
  Buffer.from([10, 0, 0, 1]).copy(head, 12);
  Buffer.from(options.group.split('.').map(Number)).copy(head, 16);
  head.writeUInt16BE(4_000, 20);
  head.writeUInt16BE(options.port, 22);
  head.writeUInt16BE(8 + payload.length, 24);
  return Buffer.concat([linkHeader(options), head, payload]);
}

export interface CaptureOptions {
  link: number;
  big?: boolean;
  nanoseconds?: boolean;
  /** Microseconds between two frames. */
  stepUs?: number;
}

export function classicCapture(frames: readonly Buffer[], options: CaptureOptions): Buffer {
  const { link, big = false, nanoseconds = false, stepUs = 10 } = options;
  const words = (...values: number[]) => {
    const out = Buffer.alloc(4 * values.length);
    for (const [index, value] of values.entries())
      if (big) out.writeUInt32BE(value, 4 * index);
      else out.writeUInt32LE(value, 4 * index);
    return out;
  };
  const version = big ? Buffer.from([0, 2, 0, 4]) : Buffer.from([2, 0, 4, 0]);
  const parts: Buffer[] = [words(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4), version, words(0, 0, 65_535, link)];
  for (const [index, frame] of frames.entries()) {
    const us = index * stepUs;
    const fraction = (us % 1_000_000) * (nanoseconds ? 1_000 : 1);
    parts.push(words(1_704_186_000 + Math.floor(us / 1_000_000), fraction, frame.length, frame.length), frame);
  }
  return Buffer.concat(parts);
}

function block(type: number, body: Buffer): Buffer {
  const padding = Buffer.alloc((4 - (body.length % 4)) % 4);
  const head = Buffer.alloc(8);
  const length = 12 + body.length + padding.length;
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(length, 4);
  const tail = Buffer.alloc(4);
  tail.writeUInt32LE(length);
  return Buffer.concat([head, body, padding, tail]);
}

/** Little-endian, one interface, microseconds. */
export function nextGenerationCapture(frames: readonly Buffer[], link: number): Buffer {
  const section = Buffer.alloc(16, 0xff);
  section.writeUInt32LE(0x1a2b3c4d, 0);
  section.writeUInt32LE(1, 4);
  const face = Buffer.alloc(8);
  face.writeUInt16LE(link, 0);
  const parts = [block(0x0a0d0d0a, section), block(1, face), block(4, Buffer.from('another kind'))];
  for (const [index, frame] of frames.entries()) {
    const head = Buffer.alloc(20);
    const us = 1_704_186_000_000_000n + BigInt(index) * 10n;
    head.writeUInt32LE(Number(us >> 32n), 4);
    head.writeUInt32LE(Number(us & 0xffff_ffffn), 8);
    head.writeUInt32LE(frame.length, 12);
    head.writeUInt32LE(frame.length, 16);
    parts.push(block(6, Buffer.concat([head, frame])));
  }
  return Buffer.concat(parts);
}
