/** What travels at /recovery: text frames of JSON, binary frames of datagrams. docs/recovery.md, "Recovery service". */
import { z } from 'zod';

export const recovery_version = 1;
export const recovery_path = '/recovery';

/** Ranges of one request, instruments of one request, bytes of a text frame from a client. */
export const ranges_max = 1_024;
export const instruments_chosen_max = 4_096;
export const text_bytes_max = 65_536;
/** Requests of one client that are being answered at the same time. */
export const requests_open_max = 8;

/** A binary frame is a header of so many bytes and then whole datagrams; so many bytes in all at most. */
export const frame_header_bytes = 8;
export const frame_bytes_max = 262_144;
export const frame_retransmission = 1;
export const frame_snapshot = 2;

/** Codes with which the service closes a socket. */
export const close_codes = {
  invalid: 4_400,
  unauthorised: 4_401,
  too_slow: 4_408,
  too_many: 4_429,
  going_away: 1_001,
} as const;

const unsigned64_text = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform((digits) => BigInt(digits))
  .refine((number) => number < 2n ** 64n);
const unsigned32 = z.number().int().min(0).max(0xffff_ffff);
const request_id = unsigned32;
const wait_ms = z.number().int().min(0);

/** First and last number of a range, both included. */
const range = z.tuple([unsigned64_text, unsigned64_text]).refine(([first, last]) => first >= 1n && first <= last);
const ranges = z
  .array(range)
  .min(1)
  .max(ranges_max)
  .refine((all) => all.every(([first], index) => index === 0 || first > (all[index - 1] as [bigint, bigint])[1]));

export const helloMessage = z.strictObject({
  type: z.literal('hello'),
  version: z.number().int(),
  channel: unsigned32,
  token: z.string().optional(),
});
export const retransmitMessage = z.strictObject({
  type: z.literal('retransmit'),
  id: request_id,
  session: unsigned64_text,
  ranges,
});
export const snapshotMessage = z.strictObject({
  type: z.literal('snapshot'),
  id: request_id,
  session: unsigned64_text,
  from: unsigned64_text.optional(),
  before: unsigned64_text.optional(),
  instruments: z
    .array(unsigned32)
    .min(1)
    .max(instruments_chosen_max)
    .refine((all) => all.every((one, index) => index === 0 || one > (all[index - 1] as number)))
    .optional(),
});
export const cancelMessage = z.strictObject({ type: z.literal('cancel'), id: request_id });

/** Every text frame from a client. */
export const clientMessage = z.discriminatedUnion('type', [
  helloMessage,
  retransmitMessage,
  snapshotMessage,
  cancelMessage,
]);

export const refusal_codes = [
  'too_low',
  'too_high',
  'unavailable',
  'rate_limited',
  'wrong_session',
  'no_snapshot',
  'unauthorised',
  'invalid',
] as const;
const refusal_code = z.enum(refusal_codes);

/** Every text frame from the service. A client ignores fields that it does not know. */
export const serviceMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('welcome'),
    version: z.number().int(),
    channel: unsigned32,
    session: unsigned64_text,
    next: unsigned64_text,
    oldest: unsigned64_text,
    snapshots: z.boolean(),
    ended: z.boolean(),
  }),
  z.object({
    type: z.literal('session'),
    session: unsigned64_text,
    next: unsigned64_text,
    oldest: unsigned64_text,
  }),
  z.object({
    type: z.literal('done'),
    id: request_id,
    sent: z.array(z.tuple([unsigned64_text, unsigned64_text])),
    sequence: unsigned64_text.optional(),
    refused: z.array(
      z.object({ first: unsigned64_text, last: unsigned64_text, code: refusal_code, waitMs: wait_ms.optional() }),
    ),
  }),
  z.object({
    type: z.literal('refused'),
    id: request_id.optional(),
    code: refusal_code,
    waitMs: wait_ms.optional(),
    message: z.string().optional(),
  }),
]);

export type SequenceRange = readonly [first: bigint, last: bigint];
export type RefusalCode = z.output<typeof refusal_code>;
/** As they are after parsing: 64-bit numbers are bigints. */
export type ClientMessage = z.output<typeof clientMessage>;
export type ServiceMessage = z.output<typeof serviceMessage>;
export type RetransmitMessage = z.output<typeof retransmitMessage>;
export type SnapshotMessage = z.output<typeof snapshotMessage>;
export type DoneMessage = Extract<ServiceMessage, { type: 'done' }>;
export type RefusedMessage = Extract<ServiceMessage, { type: 'refused' }>;

/** A message as its text frame; bigints become decimal text. */
export function textOf(message: ClientMessage | ServiceMessage): string {
  return JSON.stringify(message, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
}

/** The message of a text frame, or why it is none. */
export function parseMessage<Schema extends typeof clientMessage | typeof serviceMessage>(
  schema: Schema,
  text: string,
): { message: z.output<Schema> } | { fault: string } {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return { fault: 'the frame is no JSON' };
  }
  const parsed = schema.safeParse(given);
  if (parsed.success) return { message: parsed.data as z.output<Schema> };
  const issue = parsed.error.issues[0];
  return { fault: `${issue?.path.join('.') || 'message'}: ${issue?.message ?? 'wrong'}` };
}

export interface FrameHeader {
  id: number;
  type: typeof frame_retransmission | typeof frame_snapshot;
  flags: number;
}

/** Writes the header into the first bytes of `frame`. */
export function writeFrameHeader(frame: Uint8Array, header: FrameHeader): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame_header_bytes);
  view.setUint32(0, header.id, true);
  view.setUint8(4, header.type);
  view.setUint8(5, header.flags);
  view.setUint16(6, 0, true);
}

/** The header, or undefined where the frame is none. */
export function readFrameHeader(frame: Uint8Array): FrameHeader | undefined {
  if (frame.byteLength < frame_header_bytes || frame.byteLength > frame_bytes_max) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame_header_bytes);
  const type = view.getUint8(4);
  if (type !== frame_retransmission && type !== frame_snapshot) return undefined;
  return { id: view.getUint32(0, true), type, flags: view.getUint8(5) };
}

/** Prefix of a datagram: its length stands at 8, without these 16 bytes. */
const prefix_bytes = 16;
const magic = 0x5443_4344;
/** Largest datagram of the wire. */
export const datagram_bytes_max = 8_952;

/**
 * Length of the whole datagram that begins at `offset`; 0 where none does, or where it does not end within `bytes`.
 * Only the prefix's magic and length are looked at: the receiver checks the rest.
 */
export function datagramLength(bytes: Uint8Array, offset: number): number {
  if (bytes.byteLength - offset < prefix_bytes) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, prefix_bytes);
  if (view.getUint32(0, true) !== magic) return 0;
  const length = view.getUint32(8, true) + prefix_bytes;
  return length <= datagram_bytes_max && offset + length <= bytes.byteLength ? length : 0;
}
