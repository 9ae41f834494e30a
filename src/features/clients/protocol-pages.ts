import { z } from 'zod';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { ApplicationProtocol } from './application-protocol.ts';
import { APPLICATION_SWITCHES, type ProtocolSwitch } from './protocol-rules.ts';
import { KEY_USES } from './schema.ts';
import type { ApplicationView } from './store.ts';

const byClientId = z.strictObject({ clientId: z.string().regex(/^[\w-]{1,100}$/) });
const ticked = z.literal('on').optional();
const protocolForm = z.strictObject({
  ...(Object.fromEntries(APPLICATION_SWITCHES.map((name) => [name, ticked])) as Record<ProtocolSwitch, typeof ticked>),
  authorizationDetailTypes: z.array(z.string()).default([]),
});
const keysForm = z.strictObject({ jwks: z.string(), use: z.enum(KEY_USES, 'required') });

/** How the page groups its switches. */
const GROUPS: { name: string; switches: readonly ProtocolSwitch[] }[] = [
  { name: 'requests', switches: ['requirePushedRequests', 'requireSignedRequests', 'claimsParameter'] },
  { name: 'answers', switches: ['signedResponses', 'backchannelAuthentication'] },
  { name: 'tokens', switches: ['dpopBound', 'certificateBound'] },
  { name: 'profile', switches: ['fapi'] },
];

/** A private key that was pasted by mistake is not sent back: it would stand in the page, its cache and its history. */
function withoutPrivateKeys(form: Invalid): Invalid {
  const code = form.errors.jwks?.code;
  const sensitive = code === 'key_set.private' || code === 'key_set.symmetric';
  return sensitive ? { ...form, values: { ...form.values, jwks: '' } } : form;
}

/** Pages of how an application speaks the protocol: its switches and its keys. */
export function protocolPages(needs: {
  base: string;
  guards: Guard[];
  applications: ApplicationProtocol;
  existing(clientId: string): Promise<ApplicationView>;
  show(ctx: Ctx, view: string, model: { title: string; [name: string]: unknown }): void;
  secretPage(ctx: Ctx, clientId: string, secret: string, made: boolean): Promise<void>;
}): Route[] {
  const { base, guards, applications, existing, show, secretPage } = needs;

  async function protocolPage(ctx: Ctx, clientId: string, form?: Invalid): Promise<void> {
    const application = await existing(clientId);
    const { settings, switches, detailTypes } = await applications.protocolOf(clientId);
    const groups = GROUPS.map(({ name, switches: all }) => ({
      name,
      switches: all.filter((one) => switches.includes(one)),
    }));
    const values = form ? { authorizationDetailTypes: [], ...form.values } : settings;
    const title = ctx.state.t('clients.protocol_title');
    show(ctx, 'protocol', { title, application, groups, detailTypes, values, errors: form?.errors ?? {} });
  }

  async function keysPage(ctx: Ctx, clientId: string, form?: Invalid): Promise<void> {
    const application = await existing(clientId);
    const { authMethod, keys } = await applications.protocolOf(clientId);
    const proves = authMethod === 'private_key_jwt';
    const shown = withoutPrivateKeys(form ?? { values: { use: proves ? 'authentication' : 'requests' }, errors: {} });
    const title = ctx.state.t(keys.length > 0 ? 'clients.replace_keys' : 'clients.use_keys');
    show(ctx, 'keys', { title, application, proves, uses: KEY_USES, ...shown });
  }

  const path = (rest: string) => `${base}/:clientId/${rest}`;
  const at = { guards, params: byClientId };

  return [
    route({ method: 'GET', path: path('protocol'), ...at }, (ctx, { params }) => protocolPage(ctx, params.clientId)),

    route(
      {
        method: 'POST',
        path: path('protocol'),
        ...at,
        body: protocolForm,
        invalid: (ctx, form, { params }) => protocolPage(ctx, params.clientId, form),
      },
      async (ctx, { params, body }) => {
        const { authorizationDetailTypes, ...switches } = body;
        // An unticked box is not sent. One that was not shown, and so could not be ticked, stays as it was.
        const shown = await applications.protocolOf(params.clientId);
        const change = Object.fromEntries(shown.switches.map((name) => [name, switches[name] === 'on']));
        const unshown = Object.entries(switches).filter(([name]) => !(name in change));
        const types = shown.detailTypes.length > 0 ? { authorizationDetailTypes } : {};
        const rest = Object.fromEntries(unshown.map(([name, value]) => [name, value === 'on' ? true : undefined]));
        await applications.setProtocol(params.clientId, { ...rest, ...change, ...types }, originOf(ctx));
        flash(ctx, 'success', 'clients.protocol_saved');
        seeOther(ctx, `${base}/${params.clientId}`);
      },
    ),

    route({ method: 'GET', path: path('keys'), ...at }, (ctx, { params }) => keysPage(ctx, params.clientId)),

    route(
      {
        method: 'POST',
        path: path('keys'),
        ...at,
        body: keysForm,
        invalid: (ctx, form, { params }) => keysPage(ctx, params.clientId, form),
      },
      async (ctx, { params, body }) => {
        await applications.useKeys(params.clientId, body, originOf(ctx));
        flash(ctx, 'success', 'clients.keys_saved');
        seeOther(ctx, `${base}/${params.clientId}`);
      },
    ),

    route({ method: 'POST', path: path('keys/remove'), ...at }, async (ctx, { params }) => {
      await applications.removeKeys(params.clientId, originOf(ctx));
      flash(ctx, 'success', 'clients.keys_removed');
      seeOther(ctx, `${base}/${params.clientId}`);
    }),

    route({ method: 'POST', path: path('use-secret'), ...at }, async (ctx, { params }) => {
      const { secret } = await applications.useSecret(params.clientId, originOf(ctx));
      await secretPage(ctx, params.clientId, secret, false);
    }),
  ];
}
