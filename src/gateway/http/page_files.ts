/**
 * The files of the page, read once at start: requests are looked up by their exact path and never reach the file
 * system.
 */
import { createHash } from 'node:crypto';
import { type Dirent, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

export interface PageFile {
  type: string;
  /** Strong, without quotes; other bytes, other tag. */
  tag: string;
  bytes: Buffer;
  /** Undefined where compressing gains nothing. */
  gzip: Buffer | undefined;
}

/** By the path of the URL; the page itself is "/". */
export type PageFiles = ReadonlyMap<string, PageFile>;

const types: Record<string, string> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  ico: 'image/x-icon',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  png: 'image/png',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
  webmanifest: 'application/manifest+json',
  woff2: 'font/woff2',
};
const packed_types = new Set(['ico', 'png', 'woff2']);
const files_max = 256;
const bytes_max = 16 * 2 ** 20;
const depth_max = 4;
/** Nothing that would have to be percent-encoded, and no dot files. */
const name_pattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

function extensionOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

/** A file whose name or type is not served: source maps, dot files. Links are not followed. */
function isServed(entry: Dirent): boolean {
  return entry.isFile() && name_pattern.test(entry.name) && Object.hasOwn(types, extensionOf(entry.name));
}

function pageFile(path: string): PageFile {
  const bytes = readFileSync(path);
  const extension = extensionOf(path);
  const packed = packed_types.has(extension) ? undefined : gzipSync(bytes, { level: 9 });
  return {
    type: types[extension] ?? 'application/octet-stream',
    tag: createHash('sha256').update(bytes).digest('base64url').slice(0, 22),
    bytes,
    gzip: packed !== undefined && packed.length < bytes.length ? packed : undefined,
  };
}

/** Empty where there is no such folder. Throws where it cannot be read, has no index.html, or holds too much. */
export function readPage(folder: string): PageFiles {
  const files = new Map<string, PageFile>();
  if (folder === '' || !existsSync(folder)) return files;
  let bytes = 0;
  const read = (below: string, depth: number) => {
    for (const entry of readdirSync(join(folder, below), { withFileTypes: true })) {
      const path = `${below}/${entry.name}`;
      if (entry.isDirectory() && depth < depth_max && name_pattern.test(entry.name)) read(path, depth + 1);
      if (!isServed(entry)) continue;
      const file = pageFile(join(folder, path));
      bytes += file.bytes.length;
      if (files.size >= files_max || bytes > bytes_max)
        throw new Error(`${folder} holds more than ${files_max} files or ${bytes_max} bytes: it is not the page`);
      files.set(path === '/index.html' ? '/' : path, file);
    }
  };
  read('', 0);
  if (!files.has('/')) throw new Error(`${folder} holds no index.html`);
  return files;
}
