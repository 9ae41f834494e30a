import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

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

/** `ranges`: addresses or CIDR ranges. */
export function createProxies(ranges: string[]): Proxies {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  const trusts = (address: string): boolean => {
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  };
  return {
    trustsPeer: (req) => trusts(peerOf(req)),
    clientAddress(req) {
      const peer = peerOf(req);
      if (!trusts(peer)) return peer;
      // Right to left: each trusted proxy vouches for the entry before its own; what stands further left is hearsay.
      let client = peer;
      for (const entry of [req.headers['x-forwarded-for'] ?? ''].flat().join(',').split(',').reverse()) {
        const address = plainAddress(entry.trim());
        if (isIP(address) === 0) break;
        client = address;
        if (!trusts(address)) break;
      }
      return client;
    },
  };
}

/** Takes forwarded headers off a request that came from no configured proxy. */
export function stripForwarded(req: IncomingMessage): void {
  for (const name of PROXY_HEADERS) delete req.headers[name];
}

function peerOf(req: IncomingMessage): string {
  return plainAddress(req.socket.remoteAddress ?? '');
}

/** IPv4 that came in over an IPv6 socket is IPv4; a zone or port is not part of the address. */
function plainAddress(text: string): string {
  const bare = text.replace(/^\[([0-9a-f:.]+)\](?::\d+)?$/i, '$1').replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
  return bare.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '').replace(/%.*$/, '');
}
