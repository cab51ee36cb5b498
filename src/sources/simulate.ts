/** `simulate`: the simulated exchange. */
import type { ServeOptions } from '../config.js';
import { describeEnd, type SourceEnd } from '../distributor_end.js';
import type { NativePublisher, NativeSourceEnd } from '../native.js';
import type { Source, SourceTiming } from './source.js';

class SimulateSource implements Source {
  readonly identity: string;
  readonly repeats = true;
  readonly #simulate: ServeOptions['simulate'];

  constructor(simulate: ServeOptions['simulate']) {
    this.#simulate = simulate;
    const text = (value: unknown) => (typeof value === 'bigint' ? String(value) : value);
    this.identity = `simulate:${JSON.stringify(simulate, (_, value) => text(value))}`;
  }

  attach(native: NativePublisher, timing: SourceTiming): void {
    native.source({ kind: 'simulate', ...this.#simulate, ...timing });
  }

  describeEnd(native: NativeSourceEnd): SourceEnd {
    return describeEnd(native, undefined, undefined);
  }

  close(): void {}
}

export async function openSimulateSource({ simulate }: ServeOptions): Promise<Source> {
  return new SimulateSource(simulate);
}
