/** Whether an HTTP request may reach the control service. Pure. */
import { isIP } from 'node:net';

export interface RequestHeaders {
  host: string;
  origin: string;
  /** Sec-Fetch-Site, which browsers send. */
  fetchSite: string;
}

/**
 * Undefined where it may; else why not. A web page must not reach a service on loopback: neither under a name that it
 * has pointed there (DNS rebinding; the Host header tells), nor by a request across sites (browsers say so).
 */
export function refusal(headers: RequestHeaders, bindHost: string): string | undefined {
  if (headers.origin !== '' || headers.fetchSite !== '') return 'requests from web pages are refused';
  return hostIsOurs(headers.host, [bindHost]) ? undefined : `host ${JSON.stringify(headers.host)} is not this service`;
}

/**
 * Whether a Host header names an address, "localhost" or one of our names. An address cannot be pointed elsewhere; a
 * name can.
 */
export function hostIsOurs(host: string, names: readonly string[]): boolean {
  const name = host.replace(/:\d*$/, '').toLowerCase();
  const address = name.replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isIP(address) !== 0 || names.some((ours) => ours.toLowerCase() === name);
}
