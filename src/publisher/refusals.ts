/** Why the distributor closes an engine's connection; ingest::Refusal of the native code. docs/ingest.md, "Refusals". */
const names = [
  '',
  'bad_frame',
  'version',
  'login_expected',
  'token',
  'login_timeout',
  'engine_connected',
  'events_unavailable',
  'hole',
  'bad_event',
  'idle',
  'replaced',
  'closing',
  'unexpected_frame',
] as const;

export type RefusalName = Exclude<(typeof names)[number], ''>;

/** `unknown` for one of a later version. */
export function refusalName(code: number): RefusalName | 'unknown' {
  return names[code] || 'unknown';
}

/** Where trying again may help, without anybody's doing. */
const passing: ReadonlySet<string> = new Set(['engine_connected', 'idle', 'closing', 'login_timeout']);

export function passes(name: RefusalName | 'unknown'): boolean {
  return passing.has(name);
}
