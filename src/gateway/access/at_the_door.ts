/** What a request shows by itself, whoever else is connected: any thread can look, and nothing is counted. Pure. */
import type { ConnectRequest } from './access_control.js';
import type { Refusal } from './codes.js';
import { type Credential, credentialOfHeader, urlRefusal } from './credentials.js';
import { checkOrigin, type OriginPolicy } from './origin.js';

export function lookAtRequest(
  request: ConnectRequest,
  policy: OriginPolicy,
): { credential: Credential | undefined; crossOrigin: string | undefined } | { refusal: Refusal } {
  const { path, query, authorization, use } = request;
  // First of all: such a URL is not even to be logged.
  const inUrl = urlRefusal(path, query);
  if (inUrl !== undefined) return { refusal: inUrl };
  const origin = checkOrigin(request, policy, use);
  if ('refusal' in origin) return origin;
  const given = credentialOfHeader(authorization);
  if ('refusal' in given) return given;
  return { credential: given.credential, crossOrigin: origin.crossOrigin };
}
