/** Perf programs of several processes: a child does one task, tells how it goes, and answers with figures. */
import { type ChildProcess, fork } from 'node:child_process';
import type { Figures } from './native_program.js';

export type Tell = (news: Figures) => void;

/** The child's side: runs `act` for the task that the parent sends, with what `tell` sends in between. */
export function serveTask<Task>(act: (task: Task, tell: Tell, stopped: Promise<void>) => Promise<Figures>): void {
  if (process.send === undefined) return;
  let stop = () => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  // The parent has ended, or this one is done.
  process.once('disconnect', () => process.exit());
  process.on('message', async (message: { task?: Task; stop?: true }) => {
    if (message.stop) stop();
    if (message.task === undefined) return;
    try {
      process.send?.({ figures: await act(message.task, (news) => process.send?.({ news }), stopped) });
    } catch (error) {
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
    process.disconnect();
  });
}

/** A child that works on one task. */
export class TaskProcess {
  readonly figures: Promise<Figures>;
  readonly #child: ChildProcess;
  readonly #waiting: { key: string; resolve: (news: Figures) => void }[] = [];
  readonly #news: Figures[] = [];

  constructor(file: string, task: unknown) {
    this.#child = fork(file);
    this.figures = new Promise<Figures>((resolve, reject) => {
      this.#child.on('message', (answer: { news?: Figures; figures?: Figures; error?: string }) => {
        if (answer.news !== undefined) this.#take(answer.news);
        if (answer.figures !== undefined) resolve(answer.figures);
        if (answer.error !== undefined) reject(new Error(answer.error));
      });
      this.#child.on('exit', (code, signal) => reject(new Error(`a child ended with ${signal ?? code}`)));
    });
    this.figures.catch(() => {}); // told where it is awaited
    this.#child.send({ task });
  }

  /** The first news that have this key. Rejects where the child fails first. */
  news(key: string): Promise<Figures> {
    const known = this.#news.find((news) => key in news);
    if (known !== undefined) return Promise.resolve(known);
    const told = new Promise<Figures>((resolve) => this.#waiting.push({ key, resolve }));
    return Promise.race([told, this.figures.then(() => Promise.reject(new Error(`a child never told ${key}`)))]);
  }

  stop(): Promise<Figures> {
    if (this.#child.connected) this.#child.send({ stop: true });
    return this.figures;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #take(news: Figures): void {
    this.#news.push(news);
    for (const { key, resolve } of this.#waiting) if (key in news) resolve(news);
  }
}
