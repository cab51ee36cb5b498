/** The token file on disk: read with its permissions checked, replaced in one step. */
import { randomBytes } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { empty_token_file, parseTokenFile, type TokenFile } from './token_table.js';

export const file_bytes_max = 64 * 2 ** 20;

/** The token file cannot be used; the message names file, reason and cure. */
export class TokenFileError extends Error {
  override readonly name = 'TokenFileError';
}

function checkOwner(file: string, stats: BigIntStats): void {
  if (!stats.isFile()) throw new TokenFileError(`${file} is no regular file`);
  const mode = Number(stats.mode & 0o777n);
  if ((mode & 0o077) !== 0)
    throw new TokenFileError(
      `${file} has mode 0${mode.toString(8)}: others may read or change who is let in; cure: chmod 600 ${file}`,
    );
  const uid = process.geteuid?.();
  const owner = Number(stats.uid);
  if (uid !== undefined && owner !== uid && owner !== 0)
    throw new TokenFileError(`${file} belongs to user ${owner}, not to us (${uid}) or root; cure: chown`);
}

/** All bytes of an open file, at most `bytes_max`. */
function readWhole(fd: number, bytes_max: number): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let length = 0; ; ) {
    const part = Buffer.allocUnsafe(65_536);
    const count = readSync(fd, part);
    if (count === 0) return Buffer.concat(parts);
    length += count;
    if (length > bytes_max) return undefined;
    parts.push(part.subarray(0, count));
  }
}

/**
 * The file's text. Permissions are those of the file that was opened, so that none can be put in its place between.
 * O_NONBLOCK: a pipe in its place must not hold us. Throws TokenFileError.
 */
export function readTokenText(file: string): string {
  let fd: number | undefined;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    checkOwner(file, fstatSync(fd, { bigint: true }));
    const bytes = readWhole(fd, file_bytes_max);
    if (bytes === undefined) throw new TokenFileError(`${file} is longer than ${file_bytes_max} bytes`);
    return bytes.toString('utf8');
  } catch (error) {
    if (error instanceof TokenFileError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new TokenFileError(
      code === 'ENOENT' ? `${file} does not exist; cure: depthcast token new` : `${file} cannot be read: ${code}`,
    );
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Throws TokenFileError. */
export function readTokenFile(file: string): TokenFile {
  const parsed = parseTokenFile(readTokenText(file));
  if ('fault' in parsed) throw new TokenFileError(`${file}: ${parsed.fault}`);
  return parsed.value;
}

/** In one step and on the disk: a crash leaves the old file or the new one. */
export function writeTokenFile(file: string, content: TokenFile): void {
  const beside = `${file}.${randomBytes(6).toString('hex')}.new`;
  const fd = openSync(beside, 'wx', 0o600);
  try {
    try {
      const bytes = Buffer.from(`${JSON.stringify(content, undefined, 2)}\n`);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

/**
 * Reads the file, lets `change` change what it holds and writes that. Two that do so at once exclude each other by a
 * file `.lock` beside it. `create`: a file that is not there counts as empty. Throws TokenFileError.
 */
export function changeTokenFile<Result>(file: string, create: boolean, change: (content: TokenFile) => Result): Result {
  const lock = `${file}.lock`;
  if (create) mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    closeSync(openSync(lock, 'wx', 0o600));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'EEXIST' ? `another command is changing it; where none is, remove ${lock}` : code;
    throw new TokenFileError(`${file} cannot be changed: ${reason}`);
  }
  try {
    const content = create && !exists(file) ? structuredClone(empty_token_file) : readTokenFile(file);
    const result = change(content);
    writeTokenFile(file, content);
    return result;
  } finally {
    rmSync(lock, { force: true });
  }
}

function exists(file: string): boolean {
  try {
    closeSync(openSync(file, constants.O_RDONLY | constants.O_NONBLOCK));
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}
