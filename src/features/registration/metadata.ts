import { z } from 'zod';
import type { ApplicationType } from '../../kernel/application.ts';
import { isPlainText } from '../../kernel/text.ts';
import { type PublicKeySet, publicKeySet, type RegisteredKeys } from '../../platform/crypto/public-key-set.ts';
import { allowsAddress, type RegistrationPolicy } from './policy.ts';

/** Client metadata (RFC 7591 section 2) that is kept as it was told: it is shown to admins and given back, never fetched. */
export interface ToldMetadata {
  client_uri?: string | undefined;
  logo_uri?: string | undefined;
  policy_uri?: string | undefined;
  tos_uri?: string | undefined;
  contacts?: string[] | undefined;
  software_id?: string | undefined;
  software_version?: string | undefined;
}

/** What a request describes, once it was held against the policy. */
export interface DescribedApplication {
  name: string;
  type: ApplicationType;
  authMethod: 'client_secret_basic' | 'private_key_jwt' | 'none';
  keys: RegisteredKeys | undefined;
  redirectUris: string[];
  postLogoutRedirectUris: string[];
  scopes: string[];
  refreshTokens: boolean;
  /** What it wants to be held to; absent: not asked for. */
  pushedRequests: boolean;
  dpopBound: boolean;
  told: ToldMetadata;
}

/** RFC 7591 section 3.2.2. */
export interface MetadataRefusal {
  error: 'invalid_redirect_uri' | 'invalid_client_metadata' | 'unapproved_software_statement';
  description: string;
}

export interface MetadataRules {
  /** Why an address can't be registered to send people back to, as an error code. */
  uriProblem(type: ApplicationType, uri: string): string | undefined;
  /** Why nothing can be asked of an address, as an error code. */
  addressProblem(url: string): string | undefined;
}

const line = (max: number) =>
  z
    .string()
    .trim()
    .max(max, `is longer than ${max} characters`)
    .refine((text) => text.isWellFormed() && isPlainText(text), 'holds characters that are not shown');
const strings = (max: number, each: number) =>
  z.array(z.string().max(each, `is longer than ${each} characters`)).max(max);
