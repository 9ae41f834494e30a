import { z } from 'zod';
import { APPLICATION_TYPES, OIDC_SCOPES } from '../../kernel/application.ts';

/** `token_endpoint_auth_method` (RFC 7591 section 2): with a secret, with keys of its own, or not at all. */
export const AUTH_METHODS = ['client_secret_basic', 'private_key_jwt', 'none'] as const;
export const GRANT_TYPES = ['authorization_code', 'refresh_token'] as const;

/** What applications that register with one initial access token may be, at registration and at each later change. */
export interface RegistrationPolicy {
  applicationTypes: (typeof APPLICATION_TYPES)[number][];
  grantTypes: (typeof GRANT_TYPES)[number][];
  /** OpenID Connect scopes. */
  scopes: (typeof OIDC_SCOPES)[number][];
  authMethods: (typeof AUTH_METHODS)[number][];
  /** A web application has to bring public keys (jwks or jwks_uri). */
  keysRequired: boolean;
  /** Hosts of redirect URIs: `app.example.com`, `*.example.com` for all below it, `com.example.app:` for a scheme. Empty: any. */
  redirectHosts: string[];
  /** API permissions, as `<audience>#<permission>`, that each application is given at registration. */
  permissions: string[];
}

const HOST = /^(\*\.)?[a-z0-9](?:[a-z0-9-]{0,62}\.)*[a-z0-9-]{1,63}$|^\[[0-9a-f:.]+\]$/;
const SCHEME = /^[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:$/;

const host = z
  .string()
  .trim()
  .toLowerCase()
  .max(255, 'too_long')
  .refine((text) => text === '' || HOST.test(text) || SCHEME.test(text), 'registration.host_invalid');

function some<const T extends readonly [string, ...string[]]>(words: T, defaults: readonly T[number][]) {
  return z
    .array(z.enum(words, 'registration.unknown'))
    .min(1, 'registration.choose_one')
    .max(20, 'too_many')
    .default([...defaults])
    .transform((list) => words.filter((word) => list.includes(word)) as T[number][]);
}

export const policyInput = z
  .strictObject({
    applicationTypes: some(APPLICATION_TYPES, APPLICATION_TYPES),
    grantTypes: some(GRANT_TYPES, GRANT_TYPES),
    scopes: some(OIDC_SCOPES, ['openid', 'profile', 'email']),
    authMethods: some(AUTH_METHODS, AUTH_METHODS),
    keysRequired: z.boolean().default(false),
    redirectHosts: z
      .array(host)
      .max(50, 'too_many')
      .default([])
      .transform((list) => [...new Set(list.filter((entry) => entry !== ''))]),
    permissions: z.array(z.string().max(700, 'too_long')).max(500, 'too_many').default([]),
  })
  .superRefine((policy, context) => {
    const { applicationTypes, authMethods } = policy;
    const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', message, path: [path] });
    if (!policy.grantTypes.includes('authorization_code')) refuse('grantTypes', 'registration.code_needed');
    if (!policy.scopes.includes('openid')) refuse('scopes', 'registration.openid_needed');
    // A type that no method fits could register nothing.
    const isPublic = authMethods.includes('none');
    const confidential = authMethods.some((method) => method !== 'none');
    const unfit = applicationTypes.some((type) => (type === 'web' ? !confidential : !isPublic));
    if (unfit) refuse('authMethods', 'registration.method_missing');
  });

export type PolicyInput = z.input<typeof policyInput>;

/** Whether an address is one that people may be sent back to under the policy; its form was checked before. */
export function allowsAddress({ redirectHosts }: RegistrationPolicy, uri: string): boolean {
  if (redirectHosts.length === 0) return true;
  const url = URL.parse(uri);
  if (!url) return false;
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return redirectHosts.includes(url.protocol);
  return redirectHosts.some((entry) =>
    entry.startsWith('*.') ? url.hostname.endsWith(entry.slice(1)) : url.hostname === entry,
  );
}
