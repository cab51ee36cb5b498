/** A worker's line to the main thread: questions and their answers. */
import type { MessagePort } from 'node:worker_threads';
import type { FromWorker, QuestionName, Questions } from './worker_messages.js';

/** Questions that wait for an answer; each costs memory, and who asks is limited otherwise, too. */
const open_max = 65_536;

interface Waiting {
  resolve: (answer: unknown) => void;
  reject: (error: Error) => void;
}

/** Threads: the worker's. */
export class MainLink {
  readonly #waiting = new Map<number, Waiting>();
  #numberLast = 0;
  #closed = false;

  constructor(private readonly port: MessagePort) {}

  tell(message: FromWorker): void {
    this.port.postMessage(message);
  }

  /** Rejects where there are too many, and where the worker ends before the answer. */
  ask<Name extends QuestionName>(
    name: Name,
    question: Questions[Name]['question'],
  ): Promise<Questions[Name]['answer']> {
    if (this.#closed || this.#waiting.size >= open_max) return Promise.reject(new Error('the gateway is busy or ends'));
    const number = ++this.#numberLast;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve: resolve as (answer: unknown) => void, reject });
      this.tell({ type: 'ask', number, name, question });
    });
  }

  answered(number: number, answer: unknown): void {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    waiting?.resolve(answer);
  }

  /** Whoever waits is told. */
  close(): void {
    this.#closed = true;
    for (const { reject } of this.#waiting.values()) reject(new Error('the gateway ends'));
    this.#waiting.clear();
  }
}
