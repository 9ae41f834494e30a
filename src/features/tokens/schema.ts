import { z } from 'zod';

/** What is issued to somebody; codes, grants and interactions are steps on the way and not listed. */
export const TOKEN_KINDS = ['AccessToken', 'ClientCredentials', 'RefreshToken'] as const;

/** `rotated`: a refresh token that was exchanged for its successor. */
export const TOKEN_STATES = ['active', 'rotated', 'expired', 'revoked'] as const;

export type TokenKind = (typeof TOKEN_KINDS)[number];
export type TokenState = (typeof TOKEN_STATES)[number];

const text = (max: number) =>
  z
    .string()
    .trim()
    .max(max)
    .transform((value) => value || undefined)
    .optional();

/** The filters as they stand in the address of the list; an empty one, or one that is no choice, means "any". */
export const tokenQuery = z.object({
  kind: z.enum(TOKEN_KINDS).optional().catch(undefined),
  state: z.enum(TOKEN_STATES).optional().catch(undefined),
  client: text(200),
  user: text(320),
  service_account: text(200),
  audience: text(500),
  kid: text(100),
  after: text(400),
});
