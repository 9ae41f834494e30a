import { isIP, isIPv6 } from 'node:net';
import { ranges, within } from './addresses.ts';

/** Exceptions to "public addresses by https only", as the operator listed them. */
export interface AllowList {
  /** The host of a URL, by its name (or literal address), with or without its port. */
  host(name: string, port: number): boolean;
  /** An address that a host name resolved to. */
  address(address: string, port: number): boolean;
}

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?)*$/i;

interface Entry {
  host: string;
  bits: number | undefined;
  port: number | undefined;
}

/** `host`, `host:port`, `address`, `address:port` (IPv6 in brackets then), `address/bits`; undefined: none of these. */
export function readAllowEntry(text: string): Entry | undefined {
  if (isIP(text) !== 0) return { host: text, bits: undefined, port: undefined };
  const [, network = '', bits = ''] = /^([0-9a-f:.]+)\/(\d{1,3})$/i.exec(text) ?? [];
  if (network !== '') {
    const known = isIP(network);
    return known !== 0 && Number(bits) <= (known === 6 ? 128 : 32)
      ? { host: network, bits: Number(bits), port: undefined }
      : undefined;
  }
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  const port = digits === undefined ? undefined : Number(digits);
  const valid = bracketed === undefined ? isIP(host) !== 0 || HOST_NAME.test(host) : isIPv6(host);
  if (!valid || (port !== undefined && (port < 1 || port > 65_535))) return undefined;
  return { host: host.toLowerCase(), bits: undefined, port };
}

/** Throws a RangeError that names the entry which can't be read. */
export function createAllowList(texts: string[]): AllowList {
  const entries = texts.map((text) => {
    const entry = readAllowEntry(text);
    if (!entry) throw new RangeError(`${text} is no host name, host:port, address or CIDR range`);
    return entry;
  });
  const names = entries.filter(({ host }) => isIP(host) === 0);
  const networks = entries
    .filter(({ host }) => isIP(host) !== 0)
    .map(({ host, bits, port }) => ({ list: ranges([bits === undefined ? host : `${host}/${bits}`]), port }));
  const address = (text: string, port: number) =>
    networks.some((network) => (network.port === undefined || network.port === port) && within(network.list, text));
  return {
    address,
    host: (name, port) =>
      address(name, port) ||
      names.some((entry) => entry.host === name.toLowerCase() && (entry.port === undefined || entry.port === port)),
  };
}
