/** A receiver of one multicast line on a thread of its own, so that it hears all that the kernel keeps for it. */
import { once } from 'node:events';
import { extname } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { LineAddress } from '../faults/lines.js';
import { openReceiver } from '../faults/sockets.js';

/** Threads: the one that made it. */
export class LineRecorder {
  readonly #worker: Worker;

  private constructor(line: LineAddress) {
    this.#worker = new Worker(new URL(`./line_recorder${extname(import.meta.url)}`, import.meta.url), {
      workerData: line,
    });
  }

  /** Resolves when it listens. */
  static async open(line: LineAddress): Promise<LineRecorder> {
    const recorder = new LineRecorder(line);
    await once(recorder.#worker, 'message');
    return recorder;
  }

  /** Every datagram so far, in the order of arrival; then it has ended. */
  async stop(): Promise<Buffer[]> {
    this.#worker.postMessage('stop');
    const [{ bytes, lengths }] = (await once(this.#worker, 'message')) as [{ bytes: Uint8Array; lengths: number[] }];
    let at = 0;
    return lengths.map((length) => {
      at += length;
      return Buffer.from(bytes.buffer, bytes.byteOffset + at - length, length);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

async function record(line: LineAddress): Promise<void> {
  const port = parentPort;
  if (port === null) return;
  const datagrams: Buffer[] = [];
  const receiver = await openReceiver(line);
  receiver.on('message', (datagram) => datagrams.push(datagram));
  port.once('message', () => {
    receiver.close();
    const bytes = new Uint8Array(Buffer.concat(datagrams));
    port.postMessage({ bytes, lengths: datagrams.map(({ length }) => length) }, [bytes.buffer]);
  });
  port.postMessage('listening');
}

if (!isMainThread) await record(workerData as LineAddress);
