/** Bytes written by hand, for tests that must not trust the encoder. */

/** Hexadecimal bytes with spaces between the fields; 'text' stands for itself. */
export function bytesOf(text: string): Buffer {
  const hex = text.replace(/'([^']*)'/g, (_, characters: string) => Buffer.from(characters, 'latin1').toString('hex'));
  return Buffer.from(hex.replace(/\s/g, ''), 'hex');
}

export function framed(...messages: Buffer[]): Buffer {
  return Buffer.concat(
    messages.flatMap((message) => [Buffer.from([message.length >> 8, message.length & 255]), message]),
  );
}
