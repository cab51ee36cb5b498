/** Why a connection to a gateway or a directory could not be made, in words that say what to do. */
import { GatewayError } from '../browser/gateway_error.js';

/** Certificates that nobody here vouches for, by OpenSSL's names. */
const unknown_authority = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

const certificate_texts: Record<string, string> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: compare the clocks',
};

const texts: Record<string, string> = {
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'it broke the connection off; where it speaks TLS, the URL begins with wss or https',
  EPROTO: 'it does not speak TLS there: the URL begins with ws or http, or has another port',
  ENOTFOUND: 'no host of that name is known',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
};

/** `isLasting`: it is as the operator has set it up, and another attempt would find the same. */
export function connectFailure(error: Error): { text: string; isLasting: boolean } {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (unknown_authority.has(code))
    return {
      text: `its certificate is of an authority that is not known here: name its file in tls.caFile or NODE_EXTRA_CA_CERTS (${code})`,
      isLasting: true,
    };
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return { text: `its certificate is for another host: ${error.message}`, isLasting: true };
  const certificate = certificate_texts[code];
  if (certificate !== undefined) return { text: `${certificate} (${code})`, isLasting: true };
  const text = texts[code];
  return { text: text === undefined ? error.message : `${text} (${code})`, isLasting: false };
}

/** An answer that is no WebSocket. `answer`: its body, which may be the gateway's own or anybody's. */
export function upgradeFailure(status: number, answer: string): GatewayError {
  const said = saidIn(answer);
  const text = `it answered ${status}${said === '' ? '' : ` (${said})`}`;
  if (status === 401) return new GatewayError('unauthorised', text);
  if (status === 403) return new GatewayError('forbidden', text);
  if (status === 408 || status === 429 || status >= 500) return new GatewayError('unavailable', text, true);
  return new GatewayError('no_gateway', `${text}, which is no gateway: its path is /feed`);
}

/** A message of the gateway's own, bounded and without control characters. */
export function saidIn(answer: string): string {
  let said: unknown;
  try {
    said = JSON.parse(answer);
  } catch {
    return '';
  }
  if (typeof said !== 'object' || said === null) return '';
  const { code, message } = said as { code?: unknown; message?: unknown };
  const text = [code, message].filter((part) => typeof part === 'string').join(': ');
  return text.replace(/[^ -~]/g, '?').slice(0, 200);
}
