/** Who a session belongs to. Plain data: it may cross threads. */
import { all_entitlements, type Entitlements } from './entitlements.js';

export interface Principal {
  kind: 'token' | 'jwt' | 'anonymous';
  /** Id of the token, or `sub` of the JWT. */
  id: string;
  /** For people; empty where there is none. */
  name: string;
  jti: string | undefined;
  /** As of Date.now(): the session ends then. Undefined: never. */
  expires_ms: number | undefined;
  entitlements: Entitlements;
}

/** Under which limits are counted. */
export function principalKey({ kind, id }: Principal): string {
  return `${kind}:${id}`;
}

export function anonymous(entitlements: Entitlements = all_entitlements): Principal {
  return { kind: 'anonymous', id: '', name: '', jti: undefined, expires_ms: undefined, entitlements };
}
