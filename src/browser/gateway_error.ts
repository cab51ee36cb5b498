/** What a gateway refuses, and which refusals may pass. docs/gateway.md, "Errors". */

/** Worth asking again after a while: nothing was judged, or what is used up comes back. */
const codes_of_a_while = new Set(['unavailable', 'rate_limited', 'too_many']);
/** Worth asking again when instruments were defined, a session began, or the entitlements are others. */
const codes_until_news = new Set(['forbidden', 'unknown_instrument', 'unknown_channel']);

/** An answer `error` of the gateway. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';

  constructor(
    readonly code: string,
    message: string,
    /** True: it may pass, and the client asks again by itself when it may have. */
    readonly askedAgain = false,
  ) {
    super(message === '' ? code : `${code}: ${message}`);
  }
}

/** When what was refused with that code is asked for again. */
export function askAgainOn(code: string): 'time' | 'news' | 'never' {
  if (codes_of_a_while.has(code)) return 'time';
  return codes_until_news.has(code) ? 'news' : 'never';
}
