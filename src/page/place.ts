/** What is looked at, as it stands in the fragment of the address: #CHANNEL/SYMBOL. A link can be shared. */

export interface Place {
  channel: number | undefined;
  symbol: string | undefined;
}

const symbol_length_max = 64;

/** Anything may stand there; what is no place is undefined. */
export function parsePlace(fragment: string): Place {
  const [, channel, rest] = /^#?(\d{1,10})(?:\/(.*))?$/s.exec(fragment) ?? [];
  const nowhere = { channel: undefined, symbol: undefined };
  if (channel === undefined || Number(channel) > 0xffff_ffff) return nowhere;
  let symbol: string | undefined;
  try {
    symbol = rest === undefined ? undefined : decodeURIComponent(rest);
  } catch {
    symbol = undefined;
  }
  const is_symbol = symbol !== undefined && symbol !== '' && symbol.length <= symbol_length_max;
  return { channel: Number(channel), symbol: is_symbol ? symbol : undefined };
}

export function placeText({ channel, symbol }: { channel: number; symbol: string }): string {
  return `#${channel}/${encodeURIComponent(symbol)}`;
}
