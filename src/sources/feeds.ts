/** `soupbintcp:HOST:PORT`, `moldudp64:GROUP:PORT` and `pcap:FILE`: ITCH 5.0 as an exchange sends it. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ServeOptions } from '../config.js';
import { describeEnd, type SourceEnd, sourceEnd } from '../distributor_end.js';
import { type ItchFile, openItchFile } from '../itch_source.js';
import type { NativePublisher, NativeSource, NativeSourceEnd } from '../native.js';
import type { Source, SourceTiming } from './source.js';

const password_bytes_max = 1_024;

/** Positions are the feed's own numbers: any of them can be asked for again. */
class LiveSource implements Source {
  readonly identity: string;
  readonly repeats = true;
  readonly #native: (timing: SourceTiming) => NativeSource;

  constructor(identity: string, native: (timing: SourceTiming) => NativeSource) {
    this.identity = identity;
    this.#native = native;
  }

  attach(native: NativePublisher, timing: SourceTiming): void {
    native.source(this.#native(timing));
  }

  describeEnd({ reason, position, expected }: NativeSourceEnd): SourceEnd {
    if (reason !== 'fault') return sourceEnd(reason, position);
    return sourceEnd('fault', position, { file: undefined, offset: undefined, expected });
  }

  close(): void {}
}

class CaptureSource implements Source {
  readonly identity: string;
  readonly repeats = true;
  readonly #file: ItchFile;
  readonly #native: (descriptor: number, timing: SourceTiming) => NativeSource;

  constructor(identity: string, file: ItchFile, native: (descriptor: number, timing: SourceTiming) => NativeSource) {
    this.identity = identity;
    this.#file = file;
    this.#native = native;
  }

  attach(native: NativePublisher, timing: SourceTiming): void {
    native.source(this.#native(this.#file.take(), timing));
  }

  describeEnd(native: NativeSourceEnd): SourceEnd {
    const { file, fault } = this.#file;
    const { reason, position, expected } = native;
    if (fault !== undefined || reason !== 'fault') return describeEnd(native, file, fault);
    return sourceEnd('fault', position, { file, offset: undefined, expected });
  }

  close(): void {
    this.#file.close();
  }
}

function hostAndPort(source: string): [string, number] {
  const [, host = '', port = ''] = /^[a-z0-9]+:(.+):(\d+)$/.exec(source) ?? [];
  return [host.replace(/^\[(.*)\]$/, '$1'), Number(port)];
}

/** Never in a message: an error names the file only. */
function readPassword(file: string): string {
  if (file === '') return '';
  let text: string;
  try {
    text = readFileSync(file, 'utf8').slice(0, password_bytes_max);
  } catch (error) {
    throw new Error(`soupbintcp.passwordFile: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const password = text.split(/\r?\n/)[0] ?? '';
  if (!/^[!-~]{1,10}$/.test(password))
    throw new Error(`soupbintcp.passwordFile: expected 1 to 10 printable characters in the first line of ${file}`);
  return password;
}

/** Where the name of the input's session is kept, so that a restart goes on with the same. */
function sessionFile({ state }: ServeOptions): string {
  return state === '' ? '' : join(state, 'input-session');
}

export async function openSoupSource(options: ServeOptions): Promise<Source> {
  const { passwordFile, ...soup } = options.soupbintcp;
  const [host, port] = hostAndPort(options.source);
  const password = readPassword(passwordFile);
  const identity = `${options.source}:${soup.username}:${soup.session}`;
  return new LiveSource(identity, (timing) => ({
    kind: 'soupbintcp',
    host,
    port,
    ...soup,
    password,
    sessionFile: sessionFile(options),
    ...timing,
  }));
}

function moldPart(options: ServeOptions) {
  const { session, lost, giveUpMs, parkedBytesMax } = options.moldudp64;
  return { session, skipLost: lost === 'skip', giveUpMs, parkedBytesMax, sessionFile: sessionFile(options) };
}

export async function openMoldSource(options: ServeOptions): Promise<Source> {
  const { interface: local, groupB, servers, silenceMs, session, lost } = options.moldudp64;
  const [group, port] = hostAndPort(options.source);
  const groups = groupB === undefined ? [group] : [group, groupB];
  const identity = `${options.source}:${groupB ?? ''}:${session}:${lost}`;
  return new LiveSource(identity, (timing) => ({
    kind: 'moldudp64',
    lines: groups.map((each) => ({ group: each, port })),
    interface: local,
    servers,
    silenceMs,
    ...moldPart(options),
    ...timing,
  }));
}

function addressNumber(address: string): number {
  return address.split('.').reduce((number, part) => number * 256 + Number(part), 0);
}

export async function openCaptureSource(options: ServeOptions): Promise<Source> {
  const name = options.source.slice('pcap:'.length);
  const { groups, port } = options.pcap;
  const { session, lost } = options.moldudp64;
  const file = await openItchFile(name, { unpackBytesMax: options.unpackBytesMax });
  const identity = `pcap:${resolve(name)}:${groups.join(',')}:${port}:${session}:${lost}`;
  return new CaptureSource(identity, file, (descriptor, timing) => ({
    kind: 'pcap',
    descriptor,
    groups: groups.map(addressNumber),
    port,
    ...moldPart(options),
    ...timing,
  }));
}