const page = line(2_000).refine(
  (text) => /^https:\/\/[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/i.test(text) && URL.canParse(text),
  {
    message: 'is not an https address',
  },
);
/** Only what holds here anyway can be asked for: nothing that a client relies on is left out without a word. */
const only = <T extends string | boolean>(value: T) => z.literal(value, `can only be ${value} here`).optional();

const metadata = z.object({
  client_name: line(100).optional(),
  application_type: z.enum(['web', 'native']).optional(),
  redirect_uris: strings(50, 2_000).min(1, 'needs an address').optional(),
  post_logout_redirect_uris: strings(50, 2_000).default([]),
  response_types: strings(10, 100).default(['code']),
  grant_types: strings(20, 200).optional(),
  scope: z.string().max(1_000).optional(),
  token_endpoint_auth_method: z.string().max(100).optional(),
  jwks: publicKeySet.optional(),
  jwks_uri: z.string().max(2_000).optional(),
  subject_type: only('public'),
  id_token_signed_response_alg: only('ES256'),
  require_pushed_authorization_requests: z.boolean().default(false),
  dpop_bound_access_tokens: z.boolean().default(false),
  require_signed_request_object: only(false),
  tls_client_certificate_bound_access_tokens: only(false),
  backchannel_logout_session_required: only(false),
  frontchannel_logout_session_required: only(false),
  client_uri: page.optional(),
  logo_uri: page.optional(),
  policy_uri: page.optional(),
  tos_uri: page.optional(),
  contacts: z.array(line(254)).max(10).optional(),
  software_id: line(200).optional(),
  software_version: line(100).optional(),
});

type Metadata = z.output<typeof metadata>;

/**
 * Asking for one of these is asking for a protection, or a way of being told something, that would not be there. What
 * else is not known is left out, as RFC 7591 section 2 has it.
 */
const UNSUPPORTED =
  /^(?:sector_identifier_uri|request_uris|initiate_login_uri|\w+_encrypted_response_(?:alg|enc)|request_object_encryption_(?:alg|enc)|userinfo_signed_response_alg|(?:back|front)channel_logout_uri|backchannel_(?:token_delivery_mode|client_notification_endpoint|authentication_request_signing_alg|user_code_parameter)|tls_client_auth_\w+|authorization_(?:encrypted|signed)_response_(?:alg|enc)|authorization_details_types|default_acr_values)$/;

/** What the request asks for, or the first reason to refuse it, which names the field. */
export function readMetadata(
  given: Record<string, unknown>,
  policy: RegistrationPolicy,
  rules: MetadataRules,
): DescribedApplication | MetadataRefusal {
  if (given.software_statement !== undefined) {
    return { error: 'unapproved_software_statement', description: 'software statements are not accepted here' };
  }
  const unsupported = Object.keys(given).find((name) => UNSUPPORTED.test(name) && given[name] !== false);
  if (unsupported !== undefined) return refused(unsupported, 'is not supported here');
  const read = metadata.safeParse(given);
  if (!read.success) return refusedBy(read.error);
  const { data } = read;
  const standing = standingOf(data, policy);
  if ('error' in standing) return standing;
  const problem = addressProblems(data, standing.type, policy, rules) ?? keyProblem(data, standing, policy, rules);
  if (problem) return problem;
  const scopes = scopesOf(data, policy);
  if ('error' in scopes) return scopes;
  const redirectUris = data.redirect_uris ?? [];
  const { client_uri, logo_uri, policy_uri, tos_uri, contacts, software_id, software_version } = data;
  return {
    ...standing,
    name: data.client_name || nameOf(redirectUris[0] ?? ''),
    keys: keysOf(data),
    redirectUris,
    postLogoutRedirectUris: data.post_logout_redirect_uris,
    scopes: scopes.scopes,
    pushedRequests: data.require_pushed_authorization_requests,
    dpopBound: data.dpop_bound_access_tokens,
    told: { client_uri, logo_uri, policy_uri, tos_uri, contacts, software_id, software_version },
  };
}

function refused(field: string, what: string): MetadataRefusal {
  const error = field.startsWith('redirect_uris') ? 'invalid_redirect_uri' : 'invalid_client_metadata';
  return { error, description: `${field} ${what}` };
}

function refusedBy({ issues }: z.ZodError): MetadataRefusal {
  const [issue] = issues;
  const [name = '', index] = issue?.path ?? [];
  const field = typeof index === 'number' ? `${String(name)}[${index}]` : String(name);
  if (name === 'jwks') return refused('jwks', `is no set of public keys that can be used here (${issue?.message})`);
  // Messages of the schema's own begin with a small letter; the rest speak of types.
  return refused(field, issue && /^[a-z]/.test(issue.message) ? issue.message : 'is not valid');
}

/** RFC 7591 section 2: what is left out has a default; a native application can't keep a secret (RFC 8252 section 8.4). */
function standingOf(
  data: Metadata,
  policy: RegistrationPolicy,
): Pick<DescribedApplication, 'type' | 'authMethod' | 'refreshTokens'> | MetadataRefusal {
  const native = data.application_type === 'native';
  const method = data.token_endpoint_auth_method ?? (native ? 'none' : 'client_secret_basic');
  const authMethod = policy.authMethods.find((one) => one === method);
  if (!authMethod) return refused('token_endpoint_auth_method', `can be ${policy.authMethods.join(' or ')}`);
  if (native && authMethod !== 'none') {
    return refused('token_endpoint_auth_method', 'has to be none for a native application');
  }
  const type = native ? 'native' : authMethod === 'none' ? 'spa' : 'web';
  if (!policy.applicationTypes.includes(type)) {
    return refused('application_type', `and its authentication make this a ${type} application, which is not allowed`);
  }
  if (data.response_types.length !== 1 || data.response_types[0] !== 'code') {
    return refused('response_types', 'can only be code');
  }
  const grants = data.grant_types ?? ['authorization_code'];
  const unknown = grants.find((grant) => !policy.grantTypes.some((one) => one === grant));
  if (unknown !== undefined || !grants.includes('authorization_code')) {
    return refused('grant_types', `can be ${policy.grantTypes.join(' and ')}`);
  }
  return { type, authMethod, refreshTokens: grants.includes('refresh_token') };
}

/** What each code of the registry's rules means to whoever wrote the request. */
const URI_PROBLEMS: Record<string, string> = {
  wildcard: 'has a wildcard',
  fragment: 'has a fragment',
  userinfo: 'has a user name in it',
  http: 'has to be https; http is for the loopback interface only',
  scheme: 'has to be https',
  private_scheme: 'needs a scheme that is a reversed domain name, such as com.example.app',
  https_loopback: 'has to be http on the loopback interface',
};

function addressProblems(
  data: Metadata,
  type: ApplicationType,
  policy: RegistrationPolicy,
  rules: MetadataRules,
): MetadataRefusal | undefined {
  if (!data.redirect_uris) return refused('redirect_uris', 'is missing');
  for (const field of ['redirect_uris', 'post_logout_redirect_uris'] as const) {
    const list = data[field] ?? [];
    for (const [index, uri] of list.entries()) {
      const code = rules.uriProblem(type, uri)?.replace('clients.redirect_uri_', '');
      const what =
        (code !== undefined && (URI_PROBLEMS[code] ?? 'is not a full address')) ||
        (list.indexOf(uri) < index && 'stands in the list twice') ||
        (!allowsAddress(policy, uri) && 'is at a host that is not allowed');
      if (what) return refused(`${field}[${index}]`, what);
    }
  }
  return undefined;
}

function keyProblem(
  data: Metadata,
  standing: Pick<DescribedApplication, 'type' | 'authMethod'>,
  policy: RegistrationPolicy,
  rules: MetadataRules,
): MetadataRefusal | undefined {
  const { jwks, jwks_uri: uri } = data;
  if (jwks && uri !== undefined) return refused('jwks', 'and jwks_uri exclude each other');
  if (uri !== undefined && (!URL.canParse(uri) || rules.addressProblem(uri) !== undefined)) {
    return refused('jwks_uri', 'has to be an https address that is reached from here');
  }
  const given = jwks !== undefined || uri !== undefined;
  if (given && standing.type !== 'web') return refused(jwks ? 'jwks' : 'jwks_uri', 'is for web applications only');
  const needed = standing.authMethod === 'private_key_jwt' || (policy.keysRequired && standing.type === 'web');
  return needed && !given ? refused('jwks', 'or jwks_uri is missing') : undefined;
}

function keysOf({ jwks, jwks_uri: uri }: Metadata): PublicKeySet | { uri: string } | undefined {
  return uri === undefined ? jwks : { uri: new URL(uri).href };
}

function scopesOf({ scope }: Metadata, policy: RegistrationPolicy): { scopes: string[] } | MetadataRefusal {
  if (scope === undefined) return { scopes: policy.scopes };
  const asked = scope.split(' ').filter((one) => one !== '');
  const unknown = asked.some((one) => !policy.scopes.some((allowed) => allowed === one));
  // Without openid a request is no OpenID Connect request, and none of the other scopes means anything.
  return unknown
    ? refused('scope', `can hold ${policy.scopes.join(' ')}`)
    : { scopes: [...new Set(['openid', ...asked])] };
}

/** What people read on the consent page where it gave no name: where they are sent back to. */
function nameOf(uri: string): string {
  const url = URL.parse(uri);
  // Behind a scheme of an application's own, what looks like a host is none: the scheme says whose it is.
  const place = url && /^https?:$/.test(url.protocol) ? url.host : url?.protocol.slice(0, -1);
  return (place || 'Application').slice(0, 100);
}
