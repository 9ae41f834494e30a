import { isIPv6 } from 'node:net';

/**
 * What an address is counted as: IPv4 whole, IPv6 by its /64, which is what one subscriber has (S62). An IPv4 address
 * that is written as IPv6 (::ffff:192.0.2.1) counts as IPv4.
 */
export function addressGroup(address: string): string {
  const plain = address.replace(/%.*$/, '');
  if (!isIPv6(plain)) return plain;
  // URL brings every spelling into one: lower case, no leading zeros, the longest run of zeros as `::`.
  const canonical = new URL(`http://[${plain}]`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail ? tail.split(':') : [];
  const groups = tail === undefined ? front : [...front, ...Array(8 - front.length - back.length).fill('0'), ...back];
  if (groups.slice(0, 5).every((group) => group === '0') && groups[5] === 'ffff') {
    const bytes = Buffer.from(
      groups
        .slice(6)
        .map((group) => group.padStart(4, '0'))
        .join(''),
      'hex',
    );
    return [...bytes].join('.');
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
