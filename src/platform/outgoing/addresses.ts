import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

/** IANA IPv4 Special-Purpose Address Registry, multicast, and what a cloud keeps for itself. */
const SPECIAL_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];

/** Of the global unicast space (RFC 4291 section 2.4): what the IANA IPv6 registry takes out, Teredo and 6to4 whole. */
const SPECIAL_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20'];
const GLOBAL_UNICAST = ['2000::/3'];

const specialIPv4 = ranges(SPECIAL_IPV4);
const specialIPv6 = ranges(SPECIAL_IPV6);
const globalUnicast = ranges(GLOBAL_UNICAST);

/** Addresses and CIDR ranges as one list. */
export function ranges(entries: string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

export function within(list: BlockList, address: string): boolean {
  return isIP(address) !== 0 && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/**
 * Whether anybody on the internet means the same host by it. An IPv4 address that is carried in an IPv6 one (mapped,
 * RFC 4291 section 2.5.5.2; NAT64, RFC 6052 section 2.1) counts as itself. What can't be read is not public.
 */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !within(specialIPv4, address);
  if (!isIPv6(address) || address.includes('%')) return false;
  const carried = carriedIPv4(address);
  if (carried !== undefined) return !within(specialIPv4, carried);
  return within(globalUnicast, address) && !within(specialIPv6, address);
}

const MAPPED = '0:0:0:0:0:ffff';
const NAT64 = '64:ff9b:0:0:0:0';

function carriedIPv4(address: string): string | undefined {
  const groups = groupsOf(address);
  const [high = 0, low = 0] = groups.slice(6);
  const front = groups
    .slice(0, 6)
    .map((group) => group.toString(16))
    .join(':');
  if (front !== MAPPED && front !== NAT64) return undefined;
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** The eight groups of an IPv6 address, in any spelling. */
function groupsOf(address: string): number[] {
  // URL brings every spelling into one: no dotted end, the longest run of zeros as `::`.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const read = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const front = read(head);
  const back = read(tail ?? '');
  return [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back];
}
