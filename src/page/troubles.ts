/** What can go wrong, said to whoever looks at the page, with its cure. The codes are those of docs/gateway.md. */

const cures: Record<string, string> = {
  unauthorised: 'The token is missing, wrong or has expired. Enter another one, or ask the operator for one.',
  forbidden: 'The token does not allow this. Choose something else, or ask the operator for the entitlement.',
  unknown_channel: 'The gateway has no such channel. Choose another one above.',
  unknown_instrument: 'The channel has no such instrument, or not yet. It is asked for again; or choose another one.',
  too_many: 'The gateway refuses more connections or subscriptions of this token or address. Close other tabs.',
  rate_limited: 'Too many requests came from here. It is tried again by itself in a moment.',
  too_slow: 'This page did not read fast enough. Choose a slower update above.',
  unavailable: 'The publisher is away, or has not begun. The page goes on by itself when it comes.',
  bad_version: 'Page and gateway are of different versions. Load the page again.',
  bad_message: 'Page and gateway do not understand each other. Load the page again; if that does not help, report it.',
  hello_first: 'Page and gateway do not understand each other. Load the page again; if that does not help, report it.',
};

export function cureOf(code: string): string {
  return cures[code] ?? 'See the list of errors in docs/gateway.md.';
}

/** No connection tells why it could not be made: a browser keeps that from a page. */
export const unreachable =
  'The gateway cannot be reached. It may be stopped or starting again, or it does not accept connections from this ' +
  'address or origin. The page tries again by itself.';
