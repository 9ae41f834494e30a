import { errors } from 'oidc-provider';
import type { ClientRecord } from '../client-source.ts';

/** Why a service account gets nothing of what it asked for: the refusals of resources.ts, for requests without it. */
export function whyNotGranted(
  { facts }: ClientRecord,
  asked: { scopes: string[] | undefined; resource: string | undefined },
): errors.OIDCProviderError {
  const { scopes, resource } = asked;
  const held = facts.permissions.filter(({ audience }) => resource === undefined || audience === resource);
  if (resource !== undefined) {
    const uri = URL.parse(resource)?.href;
    if (!uri) return new errors.InvalidTarget('resource indicator must be an absolute URI');
    if (uri.includes('#')) return new errors.InvalidTarget('resource indicator must not contain a fragment component');
    if (held.length === 0) {
      return new errors.InvalidTarget('the resource is unknown, or this client holds no permission on it');
    }
  }
  if (held.some(({ name }) => !scopes || scopes.includes(name))) {
    return new errors.InvalidTarget(
      'this client holds permissions on several APIs: name one with the resource parameter',
    );
  }
  return new errors.InvalidScope('none of the requested scopes is assigned to this client', scopes?.join(' ') ?? '');
}
