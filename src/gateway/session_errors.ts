/** Refusals of access as a session's errors: the gateway's own code, and access's as the reason. Pure. */
import { access_refusals, type Refusal, type RefusalCode } from './access/codes.js';
import type { ErrorCode } from './protocol.js';
import type { SessionError } from './session.js';

const by_code: Partial<Record<RefusalCode, ErrorCode>> = {
  login_timeout: 'hello_first',
  message_too_long: 'bad_message',
  requests_exceeded: 'rate_limited',
  logins_exceeded: 'rate_limited',
  server_full: 'unavailable',
  jwt_keys_unavailable: 'unavailable',
};
const by_status: Partial<Record<number, ErrorCode>> = { 401: 'unauthorised', 403: 'forbidden', 429: 'too_many' };

export function sessionErrorOf({ code: reason, message, waitMs }: Refusal): SessionError {
  const code = by_code[reason] ?? by_status[access_refusals[reason].status] ?? 'bad_message';
  return { code, reason, message, ...(waitMs === undefined ? {} : { waitMs }) };
}
