/** The tables that packets and frames of the gateway share: verified, and read. */
import type { FlatVerifier } from './flat_verifier.js';
import { book_message_bytes, type Definition, flags, isBookKind, isLaterKind, isTradeKind } from './messages.js';

/** Sizes of the fields of table Definition up to its first reference; then its other scalars. */
const definition_scalars = [
  [0, 4],
  [1, 4],
  [2, 4],
  [3, 2],
  [4, 1],
  [5, 1],
  [7, 4],
  [8, 4],
] as const;

/** A vector of definitions at that position: its entries; -1: malformed. */
export function verifyDefinitions(verifier: FlatVerifier, vector: number): number {
  const count = verifier.vector(vector, 4);
  for (let index = 0; index < count; index++) {
    const table = verifier.element(vector + 4 + 4 * index);
    if (table === 0 || !verifier.table(table)) return -1;
    for (const [id, bytes] of definition_scalars) if (!verifier.scalar(table, id, bytes)) return -1;
    const symbol = verifier.reference(table, 6);
    if (symbol <= 0 || verifier.string(symbol) < 0) return -1;
    const attributes = verifier.reference(table, 9);
    if (attributes < 0 || (attributes > 0 && verifier.vector(attributes, 1) < 0)) return -1;
    verifier.endTable();
  }
  return count;
}

const text = new TextDecoder();

/** Of a vector that has passed; `base` is the root's place in the view. */
export function readDefinitions(verifier: FlatVerifier, view: DataView, base: number, vector: number): Definition[] {
  const count = view.getUint32(base + vector, true);
  const definitions: Definition[] = [];
  for (let index = 0; index < count; index++) {
    const table = verifier.element(vector + 4 + 4 * index);
    const word = (id: number) => {
      const at = verifier.field(table, id);
      return at === 0 ? 0 : view.getUint32(base + at, true);
    };
    const byte = (id: number) => {
      const at = verifier.field(table, id);
      return at === 0 ? 0 : view.getInt8(base + at);
    };
    const symbol = base + verifier.reference(table, 6);
    const bytes = new Uint8Array(view.buffer, view.byteOffset + symbol + 4, view.getUint32(symbol, true));
    definitions.push({
      instrument: word(0),
      instrumentSequence: word(1),
      timeOffset: word(2),
      symbol: text.decode(bytes),
      priceExponent: byte(4),
      quantityExponent: byte(5),
      sourceCode: word(7),
      lotSize: word(8),
    });
  }
  return definitions;
}

/** Every kind belongs to this payload or to a later version, and there are as many details as flags say. */
export function bookMessagesAgree(view: DataView, at: number, count: number, details: number): boolean {
  let with_detail = 0;
  for (let index = 0, message = at; index < count; index++, message += book_message_bytes) {
    const kind = view.getUint8(message + 36);
    if (!isBookKind(kind) && !isLaterKind(kind)) return false;
    if ((view.getUint16(message + 38, true) & flags.detail) !== 0) with_detail++;
  }
  return with_detail === details;
}

export function tradeKindsFit(view: DataView, at: number, count: number): boolean {
  for (let index = 0; index < count; index++) {
    const kind = view.getUint8(at + 88 * index + 76);
    if (!isTradeKind(kind) && !isLaterKind(kind)) return false;
  }
  return true;
}
