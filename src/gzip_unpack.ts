/** Unpacks a gzip file so that everything before a fault comes out, byte for byte. */
import { constants, createGunzip, type Gunzip } from 'node:zlib';

/** Packed bytes handed to zlib at once. Deflate makes at most 1,032 bytes of one, so that 16 MiB may come of them. */
export const piece_bytes = 16_384;

/** Reads up to `length` packed bytes at `offset`; an empty buffer at the end of the file. */
export type ReadPiece = (offset: number, length: number) => Promise<Buffer>;

/** Takes unpacked bytes; false: no more are wanted. */
export type TakeBytes = (bytes: Buffer) => Promise<boolean>;

/** What zlib found wrong, and where in the packed file. */
interface Break {
  offset: number;
  message: string;
  /** zlib keeps what it had unpacked of the piece in which it found the fault. */
  withheld: boolean;
}

/** One run of zlib over a file. */
class Unpacking {
  readonly #gunzip: Gunzip;
  #out: Buffer[] = [];
  #failed: NodeJS.ErrnoException | undefined;
  #ended = false;
  #settle: (() => void) | undefined;

  constructor() {
    this.#gunzip = createGunzip({ chunkSize: 65_536, flush: constants.Z_SYNC_FLUSH });
    this.#gunzip.on('data', (bytes: Buffer) => this.#out.push(bytes));
    this.#gunzip.on('error', (error: NodeJS.ErrnoException) => {
      this.#failed = error;
      this.#settle?.();
    });
    this.#gunzip.on('end', () => {
      this.#ended = true;
      this.#settle?.();
    });
  }

  /** Nothing more will come: the end of the data, or a fault. */
  get over(): boolean {
    return this.#ended || this.#failed !== undefined;
  }

  get failure(): NodeJS.ErrnoException | undefined {
    return this.#failed;
  }

  /** What was unpacked since the last call. */
  take(): Buffer[] {
    const taken = this.#out;
    this.#out = [];
    return taken;
  }

  async push(piece: Buffer): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#settle = resolve;
      this.#gunzip.write(piece, () => resolve());
    });
  }

  async end(): Promise<void> {
    if (this.over) return;
    await new Promise<void>((resolve) => {
      this.#settle = resolve;
      this.#gunzip.end();
    });
  }

  close(): void {
    this.#gunzip.destroy();
  }
}

/** Unpacks from the start; from `fineFrom` on, byte by byte. Undefined: the end, or nothing more was wanted. */
async function run(read: ReadPiece, take: TakeBytes, fineFrom: number): Promise<Break | undefined> {
  const unpacking = new Unpacking();
  const hand = async () => {
    for (const bytes of unpacking.take()) if (!(await take(bytes))) return false;
    return true;
  };
  try {
    for (let offset = 0; !unpacking.over; ) {
      const piece = await read(offset, piece_bytes);
      if (piece.length === 0) {
        await unpacking.end();
        if (!(await hand()) || unpacking.failure === undefined) return undefined;
        return { offset, message: unpacking.failure.message, withheld: false };
      }
      const step = offset >= fineFrom ? 1 : piece.length;
      for (let from = 0; from < piece.length && !unpacking.over; from += step) {
        await unpacking.push(piece.subarray(from, from + step));
        if (!(await hand())) return undefined;
        const { failure } = unpacking;
        if (failure !== undefined) return { offset: offset + from, message: failure.message, withheld: step > 1 };
      }
      offset += piece.length;
    }
    return undefined;
  } finally {
    unpacking.close();
  }
}

/**
 * Hands all unpacked bytes to `take`, in order. Resolves to what broke, if anything did; rejects when `read` or `take`
 * does. When zlib finds a fault it withholds what it had unpacked of that piece, so the file is then unpacked once more,
 * that piece byte by byte, and only what is new is handed on.
 */
export async function unpackGzip(
  read: ReadPiece,
  take: TakeBytes,
): Promise<{ offset: number; message: string } | undefined> {
  let taken = 0;
  const first = await run(
    read,
    (bytes) => {
      taken += bytes.length;
      return take(bytes);
    },
    Number.POSITIVE_INFINITY,
  );
  if (first === undefined || !first.withheld) return first;
  let skip = taken;
  const second = await run(
    read,
    async (bytes) => {
      const fresh = bytes.subarray(Math.min(skip, bytes.length));
      skip -= bytes.length - fresh.length;
      return fresh.length === 0 || take(fresh);
    },
    first.offset,
  );
  return second ?? first;
}
