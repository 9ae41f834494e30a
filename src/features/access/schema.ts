import { z } from 'zod';
import { CLAIM_PROFILES, SIGNING_ALGORITHMS, TOKEN_FORMATS } from '../../kernel/access-token.ts';
import { isPlainText } from '../../kernel/text.ts';

/** Names that OpenID Connect gives a meaning of its own: as a permission they would be ambiguous in `scope`. */
const RESERVED_SCOPES = new Set([
  'openid',
  'profile',
  'email',
  'address',
  'phone',
  'roles',
  'groups',
  'offline_access',
]);

/** Seconds: long enough to be worth a request, short enough for a revoked permission to end soon. */
export const TOKEN_TTL = { min: 60, max: 3600, default: 300 } as const;

const displayName = z.string().trim().min(1, 'required').max(100, 'too_long').refine(isPlainText, 'plain_text');
const description = z.string().trim().max(300, 'too_long').refine(isPlainText, 'plain_text').default('');

/** RFC 8707 section 2: an absolute URI without a fragment; it is compared as text, so it is kept as it was typed. */
const audience = z
  .string()
  .trim()
  .min(1, 'required')
  .max(500, 'too_long')
  .refine(isAudience, 'apis.audience_not_uri')
  .refine((text) => !text.includes('#'), 'apis.audience_fragment');

function isAudience(text: string): boolean {
  // RFC 3986 section 4.3. The text may hold no character that would have to be encoded in a URI.
  return /^[a-z][a-z0-9+.-]*:[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/i.test(text) && URL.canParse(text);
}

const permissionName = z
  .string()
  .trim()
  .min(1, 'required')
  .max(100, 'too_long')
  // scope-token, RFC 6749 section 3.3.
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'apis.permission_characters')
  .refine((name) => !RESERVED_SCOPES.has(name), 'apis.permission_reserved');

/** Seconds that a token for the API is good for. */
const lifetime = z.coerce
  .number('apis.token_ttl_range')
  .int('apis.token_ttl_range')
  .min(TOKEN_TTL.min, 'apis.token_ttl_range')
  .max(TOKEN_TTL.max, 'apis.token_ttl_range');

const tokenFormat = z.enum(TOKEN_FORMATS, 'apis.token_format');
/** Of its JWTs; kept while its tokens are opaque. */
const signingAlg = z.enum(SIGNING_ALGORITHMS, 'apis.signing_alg');
const claimProfile = z.enum(CLAIM_PROFILES, 'apis.claim_profile');

export const permissionInput = z.strictObject({ name: permissionName, description });

const permissions = z
  .array(permissionInput)
  .max(200, 'too_many')
  .superRefine((list, context) => {
    const seen = new Set<string>();
    list.forEach(({ name }, index) => {
      if (seen.has(name)) {
        context.addIssue({ code: 'custom', message: 'apis.permission_twice', params: { value: name }, path: [index] });
      }
      seen.add(name);
    });
  });

export const createApiInput = z.strictObject({
  audience,
  /** What people see; the audience where none is given. */
  name: displayName.optional(),
  permissions: permissions.default([]),
  lifetime: lifetime.default(TOKEN_TTL.default),
  tokenFormat: tokenFormat.default('jwt'),
  signingAlg: signingAlg.default('ES256'),
  claimProfile: claimProfile.default('standard'),
});

/** What is left out of the form of its tokens stays as it is. */
export const updateApiInput = z.strictObject({
  name: displayName,
  lifetime,
  tokenFormat: tokenFormat.optional(),
  signingAlg: signingAlg.optional(),
  claimProfile: claimProfile.optional(),
});

/** Names of roles. */
const includes = z.array(z.string().max(60, 'too_long')).max(100, 'too_many');

const permissionRefs = z.array(z.string().max(700, 'too_long')).max(500, 'too_many');

export const createRoleInput = z.strictObject({
  // Roles travel in tokens as bare strings.
  name: z
    .string()
    .trim()
    .min(1, 'required')
    .max(60, 'too_long')
    .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]*$/, 'roles.name_characters')
    // Its page would stand where the form for a new role does.
    .refine((name) => name !== 'new', 'roles.name_reserved'),
  description,
  /** As `<audience>#<permission>`. */
  permissions: permissionRefs.default([]),
  includes: includes.default([]),
});

/** Inclusions that are left out stay as they are. */
export const updateRoleInput = z.strictObject({
  description,
  permissions: permissionRefs,
  includes: includes.optional(),
});

export type CreateApiInput = z.input<typeof createApiInput>;
export type UpdateApiInput = z.input<typeof updateApiInput>;
export type PermissionInput = z.input<typeof permissionInput>;
export type CreateRoleInput = z.input<typeof createRoleInput>;
export type UpdateRoleInput = z.input<typeof updateRoleInput>;
