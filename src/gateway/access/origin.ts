/**
 * Which web pages may use the gateway. Browsers let any page open a WebSocket anywhere and only say which page it is;
 * whoever is no browser sends no Origin and is judged by the token alone. Pure.
 */
import { hostIsOurs, type RequestHeaders } from '../../control/access.js';
import { type Refusal, refuse } from './codes.js';

export interface OriginPolicy {
  /** Names under which the service may be reached, besides addresses, "localhost" and what it is bound to. */
  hosts: readonly string[];
  bindHost: string;
  /** Pages of other origins that may connect, e.g. "https://desk.example". */
  origins: readonly string[];
  /** The gateway itself speaks TLS: then its own page has an https origin. */
  tls: boolean;
}

/**
 * `websocket` and `data` (directory, metrics, anything that holds data); `page`: the page and its files, which any link
 * may lead to.
 */
export type BrowserUse = 'websocket' | 'data' | 'page';

/** "https://desk.example:8443" as browsers write it; undefined where it is no origin of http or https. */
export function normalOrigin(text: string): string | undefined {
  if (!/^https?:\/\/[^/?#@\s]+$/i.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text).origin;
}

/** The page that we serve ourselves: the origin names the host that was asked. */
function isOwn(origin: string, host: string, tls: boolean): boolean {
  const scheme = origin.slice(0, origin.indexOf(':'));
  if (tls && scheme !== 'https') return false;
  return normalOrigin(`${scheme}://${host}`) === origin;
}

/** `crossOrigin`: the origin to name in `access-control-allow-origin`, where it is not our own. */
export function checkOrigin(
  { host, origin, fetchSite }: RequestHeaders,
  { hosts, bindHost, origins, tls }: OriginPolicy,
  use: BrowserUse,
): { refusal: Refusal } | { crossOrigin: string | undefined } {
  if (!hostIsOurs(host, [bindHost, ...hosts])) return { refusal: refuse('host_refused') };
  if (use === 'page') return { crossOrigin: undefined };
  if (origin === '') {
    // A browser that asks across sites without an Origin: an image, a script, a link.
    const strange = fetchSite === 'cross-site' || fetchSite === 'same-site';
    return strange ? { refusal: refuse('origin_refused') } : { crossOrigin: undefined };
  }
  // "null" (sandboxed frames, files) is no origin.
  const normal = normalOrigin(origin);
  if (normal === undefined) return { refusal: refuse('origin_refused') };
  if (isOwn(normal, host, tls)) return { crossOrigin: undefined };
  const listed = origins.some((one) => normalOrigin(one) === normal);
  return listed ? { crossOrigin: normal } : { refusal: refuse('origin_refused') };
}
