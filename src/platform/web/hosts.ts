import type { IncomingMessage } from 'node:http';
import type { Config } from '../config/schema.ts';

export interface ServedHost {
  /** As it stands in URLs: with a port where it is not the scheme's own. */
  host: string;
  protocol: 'http' | 'https';
}

/** A host under which only some paths are served, always over https. */
export interface PartialHost {
  host: string;
  serves(path: string): boolean;
}

export interface Hosts {
  /** The host that the request is for, when it is one that is served here. */
  served(req: IncomingMessage, path: string, fromProxy: boolean): ServedHost | undefined;
}

/** Only the issuer's host and the listed aliases are served: discovery and links are made from it. */
export function createHosts(
  { issuerUrl, allowedHosts }: Pick<Config, 'issuerUrl' | 'allowedHosts'>,
  partial?: PartialHost,
): Hosts {
  const own = issuerUrl.protocol === 'https:' ? 'https' : 'http';
  const aliases = new Set(allowedHosts.map((host) => host.toLowerCase()));
  const issuer: ServedHost = { host: issuerUrl.host, protocol: own };

  function match(path: string, host: string, forwardedProtocol: string | undefined): ServedHost | undefined {
    if (host === issuer.host || hostOf(host, own) === issuer.host) return issuer;
    if (partial && hostOf(host, 'https') === partial.host) {
      return partial.serves(path) ? { host: partial.host, protocol: 'https' } : undefined;
    }
    const protocol = forwardedProtocol ?? 'http';
    const alias = hostOf(host, protocol);
    if (alias === undefined || !aliases.has(alias)) return undefined;
    return { host: alias, protocol: protocol === 'https' ? 'https' : 'http' };
  }

  return {
    served(req, path, fromProxy) {
      const forwarded = (name: string): string | undefined => {
        const value = fromProxy ? req.headers[name] : undefined;
        if (value === undefined) return undefined;
        return [value].flat().join(',').split(',').at(-1)?.trim().toLowerCase() || undefined;
      };
      const protocol = forwarded('x-forwarded-proto') ?? ('encrypted' in req.socket ? 'https' : undefined);
      const direct = match(path, req.headers.host ?? '', protocol);
      if (direct !== undefined) return direct;
      const through = forwarded('x-forwarded-host');
      return through === undefined ? undefined : match(path, through, protocol);
    },
  };
}

/** The host as a URL writes it (lower case, default port left out), or undefined for what is no host at all. */
function hostOf(text: string, protocol: string): string | undefined {
  if (!/^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i.test(text)) return undefined;
  return URL.parse(`${protocol}://${text}`)?.host;
}

/** The issuer that an operator would set for the address that was asked for; undefined where it can't be one. */
export function issuerFor(requested: string): string | undefined {
  const plain = hostOf(requested, 'http');
  if (plain === undefined) return undefined;
  // Without TLS an issuer is accepted on the loopback only (OpenID Connect Discovery section 3).
  if (/^(?:localhost|[a-z0-9.-]+\.localhost|127\.[\d.]+|\[::1\])(?::\d+)?$/.test(plain)) return `http://${plain}`;
  const secure = hostOf(requested, 'https');
  return secure === undefined ? undefined : `https://${secure}`;
}
