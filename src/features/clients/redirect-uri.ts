import type { ApplicationType } from '../../kernel/application.ts';

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Every character that RFC 3986 allows; anything else a browser would rewrite, and exact comparison would then fail. */
const URI_CHARACTERS = /^[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/;

/**
 * Why an address can't be registered to send people back to, as an error code; undefined when it can. Redirect URIs are
 * compared as text (RFC 9700 section 2.1), so the rules keep out whatever would make two of them mean the same.
 */
export function redirectUriProblem(type: ApplicationType, uri: string): string | undefined {
  if (uri.includes('*')) return 'clients.redirect_uri_wildcard';
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === undefined || !URI_CHARACTERS.test(uri)) return 'clients.redirect_uri_invalid';
  // RFC 6749 section 3.1.2: the endpoint URI must not include a fragment component.
  if (uri.includes('#')) return 'clients.redirect_uri_fragment';
  if (scheme === 'https' || scheme === 'http') return webAddressProblem(type, scheme, uri);
  if (type !== 'native') return 'clients.redirect_uri_scheme';
  // RFC 8252 section 7.1: a reverse domain name, so that one application's scheme is not another's. It also keeps out
  // javascript:, data: and the like.
  if (!scheme.includes('.') || scheme.endsWith('.')) return 'clients.redirect_uri_private_scheme';
  return URL.canParse(uri) ? undefined : 'clients.redirect_uri_invalid';
}

function webAddressProblem(type: ApplicationType, scheme: 'https' | 'http', uri: string): string | undefined {
  const url = URL.parse(uri);
  if (!url || !/^https?:\/\/[^/]/i.test(uri)) return 'clients.redirect_uri_invalid';
  if (url.username !== '' || url.password !== '' || uri.split(/[/?]/)[2]?.includes('@')) {
    return 'clients.redirect_uri_userinfo';
  }
  const loopback = LOOPBACK_HOSTS.has(url.hostname);
  if (scheme === 'http' && !loopback) return 'clients.redirect_uri_http';
  // RFC 8252 section 7.3: nobody can hold a certificate for a loopback address.
  if (scheme === 'https' && loopback && type === 'native') return 'clients.redirect_uri_https_loopback';
  return undefined;
}
