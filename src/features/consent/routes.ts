import { z } from 'zod';
import { AppError } from '../../kernel/errors.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Route, route } from '../../platform/web/route.ts';
import type { Interaction, Needs } from './needs.ts';
import type { ConsentPages } from './pages.ts';
import type { ConsentService } from './service.ts';

const params = z.strictObject({ uid: z.string().min(1).max(128) });

export function consentRoutes<I extends Interaction>(
  needs: Needs<I>,
  service: ConsentService,
  pages: ConsentPages,
): Route[] {
  async function asking(ctx: Ctx, uid: string, work: (interaction: I) => Promise<void>): Promise<void> {
    const interaction = await needs.interactions.current(ctx);
    if (interaction.uid !== uid) throw new AppError('interaction.expired', { status: 410 });
    if (interaction.prompt !== 'consent') return seeOther(ctx, `/interaction/${uid}`);
    await work(interaction);
  }

  return [
    route({ method: 'GET', path: '/interaction/:uid/consent', params }, (ctx, input) =>
      asking(ctx, input.params.uid, async (interaction) => {
        const account = interaction.accountId === undefined ? null : await needs.accounts.byId(interaction.accountId);
        pages.ask(ctx, interaction, account);
      }),
    ),
    // Saying no is POST /interaction/:uid/abort, as cancelling is at every other page of an interaction.
    route({ method: 'POST', path: '/interaction/:uid/consent', params, body: z.strictObject({}) }, (ctx, input) =>
      asking(ctx, input.params.uid, async (interaction) => {
        await service.allow(interaction, ctx.state.request);
        await needs.interactions.finishConsent(ctx, interaction);
      }),
    ),
  ];
}
