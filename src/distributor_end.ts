/** How a source ended, in words. */
import type { UnpackFault } from './itch_source.js';
import type { NativeSourceEnd } from './native.js';

/** Why a source could not be read on. */
export interface SourceFault {
  /** Undefined where the source is no file. */
  file: string | undefined;
  /** Offset of the message that broke, in bytes, unpacked ones for a gzip file. */
  offset: bigint | undefined;
  /** What was expected there. */
  expected: string;
}

/** How a source ended. */
export interface SourceEnd {
  /** `end`: all of it was published; `stopped`: by stop() or close(); `fault`: it could not be read on. */
  reason: 'end' | 'stopped' | 'fault';
  /** Messages of the source that were published. */
  position: bigint;
  /** Set with the reason `fault`. */
  fault: SourceFault | undefined;
  /** All of this in one line for people. */
  message: string;
}

function faultText({ file, offset, expected }: SourceFault): string {
  const at = offset === undefined ? '' : `at byte ${offset}: `;
  return `${file === undefined ? '' : `${file}: `}${at}expected ${expected}`;
}

export function sourceEnd(reason: SourceEnd['reason'], position: bigint, fault?: SourceFault): SourceEnd {
  const words = { end: 'the source has ended', stopped: 'stopped', fault: '' };
  const what = fault === undefined ? words[reason] : faultText(fault);
  const join = fault === undefined ? ' ' : '; this was ';
  return { reason, position, fault, message: `${what}${join}after ${position} messages` };
}

/**
 * The end of a source that the addon tells of. Where unpacking failed, that is the fault: the addon saw only that the
 * bytes ended, perhaps in the middle of a message.
 */
export function describeEnd(
  native: NativeSourceEnd,
  file: string | undefined,
  unpack: UnpackFault | undefined,
): SourceEnd {
  const { reason, position, offset, expected } = native;
  if (reason !== 'stopped' && unpack !== undefined) return sourceEnd('fault', position, { file, ...unpack });
  return reason === 'fault' ? sourceEnd('fault', position, { file, offset, expected }) : sourceEnd(reason, position);
}
