/** What a distributor does with input events that contradict its books. docs/ingest.md, "Validation". */
import { z } from 'zod';

/** Reasons by option, in the addon's words. Limits that are reached are always refused. */
const reasons = {
  unknownOrder: ['unknown_order', 'an order that is not live'],
  duplicateOrder: ['duplicate_order', 'a new order whose id is live'],
  overExecution: ['over_execution', 'more taken from an order than it has'],
  invalidQuantity: ['invalid_quantity', 'a quantity of nothing, or a negative one'],
  invalidSide: ['invalid_side', 'an order on no side'],
  wrongInstrument: ['wrong_instrument', "another instrument's order"],
  unknownInstrument: ['unknown_instrument', 'an instrument that was not defined'],
  offTick: ['off_tick', 'a price that is no multiple of the price increment'],
  priceOutOfRange: ['price_out_of_range', 'a price beyond the range of the definition'],
  delisted: ['delisted', 'an order or a status in an instrument that was delisted'],
} as const;

type Reason = keyof typeof reasons;

function policy(reason: Reason) {
  return z.enum(['refuse', 'pass']).default('refuse').describe(`${reasons[reason][1]}: refuse it, or pass it on`);
}

export const validationOptions = z.strictObject({
  unknownOrder: policy('unknownOrder'),
  duplicateOrder: policy('duplicateOrder'),
  overExecution: policy('overExecution'),
  invalidQuantity: policy('invalidQuantity'),
  invalidSide: policy('invalidSide'),
  wrongInstrument: policy('wrongInstrument'),
  unknownInstrument: policy('unknownInstrument'),
  offTick: policy('offTick'),
  priceOutOfRange: policy('priceOutOfRange'),
  delisted: policy('delisted'),
});

/** The addon's names of the reasons that are passed on. */
export function passedOn(options: z.output<typeof validationOptions>): string[] {
  return Object.entries(reasons).flatMap(([key, [name]]) => (options[key as Reason] === 'pass' ? [name] : []));
}
