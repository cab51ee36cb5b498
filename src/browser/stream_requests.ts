/** What a subscription has asked for and what has not been answered yet. Answers come in the order of the requests. */
import type { ChangeOptions, ClientMessage, GatewayCounts } from './protocol.js';

export type RequestKind = 'subscribe' | 'change' | 'count' | 'unsubscribe';

interface Request {
  kind: RequestKind;
  change: ChangeOptions | undefined;
  sent_ms: number;
  settle: (answer: GatewayCounts | undefined) => void;
  refuse: (error: Error) => void;
}

export class StreamRequests {
  #waiting: Request[] = [];

  /** `send` returns the time in ms. */
  constructor(private readonly send: (message: ClientMessage) => number) {}

  /** What an answer is expected to first. */
  get firstKind(): RequestKind | undefined {
    return this.#waiting[0]?.kind;
  }

  /** When the oldest was sent; infinite: there is none. */
  get firstMs(): number {
    return this.#waiting[0]?.sent_ms ?? Number.POSITIVE_INFINITY;
  }

  ask(kind: RequestKind, message: ClientMessage, change?: ChangeOptions): Promise<GatewayCounts | undefined> {
    return new Promise((settle, refuse) => {
      const request = { kind, change, sent_ms: 0, settle, refuse };
      this.#waiting.push(request);
      request.sent_ms = this.send(message);
    });
  }

  /** Takes the oldest of that kind out; its owner is to settle it. */
  answered(kind: RequestKind): Pick<Request, 'change' | 'settle'> | undefined {
    const index = this.#waiting.findIndex((request) => request.kind === kind);
    return index < 0 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  /** Refuses the oldest. Returns its kind. */
  refuseFirst(error: Error): RequestKind | undefined {
    const request = this.#waiting.shift();
    request?.refuse(error);
    return request?.kind;
  }

  refuseAll(error: Error): void {
    for (const request of this.#waiting.splice(0)) request.refuse(error);
  }
}
