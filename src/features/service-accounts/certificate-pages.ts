import { z } from 'zod';
import { CERTIFICATE_KINDS } from '../../platform/crypto/certificate-registration.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import { AUTH_METHODS } from './schema.ts';
import type { ServiceAccounts, ServiceAccountView } from './service.ts';

const byId = z.strictObject({ id: z.uuid() });
/** `from`: how the account proved itself when the page was shown. */
const certificateForm = z.strictObject({
  from: z.enum(AUTH_METHODS),
  certificateKind: z.enum(CERTIFICATE_KINDS),
  certificate: z.string(),
});

/** A private key that was pasted by mistake is not sent back. */
export function withoutPrivateKey(form: Invalid): Invalid {
  const leaked = /PRIVATE KEY-----/.test(String(form.values.certificate ?? ''));
  return leaked ? { ...form, values: { ...form.values, certificate: '' } } : form;
}

/** The page on which an account is given a certificate, or another one. */
export function certificatePages(needs: {
  base: string;
  guards: Guard[];
  serviceAccounts: ServiceAccounts;
  existing(id: string): Promise<ServiceAccountView>;
  show(ctx: Ctx, view: string, model: { title: string; [name: string]: unknown }): void;
}): Route[] {
  const { base, guards, serviceAccounts, existing, show } = needs;

  async function page(ctx: Ctx, id: string, form?: Invalid): Promise<void> {
    const account = await existing(id);
    const switching = account.auth !== 'certificate';
    const title = ctx.state.t(switching ? 'service_accounts.use_certificate' : 'service_accounts.replace_certificate');
    const { subject } = account;
    const values = subject ? { certificateKind: subject.kind, certificate: subject.value } : {};
    const shown = form && withoutPrivateKey(form);
    show(ctx, 'certificate', { title, account, switching, kinds: CERTIFICATE_KINDS, values, errors: {}, ...shown });
  }

  return [
    route({ method: 'GET', path: `${base}/:id/certificate`, guards, params: byId }, (ctx, { params }) =>
      page(ctx, params.id),
    ),

    route(
      {
        method: 'POST',
        path: `${base}/:id/certificate`,
        guards,
        params: byId,
        body: certificateForm,
        invalid: (ctx, form, { params }) => page(ctx, params.id, form),
      },
      async (ctx, { params, body: { from, ...input } }) => {
        const switching = from !== 'certificate';
        const change = switching ? serviceAccounts.useCertificate : serviceAccounts.replaceCertificate;
        await change(params.id, input, originOf(ctx));
        flash(ctx, 'success', `service_accounts.certificate_${switching ? 'used' : 'replaced'}`);
        seeOther(ctx, `${base}/${params.id}`);
      },
    ),
  ];
}
