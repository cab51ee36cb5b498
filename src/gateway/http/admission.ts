/** Whether an HTTP request may come in. Runs where the AccessControl is. */
import type { AccessControl } from '../access/access_control.js';
import type { Admission, HttpAsk } from './context.js';

/** One request is a connection that ends at once; it costs its address one of its requests. Never rejects. */
export async function admitHttp(control: AccessControl, ask: HttpAsk): Promise<Admission> {
  const opened = control.connect(ask);
  if ('refusal' in opened) return opened;
  const { connection, credential, crossOrigin } = opened;
  try {
    if (!ask.login) return { entitlements: undefined, crossOrigin };
    const answer = await control.login(connection, credential);
    // A page that may ask may read why it is refused.
    if ('refusal' in answer) return { refusal: answer.refusal, crossOrigin };
    return { entitlements: answer.principal.entitlements, crossOrigin };
  } finally {
    control.close(connection);
  }
}
