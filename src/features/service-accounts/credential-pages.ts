import { z } from 'zod';
import { AppError } from '../../kernel/errors.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import { AUTH_METHODS } from './schema.ts';
import type { ServiceAccounts, ServiceAccountView } from './service.ts';

const byId = z.strictObject({ id: z.uuid() });
const bySecret = z.strictObject({ id: z.uuid(), secretId: z.uuid() });
const rotateForm = z.strictObject({ overlap: z.coerce.number() });
/** `from`: how the account proved itself when the page was shown. */
const keysForm = z.strictObject({ from: z.enum(AUTH_METHODS), jwks: z.string(), jwksUri: z.string().default('') });

/** A private key that was pasted by mistake is not sent back: it would stand in the page, its cache and its history. */
export function withoutPrivateKeys(form: Invalid): Invalid {
  const code = form.errors.jwks?.code;
  const sensitive = code === 'key_set.private' || code === 'key_set.symmetric';
  return sensitive ? { ...form, values: { ...form.values, jwks: '' } } : form;
}

/** Pages of what an account proves itself with: rotate, revoke, replace, switch. */
export function credentialPages(needs: {
  base: string;
  guards: Guard[];
  issuer: string;
  serviceAccounts: ServiceAccounts;
  existing(id: string): Promise<ServiceAccountView>;
  show(ctx: Ctx, view: string, model: { title: string; [name: string]: unknown }): void;
  secretPage(ctx: Ctx, id: string, secret: string, made: boolean): Promise<void>;
  /** What stands at an address now. @throws AppError */
  readKeys(uri: string): Promise<readonly unknown[]>;
}): Route[] {
  const { base, guards, issuer, serviceAccounts, existing, show, secretPage, readKeys } = needs;

  async function keysPage(ctx: Ctx, id: string, form?: Invalid): Promise<void> {
    const account = await existing(id);
    const switching = account.auth !== 'private_key_jwt';
    const title = ctx.state.t(switching ? 'service_accounts.use_keys' : 'service_accounts.replace_keys');
    show(ctx, 'keys', {
      title,
      account,
      switching,
      issuer,
      ...withoutPrivateKeys(form ?? { values: { jwksUri: account.jwksUri ?? '' }, errors: {} }),
    });
  }

  /** Whether what stands at the address can be used, for people who have just given one. */
  async function tellOfKeysAt(ctx: Ctx, id: string): Promise<void> {
    const { jwksUri } = await existing(id);
    if (jwksUri === null) return;
    try {
      const keys = await readKeys(jwksUri);
      flash(ctx, 'success', 'service_accounts.keys_read', { count: keys.length });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const reason = ctx.state.t(`error.${error.code}`, error.params);
      flash(ctx, 'warning', 'service_accounts.keys_unreadable', { reason });
    }
  }

  return [
    route({ method: 'GET', path: `${base}/:id/keys`, guards, params: byId }, (ctx, { params }) =>
      keysPage(ctx, params.id),
    ),

    route(
      {
        method: 'POST',
        path: `${base}/:id/keys`,
        guards,
        params: byId,
        body: keysForm,
        invalid: (ctx, form, { params }) => keysPage(ctx, params.id, form),
      },
      async (ctx, { params, body }) => {
        const switching = body.from !== 'private_key_jwt';
        const change = switching ? serviceAccounts.useKeys : serviceAccounts.replaceKeys;
        const { jwks, jwksUri } = body;
        await change(params.id, { jwks, jwksUri }, originOf(ctx));
        flash(ctx, 'success', switching ? 'service_accounts.keys_used' : 'service_accounts.keys_replaced');
        await tellOfKeysAt(ctx, params.id);
        seeOther(ctx, `${base}/${params.id}`);
      },
    ),

    route({ method: 'POST', path: `${base}/:id/keys/read`, guards, params: byId }, async (ctx, { params }) => {
      await tellOfKeysAt(ctx, params.id);
      seeOther(ctx, `${base}/${params.id}`);
    }),

    route({ method: 'POST', path: `${base}/:id/use-secret`, guards, params: byId }, async (ctx, { params }) => {
      const { secret } = await serviceAccounts.useSecret(params.id, originOf(ctx));
      await secretPage(ctx, params.id, secret, false);
    }),

    route(
      { method: 'POST', path: `${base}/:id/secrets`, guards, params: byId, body: rotateForm },
      async (ctx, { params, body }) => {
        const { secret } = await serviceAccounts.rotateSecret(params.id, body.overlap, originOf(ctx));
        await secretPage(ctx, params.id, secret, false);
      },
    ),

    route(
      { method: 'POST', path: `${base}/:id/secrets/:secretId/revoke`, guards, params: bySecret },
      async (ctx, { params }) => {
        await serviceAccounts.revokeSecret(params.id, params.secretId, originOf(ctx));
        flash(ctx, 'success', 'service_accounts.secret_revoked');
        seeOther(ctx, `${base}/${params.id}`);
      },
    ),
  ];
}
