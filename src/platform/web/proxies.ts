import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { LRUCache } from 'lru-cache';

export interface Proxies {
  /** Whether the peer of this connection is a configured proxy. */
  trustsPeer(req: IncomingMessage): boolean;
  /** The address of the client: the peer, or what the configured proxies say of it. */
  clientAddress(req: IncomingMessage): string;
}

/** Headers by which proxies speak of the client; from anyone else they are lies or accidents. */
const PROXY_HEADERS = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-client-cert',
  'x-forwarded-tls-client-cert',
  'x-real-ip',
  'x-ssl-client-cert',
  'x-ssl-client-verify',
  'x-ssl-cert',
  'client-cert',
  'client-cert-chain',
];

/** What one text says, as it stood in a header or came from a socket. */
interface Known {
  address: string;
  isAddress: boolean;
  trusted: boolean;
}

/** Characters; an address with zone and port has fewer, and a header may have thousands. */
const LONGEST_KEPT = 64;

/** `ranges`: addresses or CIDR ranges. */
export function createProxies(ranges: string[]): Proxies {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  // The same few proxies and callers send request after request.
  const known = new LRUCache<string, Known>({ max: 5_000 });

  function read(text: string): Known {
    const found = known.get(text);
    if (found) return found;
    const address = plainAddress(text);
    const family = isIP(address);
    const trusted = family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
    const made = { address, isAddress: family !== 0, trusted };
    if (text.length <= LONGEST_KEPT) known.set(text, made);
    return made;
  }
  const peerOf = (req: IncomingMessage): Known => read(req.socket.remoteAddress ?? '');

  return {
    trustsPeer: (req) => peerOf(req).trusted,
    clientAddress(req) {
      const peer = peerOf(req);
      if (!peer.trusted) return peer.address;
      // Right to left: each trusted proxy vouches for the entry before its own; what stands further left is hearsay.
      let client = peer.address;
      for (const entry of [req.headers['x-forwarded-for'] ?? ''].flat().join(',').split(',').reverse()) {
        const { address, isAddress, trusted } = read(entry.trim());
        if (!isAddress) break;
        client = address;
        if (!trusted) break;
      }
      return client;
    },
  };
}

/** Takes forwarded headers off a request that came from no configured proxy. */
export function stripForwarded(req: IncomingMessage): void {
  for (const name of PROXY_HEADERS) delete req.headers[name];
}

/** IPv4 that came in over an IPv6 socket is IPv4; a zone or port is not part of the address. */
function plainAddress(text: string): string {
  const bare = text.replace(/^\[([0-9a-f:.]+)\](?::\d+)?$/i, '$1').replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
  return bare.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '').replace(/%.*$/, '');
}
