import { z } from 'zod';
import { isPlainText } from '../../kernel/text.ts';
import { certificateRegistration } from '../../platform/crypto/certificate-registration.ts';

/**
 * How a service account proves itself: a generated secret, assertions that it signs (RFC 7523 section 2.2), or the
 * certificate that it connects with (RFC 8705 section 2).
 */
export const AUTH_METHODS = ['secret', 'private_key_jwt', 'certificate'] as const;
export type AuthMethod = (typeof AUTH_METHODS)[number];

/** How long the secret before the new one keeps working, in seconds: what the page offers, and the most. */
export const SECRET_OVERLAPS = [0, 3_600, 86_400, 604_800] as const;
const LONGEST_OVERLAP = 604_800;

const details = {
  name: z.string().trim().min(1, 'required').max(100, 'too_long').refine(isPlainText, 'plain_text'),
  description: z.string().trim().max(300, 'too_long').refine(isPlainText, 'plain_text').default(''),
  /** Name of the team that answers for it; empty: none. */
  owner: z.string().trim().max(60, 'too_long').optional(),
  contact: z.string().trim().max(200, 'too_long').refine(isPlainText, 'plain_text').optional(),
};

/** As `<audience>#<permission>`. */
const permissions = z.array(z.string().max(700, 'too_long')).max(500, 'too_many').default([]);

/** A form sends a field that was left empty as well. */
const NOT_ASKED = 'service_accounts.keys_not_asked';
const noText = z.string(NOT_ASKED).regex(/^\s*$/, NOT_ASKED).optional();
const noKeys = { jwks: noText, jwksUri: noText };
const NO_CERTIFICATE = 'service_accounts.certificate_not_asked';
/** Its kind is a list, in which something is always chosen. */
const noCertificate = {
  certificateKind: z.string().optional(),
  certificate: z.string(NO_CERTIFICATE).regex(/^\s*$/, NO_CERTIFICATE).optional(),
};
const certificate = { certificateKind: z.string('required'), certificate: z.string('required') };

export const createServiceAccountInput = z.discriminatedUnion(
  'auth',
  [
    z.strictObject({
      ...details,
      permissions,
      auth: z.literal('secret').default('secret'),
      ...noKeys,
      ...noCertificate,
    }),
    z.strictObject({
      ...details,
      permissions,
      auth: z.literal('private_key_jwt'),
      // What they hold is looked at by registered-keys.ts.
      jwks: z.unknown().optional(),
      jwksUri: z.string().optional(),
      ...noCertificate,
    }),
    z.strictObject({ ...details, permissions, auth: z.literal('certificate'), ...noKeys, ...certificate }),
  ],
  'invalid',
);
export const updateServiceAccountInput = z.strictObject(details);
export const permissionsInput = z.strictObject({ permissions });

/** Takes `certificateKind` and `certificate`. */
export const certificateInput = certificateRegistration;

export const overlapInput = z.strictObject({
  overlap: z.coerce
    .number('service_accounts.overlap_unknown')
    .int('service_accounts.overlap_unknown')
    .min(0, 'service_accounts.overlap_unknown')
    .max(LONGEST_OVERLAP, 'service_accounts.overlap_unknown'),
});

export interface CreateServiceAccountInput {
  name: string;
  description?: string;
  /** Name of the team that answers for it. */
  owner?: string;
  /** Whom to ask about it: an e-mail address, a chat channel, a page. */
  contact?: string;
  /** As `<audience>#<permission>`. */
  permissions?: string[];
  /** `secret` unless told otherwise. */
  auth?: AuthMethod;
  /** A JWK Set (RFC 7517), as an object or as JSON text; for private_key_jwt alone. */
  jwks?: unknown;
  /** Where it is read from instead (https). */
  jwksUri?: string | undefined;
  /** One of CERTIFICATE_KINDS; for a certificate alone. */
  certificateKind?: string;
  /** The name that it has, or the certificate itself as PEM, as its kind says. */
  certificate?: string;
}
export type UpdateServiceAccountInput = z.input<typeof updateServiceAccountInput>;
