/** How the kinds of source are written in the option `source`. */

interface SourceKind {
  /** As in a help text. */
  syntax: string;
  pattern: RegExp;
}

const kinds = {
  simulate: { syntax: 'simulate', pattern: /^simulate$/ },
  itch: { syntax: 'itch:FILE', pattern: /^itch:./s },
  shm: { syntax: 'shm:PATH', pattern: /^shm:./s },
  tcp: { syntax: 'tcp:HOST:PORT[,unix:PATH]', pattern: /^tcp:(\[[\da-fA-F:.]+\]|[^:[\],\s]+):\d{1,5}(,unix:.+)?$/s },
  unix: { syntax: 'unix:PATH', pattern: /^unix:./s },
  push: { syntax: 'push', pattern: /^push$/ },
  soupbintcp: { syntax: 'soupbintcp:HOST:PORT', pattern: /^soupbintcp:[^\s]+:\d{1,5}$/ },
  moldudp64: { syntax: 'moldudp64:GROUP:PORT', pattern: /^moldudp64:\d+\.\d+\.\d+\.\d+:\d{1,5}$/ },
  pcap: { syntax: 'pcap:FILE', pattern: /^pcap:./s },
} satisfies Record<string, SourceKind>;

/** Whose messages tell times of the day on which they come. */
const live_kinds: ReadonlySet<string> = new Set(['simulate', 'soupbintcp', 'moldudp64']);

export function isLive(source: string): boolean {
  return live_kinds.has(sourceKind(source) ?? '');
}

export type SourceKindName = keyof typeof kinds;

// More would be cut to 16 bits, and listen or connect somewhere else. (A path may end in any number.)
function portFits(source: string): boolean {
  const port = /^(?:tcp:[^,]*|soupbintcp:.*|moldudp64:.*):(\d{1,5})(?:,unix:|$)/s.exec(source)?.[1];
  return port === undefined || Number(port) <= 65_535;
}

/** Undefined where no kind is written so. */
export function sourceKind(source: string): SourceKindName | undefined {
  for (const [name, { pattern }] of Object.entries(kinds)) {
    if (pattern.test(source)) return portFits(source) ? (name as SourceKindName) : undefined;
  }
  return undefined;
}

const quoted = Object.values(kinds).map(({ syntax }) => `"${syntax}"`);

/** All of them, for a message that says what was expected. */
export const sourceSyntax = `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
