/** Addresses as limits count them. Pure. */
import { isIPv4, isIPv6 } from 'node:net';

/** The eight groups of an IPv6 address. `text` must be one. */
function groupsOf(text: string): number[] {
  let plain = text.replace(/%.*$/, '');
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(plain);
  if (dotted !== null) {
    const [a = 0, b = 0, c = 0, d = 0] = dotted.slice(1).map(Number);
    plain = `${plain.slice(0, dotted.index)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  }
  const [head = '', tail] = plain.split('::');
  const parse = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const left = parse(head);
  const right = tail === undefined ? [] : parse(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

export interface AddressKeys {
  /** One client: an IPv4 address, or the /64 of an IPv6 address, which is what one subscriber gets. */
  client: string;
  /** Where it comes from: the /16, or the /32. */
  network: string;
}

/** IPv4 mapped into IPv6 counts as IPv4. What is no address is one client of its own. */
export function addressKeys(address: string): AddressKeys {
  if (isIPv4(address)) return { client: address, network: address.split('.').slice(0, 2).join('.') };
  if (!isIPv6(address)) return { client: 'unknown', network: 'unknown' };
  const groups = groupsOf(address);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    const [high = 0, low = 0] = groups.slice(6);
    return addressKeys([high >> 8, high & 255, low >> 8, low & 255].join('.'));
  }
  const text = groups.map((group) => group.toString(16));
  return { client: `${text.slice(0, 4).join(':')}::/64`, network: `${text.slice(0, 2).join(':')}::/32` };
}
