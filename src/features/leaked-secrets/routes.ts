import { z } from 'zod';
import { addressGroup } from '../../platform/limits/address.ts';
import type { RequestLimit } from '../../platform/limits/request-limits.ts';
import { type Route, route } from '../../platform/web/route.ts';
import type { LeakedSecrets } from './module.ts';

const isAddress = (text: string) => text === '' || /^https?:$/.test(URL.parse(text)?.protocol ?? '');

const report = z.strictObject({
  secret: z.string(),
  /** Where it was found; a form sends a field that was left empty as well. */
  url: z.string().refine(isAddress, 'leaked_secrets.url').optional(),
});

/** POST /leaked-secrets, for anybody: possession of the secret is all that is asked for. */
export function leakedSecretRoutes(needs: {
  leakedSecrets: LeakedSecrets;
  /** Counts reports by address. */
  limit: Pick<RequestLimit, 'take'>;
}): Route[] {
  const { leakedSecrets, limit } = needs;
  return [
    route(
      {
        method: 'POST',
        path: '/leaked-secrets',
        csrf: false,
        guards: [(ctx) => limit.take(addressGroup(ctx.state.request.address))],
        body: report,
      },
      async (ctx, { body }) => {
        await leakedSecrets.report({ secret: body.secret, url: body.url || undefined }, ctx.state.request);
        // The same for every text, so that nothing is learned by asking.
        ctx.status = 202;
        ctx.set('Cache-Control', 'no-store');
        ctx.body = { message: 'Thank you. If it is a secret of this server, it no longer works.' };
      },
    ),
  ];
}
