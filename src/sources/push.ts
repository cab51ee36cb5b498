/** `push`: the program that runs the distributor pushes by an EventPublisher of its own. docs/ingest.md, "In process". */
import type { ServeOptions } from '../config.js';
import { describeEnd, type SourceEnd } from '../distributor_end.js';
import { addon, type NativePublisher, type NativePushInput, type NativeSourceEnd } from '../native.js';
import { acknowledgePolicy } from './engine.js';
import type { Source } from './source.js';

class PushSource implements Source {
  readonly identity = 'engine';
  readonly repeats = false;
  readonly input: NativePushInput;

  constructor({ ingest, state }: ServeOptions) {
    this.input = new addon.PushInput({ acknowledge: acknowledgePolicy(ingest.acknowledge, state) });
  }

  attach(native: NativePublisher): void {
    native.source({ kind: 'push', input: this.input });
  }

  describeEnd(native: NativeSourceEnd): SourceEnd {
    return describeEnd(native, undefined, undefined);
  }

  close(): void {}
}

export async function openPushSource(options: ServeOptions): Promise<Source> {
  return new PushSource(options);
}
