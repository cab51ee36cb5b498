/** The instruments of a channel by number and by name. */
import type { InstrumentInfo } from './book_types.js';
import type { NativeDefinition } from './native.js';

/** One name for each definition, none twice; the highest instrument number keeps a symbol that several share. */
export function instrumentNames(definitions: Iterable<NativeDefinition>): Map<number, string> {
  const names = new Map<number, string>();
  const taken = new Set<string>();
  for (const { instrument, symbol } of [...definitions].sort((a, b) => b.instrument - a.instrument)) {
    let name = symbol;
    if (name === '' || taken.has(name)) name = `${symbol}#${instrument}`;
    while (taken.has(name)) name += '#';
    taken.add(name);
    names.set(instrument, name);
  }
  return names;
}

/** Threads: one. */
export class InstrumentDirectory {
  readonly #definitions = new Map<number, NativeDefinition>();
  #infos: InstrumentInfo[] | undefined;
  readonly #byNumber = new Map<number, InstrumentInfo>();
  readonly #byName = new Map<string, InstrumentInfo>();

  get size(): number {
    return this.#definitions.size;
  }

  /** Takes definitions in; a later one of the same instrument replaces the earlier. Instrument 0 is the channel's own. */
  add(definitions: readonly NativeDefinition[]): void {
    for (const definition of definitions) {
      if (definition.instrument === 0) continue;
      this.#definitions.set(definition.instrument, definition);
      this.#infos = undefined;
    }
  }

  /** Forgets what was known before. */
  replace(definitions: readonly NativeDefinition[]): void {
    this.#definitions.clear();
    this.#infos = undefined;
    this.add(definitions);
  }

  /** By instrument number. */
  all(): InstrumentInfo[] {
    this.#refresh();
    return [...(this.#infos ?? [])];
  }

  find(key: string | number): InstrumentInfo | undefined {
    this.#refresh();
    return typeof key === 'number' ? this.#byNumber.get(key) : this.#byName.get(key);
  }

  // Names depend on each other, so they are made anew when somebody asks after a change.
  #refresh(): void {
    if (this.#infos !== undefined) return;
    const names = instrumentNames(this.#definitions.values());
    this.#byNumber.clear();
    this.#byName.clear();
    this.#infos = [...this.#definitions.values()]
      .sort((a, b) => a.instrument - b.instrument)
      .map((definition) => ({ ...definition, name: names.get(definition.instrument) ?? '' }));
    for (const info of this.#infos) {
      this.#byNumber.set(info.instrument, info);
      this.#byName.set(info.name, info);
    }
  }
}
