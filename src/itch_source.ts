/** Opens ITCH files, packed or not, for the addon to read. */
import { close, closeSync, fstat, open, read } from 'node:fs';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import { unpackGzip } from './gzip_unpack.js';
import { addon } from './native.js';

// Descriptors, not FileHandles: the addon takes a descriptor over, which a FileHandle cannot give away.
const openFile = promisify(open);
const statOf = promisify(fstat);
const readAt = promisify(read);
const closeFile = promisify(close);

/** Why a packed file could not be unpacked to its end. */
export interface UnpackFault {
  /** Unpacked bytes handed on before the fault. */
  offset: bigint;
  expected: string;
}

/** One file, to be read once. Threads: one. */
export interface ItchFile {
  readonly file: string;
  /** Set, where it is, before the reader sees the end of the bytes. */
  readonly fault: UnpackFault | undefined;
  /** A descriptor that gives the unpacked bytes; whoever takes it closes it. Once. */
  take(): number;
  /** Stops unpacking, and closes what nobody has taken. Any number of times. */
  close(): void;
}

const system_errors: Record<string, string> = {
  ENOENT: 'there is no such file',
  EACCES: 'reading it is not allowed',
  EISDIR: 'it is a directory',
  ENOTDIR: 'part of its path is no directory',
};

class PlainFile implements ItchFile {
  readonly file: string;
  readonly fault = undefined;
  #descriptor: number | undefined;

  constructor(file: string, descriptor: number) {
    this.file = file;
    this.#descriptor = descriptor;
  }

  take(): number {
    const descriptor = this.#descriptor;
    if (descriptor === undefined) throw new Error(`${this.file} is taken already`);
    this.#descriptor = undefined;
    return descriptor;
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

/** Unpacks into a pipe on the event loop, no faster than the reader reads. */
class PackedFile implements ItchFile {
  readonly file: string;
  readonly #unpackBytesMax: number;
  readonly #packed: number;
  readonly #unpacked: PlainFile;
  readonly #pipe: Socket;
  #fault: UnpackFault | undefined;
  #written = 0;
  #closed = false;
  #wakeWriter: (() => void) | undefined;

  constructor(file: string, packed: number, unpackBytesMax: number) {
    const [readEnd, writeEnd] = addon.pipe();
    this.file = file;
    this.#unpackBytesMax = unpackBytesMax;
    this.#packed = packed;
    this.#unpacked = new PlainFile(file, readEnd);
    this.#pipe = new Socket({ fd: writeEnd, readable: false, writable: true });
    const stop = () => {
      this.#closed = true;
      this.#wakeWriter?.();
    };
    // The reader has gone (EPIPE), or close() was called: nobody waits for the rest.
    this.#pipe.on('error', stop);
    this.#pipe.on('close', stop);
    this.#pipe.on('drain', () => this.#wakeWriter?.());
    void this.#run();
  }

  get fault(): UnpackFault | undefined {
    return this.#fault;
  }

  take(): number {
    return this.#unpacked.take();
  }

  close(): void {
    this.#closed = true;
    this.#unpacked.close();
    this.#pipe.destroy();
    this.#wakeWriter?.();
  }

  async #run(): Promise<void> {
    try {
      const broken = await unpackGzip(
        (offset, length) => this.#read(offset, length),
        (bytes) => this.#write(bytes),
      );
      if (broken !== undefined)
        this.#fail(`gzip data, but zlib says "${broken.message}" near byte ${broken.offset} of the packed file`);
    } catch (error) {
      this.#fail(`a file that can be read to its end, but: ${(error as Error).message}`);
    } finally {
      this.#pipe.end();
      await closeFile(this.#packed).catch(() => {});
    }
  }

  #fail(expected: string): void {
    this.#fault ??= { offset: BigInt(this.#written), expected };
  }

  async #read(offset: number, length: number): Promise<Buffer> {
    const { bytesRead, buffer } = await readAt(this.#packed, Buffer.allocUnsafe(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  }

  async #write(bytes: Buffer): Promise<boolean> {
    const allowed = bytes.subarray(0, this.#unpackBytesMax - this.#written);
    this.#written += allowed.length;
    if (allowed.length > 0 && !this.#closed && !this.#pipe.write(allowed))
      await new Promise<void>((resolve) => {
        this.#wakeWriter = resolve;
      });
    if (allowed.length < bytes.length)
      this.#fail(`at most ${this.#unpackBytesMax} unpacked bytes (unpackBytesMax), but there are more`);
    return !this.#closed && allowed.length === bytes.length;
  }
}

async function isPacked(file: string, descriptor: number): Promise<boolean> {
  if (!(await statOf(descriptor)).isFile()) return false;
  if (file.endsWith('.gz')) return true;
  const { bytesRead, buffer } = await readAt(descriptor, Buffer.alloc(2), 0, 2, 0);
  // No ITCH message is as long as those two bytes would say.
  return bytesRead === 2 && buffer.readUInt16BE() === 0x1f8b;
}

/**
 * Opens a file: gzip by its name or its first bytes, else plain; what is no regular file (a pipe) is read as it is.
 * Rejects where it cannot be opened. A packed file that breaks gives every byte before the fault, and then its end;
 * `fault` tells.
 */
export async function openItchFile(file: string, { unpackBytesMax }: { unpackBytesMax: number }): Promise<ItchFile> {
  let descriptor: number | undefined;
  try {
    descriptor = await openFile(file, 'r');
    if ((await statOf(descriptor)).isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    if (await isPacked(file, descriptor)) return new PackedFile(file, descriptor, unpackBytesMax);
    return new PlainFile(file, descriptor);
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor);
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new Error(`cannot open ${file}: ${system_errors[code] ?? message}`);
  }
}
