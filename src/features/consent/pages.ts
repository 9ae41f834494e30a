import type { Ctx } from '../../platform/web/context.ts';
import type { Interaction, Needs } from './needs.ts';

export interface ConsentPages {
  ask(ctx: Ctx, interaction: Interaction, account: { email: string } | null): void;
}

/** Scopes with words of their own in the locale files; another one is shown by its name. */
const described = new Set(['openid', 'profile', 'email', 'roles', 'groups', 'offline_access']);

export function createConsentPages({ views }: Pick<Needs, 'views'>): ConsentPages {
  return {
    ask(ctx, { uid, client, missingScopes, missingPermissions, details, redirectHost }, account) {
      const model = {
        title: ctx.state.t('consent.title', { application: client.name }),
        base: `/interaction/${uid}`,
        application: client.name,
        email: account?.email ?? '',
        redirectHost,
        remembered: client.type === 'web',
        details,
        scopes: missingScopes.map((name) => ({ name, key: described.has(name) ? `consent.scope.${name}` : undefined })),
        apis: missingPermissions.map(({ apiName, audience, permissions }) => ({ apiName, audience, permissions })),
      };
      views.render(ctx, 'consent/ask', model, { layout: 'plain' });
    },
  };
}
