import { z } from 'zod';
import { APPLICATION_TYPES, type ApplicationType, OIDC_SCOPES } from '../../kernel/application.ts';
import { isPlainText } from '../../kernel/text.ts';
import { publicKeySet } from '../../platform/crypto/public-key-set.ts';
import { redirectUriProblem } from './redirect-uri.ts';

const KNOWN_SCOPES: ReadonlySet<string> = new Set(OIDC_SCOPES);

/** How long the secret before the new one keeps working, in seconds. */
export const SECRET_OVERLAPS = [0, 3_600, 86_400, 604_800] as const;

const uris = z.array(z.string().trim().max(2_000, 'too_long')).max(50, 'too_many');

const shape = {
  name: z.string().trim().min(1, 'required').max(100, 'too_long').refine(isPlainText, 'plain_text'),
  redirectUris: uris,
  postLogoutRedirectUris: uris.default([]),
  scopes: z
    .array(z.string().refine((scope) => KNOWN_SCOPES.has(scope), 'clients.scope_unknown'))
    .default(['openid', 'profile', 'email']),
  /** As `<audience>#<permission>`. */
  permissions: z.array(z.string().max(700, 'too_long')).max(500, 'too_many').default([]),
  /** Consent is not asked. */
  firstParty: z.boolean().default(false),
};

const applicationType = z.enum(APPLICATION_TYPES, 'clients.type_unknown');

interface UriLists {
  redirectUris: string[];
  postLogoutRedirectUris: string[];
}

/** Errors name the line that is wrong and repeat it, because people paste long lists; blank lines count as lines. */
function checkUris(type: ApplicationType, application: UriLists, context: z.RefinementCtx): void {
  if (application.redirectUris.every((uri) => uri === '')) {
    context.addIssue({ code: 'custom', message: 'required', path: ['redirectUris'] });
  }
  for (const field of ['redirectUris', 'postLogoutRedirectUris'] as const) {
    const list = application[field];
    list.forEach((uri, index) => {
      if (uri === '') return;
      const message =
        redirectUriProblem(type, uri) ?? (list.indexOf(uri) < index ? 'clients.redirect_uri_twice' : undefined);
      if (message === undefined) return;
      context.addIssue({ code: 'custom', message, params: { value: uri.slice(0, 200) }, path: [field, index] });
    });
  }
}

function withoutBlankLines<T extends UriLists>(application: T): T {
  const filled = (list: string[]) => list.filter((uri) => uri !== '');
  const { redirectUris, postLogoutRedirectUris } = application;
  return {
    ...application,
    redirectUris: filled(redirectUris),
    postLogoutRedirectUris: filled(postLogoutRedirectUris),
  };
}

export const createApplicationInput = z
  .strictObject({ ...shape, type: applicationType })
  .superRefine((application, context) => checkUris(application.type, application, context))
  .transform(withoutBlankLines);

/** The type is for ever: it decides how the application proves itself. */
export function updateApplicationInput(type: ApplicationType) {
  return z
    .strictObject(shape)
    .superRefine((application, context) => checkUris(type, application, context))
    .transform(withoutBlankLines);
}

export const overlapInput = z.strictObject({
  overlap: z.coerce
    .number('clients.overlap_unknown')
    .refine((seconds) => SECRET_OVERLAPS.some((overlap) => overlap === seconds), 'clients.overlap_unknown'),
});

/** What an application's keys are for: its request objects alone, or also its assertions. */
export const KEY_USES = ['requests', 'authentication'] as const;

export const keysInput = z.strictObject({ jwks: publicKeySet, use: z.enum(KEY_USES, 'required') });

export type CreateApplicationInput = z.input<typeof createApplicationInput>;
export type UpdateApplicationInput = z.input<ReturnType<typeof updateApplicationInput>>;
