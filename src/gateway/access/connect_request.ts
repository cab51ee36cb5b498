/** What AccessControl is asked of an HTTP request. Loads no binary: types alone. */
import type { HttpRequest, HttpResponse } from '../../uws.js';
import type { ConnectRequest } from './access_control.js';
import type { BrowserUse } from './origin.js';

/** All but what it is for. In the request's handler: it does not outlive it. */
export function requestFactsOf(response: HttpResponse, request: HttpRequest): Omit<ConnectRequest, 'use'> {
  return {
    address: Buffer.from(response.getRemoteAddressAsText()).toString('utf8'),
    path: request.getUrl(),
    query: request.getQuery() ?? '',
    host: request.getHeader('host'),
    origin: request.getHeader('origin'),
    fetchSite: request.getHeader('sec-fetch-site'),
    authorization: request.getHeader('authorization'),
  };
}

/** As requestFactsOf(). */
export function connectRequestOf(response: HttpResponse, request: HttpRequest, use: BrowserUse): ConnectRequest {
  return { ...requestFactsOf(response, request), use };
}
