import { z } from 'zod';
import { parsePermissionRef } from '../../kernel/permission-ref.ts';
import { TRUST_PRESETS, type TrustPreset } from '../../kernel/workload-trust.ts';
import { describeKey } from '../../platform/crypto/public-key-set.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';
import { accountNotFound, trustNotFound } from './errors.ts';
import { fieldsOf, GITHUB_ISSUER, presetFields } from './presets.ts';
import { KEY_SOURCES, type KeySourceName, MAX_AGE, SINGLE_USE, type TrustInput } from './schema.ts';
import type { WorkloadTrusts } from './service.ts';
import type { TrustRow } from './store.ts';
import { tryIt } from './try-it.ts';

export interface WorkloadTrustPagesNeeds {
  trusts: WorkloadTrusts;
  views: Views;
  /** Lets in admins only. */
  admin: Guard;
  /** Postern's own. */
  issuer: string;
  /** A service account; its permissions as `<audience>#<name>`. */
  account(id: string): Promise<{ id: string; name: string; permissions: string[]; disabledAt: Date | null } | null>;
}

const ACCOUNTS = '/admin/service-accounts';
const BASE = `${ACCOUNTS}/:id/trusts`;

const byAccount = z.strictObject({ id: z.uuid() });
const byPreset = z.strictObject({ id: z.uuid(), preset: z.enum(TRUST_PRESETS) });
const byTrust = z.strictObject({ id: z.uuid(), trustId: z.uuid() });
const fields = Object.values(presetFields).flat();
const text = z.string();
const form = z.strictObject({
  name: text,
  issuer: text,
  keys: z.enum(KEY_SOURCES, 'required').default('discovery'),
  jwksUri: text.default(''),
  jwks: text.default(''),
  audience: text,
  claims: text,
  maxAge: text,
  singleUse: z.enum(['on', 'off'], 'required'),
  ...(Object.fromEntries(fields.map((name) => [name, text.optional()])) as Record<string, z.ZodOptional<z.ZodString>>),
});

/** What a form sends, as the use cases take it. */
function toInput(body: z.output<typeof form>): Omit<TrustInput, 'preset'> {
  const { singleUse, ...texts } = body;
  return { ...(texts as Omit<TrustInput, 'preset' | 'singleUse'>), singleUse: singleUse === 'on' };
}

/** A private key that was pasted by mistake is not sent back: it would stand in the page, its cache and its history. */
function withoutPrivateKeys(given: Invalid): Invalid {
  const code = given.errors.jwks?.code;
  const sensitive = code === 'key_set.private' || code === 'key_set.symmetric';
  return sensitive ? { ...given, values: { ...given.values, jwks: '' } } : given;
}

