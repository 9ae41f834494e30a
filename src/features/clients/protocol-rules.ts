import { z } from 'zod';
import { SIGNING_ALGORITHMS } from '../../kernel/access-token.ts';
import type { ClientSettings } from '../../kernel/client-settings.ts';
import type { FieldError } from '../../kernel/errors.ts';

/** Switches in the order in which a page shows them. */
export const APPLICATION_SWITCHES = [
  'requirePushedRequests',
  'requireSignedRequests',
  'signedResponses',
  'claimsParameter',
  'dpopBound',
  'certificateBound',
  'backchannelAuthentication',
  'fapi',
] as const;
export const SERVICE_SWITCHES = ['dpopBound', 'certificateBound', 'fapi'] as const;

export type ProtocolSwitch = (typeof APPLICATION_SWITCHES)[number];

const one = z.boolean().optional();
const introspectionAlg = z.enum(SIGNING_ALGORITHMS).optional();

/** What is left out stays as it is. */
export const applicationProtocolInput = z.strictObject({
  requirePushedRequests: one,
  requireSignedRequests: one,
  signedResponses: one,
  claimsParameter: one,
  dpopBound: one,
  certificateBound: one,
  backchannelAuthentication: one,
  fapi: one,
  introspectionAlg,
  authorizationDetailTypes: z.array(z.string().min(1).max(200, 'too_long')).max(50, 'too_many').optional(),
});

export const serviceProtocolInput = z.strictObject({
  dpopBound: one,
  certificateBound: one,
  fapi: one,
  introspectionAlg,
});

export type ProtocolChange = z.infer<typeof applicationProtocolInput>;

/** What else of a client decides which switches it can have. */
export interface Standing {
  type: 'web' | 'spa' | 'native' | 'service';
  authMethod: string;
  hasKeys: boolean;
  redirectUris: readonly string[];
}

/** FAPI 2.0 Security Profile section 5.3.2.1. */
const FAPI_AUTHENTICATION: readonly string[] = ['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'];

/** Switches that exclude each other, or that this client can't follow, by the field to change; empty: all is well. */
export function contradictions(settings: ClientSettings, client: Standing): Record<string, FieldError> {
  const isPublic = client.type === 'spa' || client.type === 'native';
  const found: Record<string, FieldError> = {};
  if (settings.requireSignedRequests && !client.hasKeys) {
    found.requireSignedRequests = { code: isPublic ? 'clients.public_has_no_keys' : 'clients.signed_without_keys' };
  }
  if (settings.certificateBound && isPublic) found.certificateBound = { code: 'clients.public_has_no_certificate' };
  else if (settings.certificateBound && settings.dpopBound) found.certificateBound = { code: 'clients.bound_twice' };
  if (settings.backchannelAuthentication && isPublic) {
    found.backchannelAuthentication = { code: 'clients.public_asks_nobody' };
  }
  if (settings.fapi) Object.assign(found, fapiContradictions(settings, client, isPublic));
  return found;
}

function fapiContradictions(settings: ClientSettings, client: Standing, isPublic: boolean): Record<string, FieldError> {
  if (isPublic) return { fapi: { code: 'clients.fapi_public' } };
  const insecure = client.redirectUris.find((uri) => !uri.startsWith('https:'));
  return {
    ...(FAPI_AUTHENTICATION.includes(client.authMethod) ? {} : { fapi: { code: 'clients.fapi_secret' } }),
    ...(insecure === undefined
      ? {}
      : { fapi: { code: 'clients.fapi_http', params: { value: insecure.slice(0, 200) } } }),
    ...(settings.dpopBound || settings.certificateBound ? {} : { dpopBound: { code: 'clients.fapi_unbound' } }),
    ...(client.type === 'service' || settings.requirePushedRequests
      ? {}
      : { requirePushedRequests: { code: 'clients.fapi_unpushed' } }),
    ...(settings.backchannelAuthentication ? { backchannelAuthentication: { code: 'clients.fapi_backchannel' } } : {}),
  };
}

/** The settings with a change in them; what is off is left out, and what no switch changes stays. */
export function changed(before: ClientSettings, change: ProtocolChange): ClientSettings {
  const merged = { ...before, ...change };
  const kept = Object.entries(merged).filter(
    ([, value]) => value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(kept) as ClientSettings;
}
