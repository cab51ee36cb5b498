/** What a peer has to do: carry payloads from one process to others. One file for each, which alone loads the peer. */

export type Payload = Buffer | string;

export interface PeerPublisher {
  /** Where subscribers connect, if the publisher decides that. */
  readonly address: string;
  /** Bytes are not written again before 65,536 more messages were published. Never throws for lack of room. */
  publish(payload: Payload): void;
  close(): Promise<void> | void;
}

export interface PeerSubscriber {
  close(): Promise<void> | void;
}

/** `address`: of the broker, or of the publisher where there is none. */
export interface Transport {
  openPublisher(address: string): Promise<PeerPublisher>;
  openSubscriber(address: string, onPayload: (payload: Uint8Array | string) => void): Promise<PeerSubscriber>;
}

export const topic = 'book';