/** Pages under /admin/service-accounts/:id/trusts; the list stands on the account's own page. */
export function workloadTrustAdminPages(needs: WorkloadTrustPagesNeeds): Route[] {
  const { trusts, views, admin, issuer } = needs;
  const guards = [admin];

  function show(ctx: Ctx, view: string, model: { title: string; [name: string]: unknown }): void {
    views.render(ctx, `workload-trusts/${view}`, model, { layout: 'console' });
  }

  async function accountOf(id: string) {
    const account = await needs.account(id);
    if (!account) throw accountNotFound();
    const base = `${ACCOUNTS}/${id}`;
    return { account, base: `${base}/trusts`, up: { href: base, label: account.name } };
  }

  /** An entry of another account is not there. */
  async function existing(params: { id: string; trustId: string }): Promise<TrustRow> {
    const trust = await trusts.byId(params.trustId);
    if (trust?.serviceAccountId !== params.id) throw trustNotFound();
    return trust;
  }

  async function newPage(ctx: Ctx, params: { id: string; preset: TrustPreset }, given?: Invalid): Promise<void> {
    const { id, preset } = params;
    const values = {
      issuer: preset === 'github_actions' ? GITHUB_ISSUER : '',
      keys: 'discovery',
      audience: issuer,
      maxAge: MAX_AGE.defaults[preset],
      singleUse: SINGLE_USE[preset] ? 'on' : 'off',
    };
    const title = ctx.state.t(`workload_trusts.new_${preset}`);
    show(ctx, 'new', { title, ...(await accountOf(id)), preset, maxAges: MAX_AGE, values, errors: {}, ...given });
  }

  async function editPage(ctx: Ctx, params: { id: string; trustId: string }, given?: Invalid): Promise<void> {
    const trust = await existing(params);
    const { preset, name, audience, maxAge, singleUse, jwks, jwksUri } = trust;
    const values = {
      ...fieldsOf(trust),
      name,
      issuer: trust.issuer,
      keys: keySourceOf(trust),
      jwksUri: jwksUri ?? '',
      jwks: jwks ? JSON.stringify(jwks, null, 1) : '',
      audience,
      maxAge,
      singleUse: singleUse ? 'on' : 'off',
    };
    const title = ctx.state.t('workload_trusts.edit_title');
    const model = { ...(await accountOf(params.id)), trust, preset, maxAges: MAX_AGE };
    show(ctx, 'edit', { title, ...model, values, errors: {}, ...given });
  }

  async function showPage(ctx: Ctx, params: { id: string; trustId: string }): Promise<void> {
    const trust = await existing(params);
    const place = await accountOf(params.id);
    const audiences = new Set(place.account.permissions.map((ref) => parsePermissionRef(ref)?.audience));
    const [resource] = audiences.size > 1 ? audiences : [];
    const request = tryIt({ preset: trust.preset, issuer, audience: trust.audience, resource });
    const keys = trust.jwks?.keys.map(describeKey) ?? [];
    const source = keySourceOf(trust);
    show(ctx, 'show', { title: trust.name, ...place, trust, source, keys, request });
  }

  const change = (path: string, work: (id: string, ctx: Ctx) => Promise<unknown>) =>
    route({ method: 'POST', path: `${BASE}/:trustId/${path}`, guards, params: byTrust }, async (ctx, { params }) => {
      await work((await existing(params)).id, ctx);
      flash(ctx, 'success', `workload_trusts.done_${path}`);
      const account = `${ACCOUNTS}/${params.id}`;
      seeOther(ctx, path === 'delete' ? account : `${account}/trusts/${params.trustId}`);
    });

  return [
    route({ method: 'GET', path: `${BASE}/new`, guards, params: byAccount }, async (ctx, { params }) => {
      const title = ctx.state.t('workload_trusts.new_title');
      show(ctx, 'presets', { title, ...(await accountOf(params.id)), presets: TRUST_PRESETS });
    }),

    route({ method: 'GET', path: `${BASE}/new/:preset`, guards, params: byPreset }, (ctx, { params }) =>
      newPage(ctx, params),
    ),

    route(
      {
        method: 'POST',
        path: `${BASE}/new/:preset`,
        guards,
        params: byPreset,
        body: form,
        invalid: (ctx, given, { params }) => newPage(ctx, params, withoutPrivateKeys(given)),
      },
      async (ctx, { params: { id, preset }, body }) => {
        const made = await trusts.create(id, { ...toInput(body), preset }, originOf(ctx));
        flash(ctx, 'success', 'workload_trusts.made', { name: made.name });
        seeOther(ctx, `${ACCOUNTS}/${id}/trusts/${made.id}`);
      },
    ),

    route({ method: 'GET', path: `${BASE}/:trustId`, guards, params: byTrust }, (ctx, { params }) =>
      showPage(ctx, params),
    ),

    route({ method: 'GET', path: `${BASE}/:trustId/edit`, guards, params: byTrust }, (ctx, { params }) =>
      editPage(ctx, params),
    ),

    route(
      {
        method: 'POST',
        path: `${BASE}/:trustId/edit`,
        guards,
        params: byTrust,
        body: form,
        invalid: (ctx, given, { params }) => editPage(ctx, params, withoutPrivateKeys(given)),
      },
      async (ctx, { params, body }) => {
        await trusts.update((await existing(params)).id, toInput(body), originOf(ctx));
        flash(ctx, 'success', 'workload_trusts.saved');
        seeOther(ctx, `${ACCOUNTS}/${params.id}/trusts/${params.trustId}`);
      },
    ),

    change('disable', (id, ctx) => trusts.disable(id, originOf(ctx))),
    change('enable', (id, ctx) => trusts.enable(id, originOf(ctx))),
    change('delete', (id, ctx) => trusts.remove(id, originOf(ctx))),
  ];
}

function keySourceOf(trust: TrustRow): KeySourceName {
  if (trust.jwks) return 'jwks';
  return trust.jwksUri === null ? 'discovery' : 'jwks_uri';
}
