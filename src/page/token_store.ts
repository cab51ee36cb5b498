/** The token: for this tab only. Never in the address, nor in storage that outlives the tab. */

const key = 'depthcast.token';

export function storedToken(): string {
  try {
    return sessionStorage.getItem(key) ?? '';
  } catch {
    return '';
  }
}

/** Empty: forgotten. Where storage is refused it lives in memory, until the page is loaded again. */
export function storeToken(token: string): void {
  try {
    if (token === '') sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, token);
  } catch {
    // As said.
  }
}
