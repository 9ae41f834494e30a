import type { KoaContextWithOIDC } from 'oidc-provider';
import type { ProviderPages } from '../oidc/settings.ts';
import type { Ctx } from '../platform/web/context.ts';
import type { Views } from '../platform/web/views.ts';

/** Which words explain an error of the protocol to the person who sees it. */
function kindOf(error: string, description: string | undefined, status: number): string {
  if (status >= 500) return 'server';
  if (error === 'invalid_client') return 'unknown_client';
  if (error === 'invalid_redirect_uri' || description?.includes('redirect_uri')) return 'redirect_uri';
  if (error === 'session_not_found' || error === 'invalid_request_uri') return 'expired';
  if (description?.includes('expired') || description?.includes('session')) return 'expired';
  return 'request';
}

/** The provider's own pages: they look like every other page of the product. */
export function createProviderPages(views: Views): ProviderPages {
  const page = (ctx: KoaContextWithOIDC): Ctx => ctx as unknown as Ctx;

  return {
    error(ctx, { error, error_description: description }) {
      const kind = kindOf(error, description, ctx.status);
      const title = page(ctx).state.t(`provider_error.${kind}.title`);
      views.render(page(ctx), 'sign-in/provider-error', { title, kind, code: error, description });
    },
    confirmSignOut(ctx, form) {
      const title = page(ctx).state.t('signed_out.confirm.heading');
      views.render(page(ctx), 'signed-out/confirm', { title, form, application: ctx.oidc.client?.clientName });
    },
    signedOut(ctx) {
      const title = page(ctx).state.t('signed_out.done.heading');
      views.render(page(ctx), 'signed-out/done', { title, application: ctx.oidc.client?.clientName });
    },
  };
}
