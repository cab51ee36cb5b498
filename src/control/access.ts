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
  const name = headers.host.replace(/:\d*$/, '').toLowerCase();
  const address = name.replace(/^\[(.*)\]$/, '$1');
  // An address cannot be pointed elsewhere; a name can.
  const allowed = name === 'localhost' || name === bindHost.toLowerCase() || isIP(address) !== 0;
  return allowed ? undefined : `host ${JSON.stringify(headers.host)} is not this service`;
}
