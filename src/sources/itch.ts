/** `itch:FILE`: ITCH 5.0 messages from a file, a gzip file or a pipe. */
import { resolve } from 'node:path';
import type { ServeOptions } from '../config.js';
import { describeEnd, type SourceEnd } from '../distributor_end.js';
import { type ItchFile, openItchFile } from '../itch_source.js';
import type { NativePublisher, NativeSourceEnd } from '../native.js';
import type { Source, SourceTiming } from './source.js';

class ItchSource implements Source {
  readonly identity: string;
  readonly repeats = true;
  readonly #file: ItchFile;

  constructor(file: ItchFile) {
    this.#file = file;
    this.identity = `itch:${resolve(file.file)}`;
  }

  attach(native: NativePublisher, timing: SourceTiming): void {
    native.source({ kind: 'itch', descriptor: this.#file.take(), ...timing });
  }

  describeEnd(native: NativeSourceEnd): SourceEnd {
    return describeEnd(native, this.#file.file, this.#file.fault);
  }

  close(): void {
    this.#file.close();
  }
}

export async function openItchSource({ source, unpackBytesMax }: ServeOptions): Promise<Source> {
  return new ItchSource(await openItchFile(source.slice('itch:'.length), { unpackBytesMax }));
}
