import type { Ctx } from '../../platform/web/context.ts';
import type { Route } from '../../platform/web/route.ts';
import type { Interaction, Needs } from './needs.ts';
import { createConsentPages } from './pages.ts';
import { consentRoutes } from './routes.ts';
import { type ConsentService, createConsentService } from './service.ts';
import { createConsentStore } from './store.ts';

export type { Interaction, Needs } from './needs.ts';

/** What a person lets an application do in their name: asking, remembering, taking back. */
export interface Consents<I extends Interaction> extends Omit<ConsentService, 'allow' | 'deny'> {
  /** The person said no, on the consent page or by cancelling. */
  deny(ctx: Ctx, interaction: I): Promise<void>;
  routes: Route[];
}

export function createConsents<I extends Interaction>(needs: Needs<I>): Consents<I> {
  const service = createConsentService(needs, createConsentStore(needs.db));
  async function deny(ctx: Ctx, interaction: I): Promise<void> {
    await service.deny(interaction, ctx.state.request);
    await needs.interactions.abort(ctx, interaction, 'access_denied');
  }
  return {
    remembered: service.remembered,
    list: service.list,
    withdraw: service.withdraw,
    deny,
    routes: consentRoutes(needs, service, createConsentPages(needs)),
  };
}
