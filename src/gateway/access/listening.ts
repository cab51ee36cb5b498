/** Where a server may listen without anybody having said that it is meant. Pure. */
import { isIP } from 'node:net';
import { addressKeys } from './address.js';

export interface ListeningPlace {
  /** Address or name to bind to. */
  host: string;
  tls: boolean;
  /** Clients must log in: with API tokens or JWT, and nobody is let in without. */
  auth: boolean;
  /** The explicit flag. */
  insecure: boolean;
}

export const insecure_flag = '--access-insecure';

/** Only this machine reaches it. */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (plain === 'localhost') return true;
  if (isIP(plain) === 0) return false;
  const { client } = addressKeys(plain);
  return /^127\./.test(client) || /^(0*:)+0*1$|^::1$/.test(plain);
}

/** Undefined where it may; else what to tell the user. `flag`: the explicit one. */
export function listeningFault(
  { host, tls, auth, insecure }: ListeningPlace,
  flag = insecure_flag,
): string | undefined {
  if (insecure || isLoopback(host) || (tls && auth)) return undefined;
  const missing = [tls ? '' : 'TLS', auth ? '' : 'authentication'].filter((what) => what !== '').join(' and ');
  const cures = [
    tls ? '' : 'give a certificate and key',
    auth ? '' : 'name a token file or JWT issuer (and no anonymous entitlements)',
  ].filter((cure) => cure !== '');
  return (
    `${JSON.stringify(host)} can be reached from other machines, and ${missing} is missing: ` +
    `${cures.join(' and ')}, listen on 127.0.0.1, or say ${flag} where this is meant`
  );
}
