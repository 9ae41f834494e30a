import { AppError } from '../../kernel/errors.ts';
import type { RequestInfo } from '../../kernel/request-info.ts';
import type { Tx } from '../../platform/db/database.ts';
import type { Interaction, Needs } from './needs.ts';
import type { ConsentRow, ConsentStore } from './store.ts';

export interface ConsentService {
  /** What the person allowed before: OpenID Connect scopes, and API permissions as `<audience>#<permission>`. */
  remembered(userId: string, clientId: string): Promise<string[]>;
  list(userId: string): Promise<ConsentRow[]>;
  /**
   * Forgets what was allowed and writes it down. Tokens are ended by the caller in the same transaction. False when
   * there was nothing to take back.
   */
  withdraw(
    tx: Tx,
    person: { id: string; name: string },
    client: { id: string; name: string },
    request: RequestInfo,
  ): Promise<boolean>;
  allow(interaction: Interaction, request: RequestInfo): Promise<void>;
  deny(interaction: Interaction, request: RequestInfo): Promise<void>;
}

/** How a consent names what it covers. */
export function consentScopes({ missingScopes, missingPermissions }: Interaction): string[] {
  return [
    ...missingScopes,
    ...missingPermissions.flatMap((api) => api.permissions.map(({ name }) => `${api.audience}#${name}`)),
  ];
}

export function createConsentService(needs: Needs, store: ConsentStore): ConsentService {
  const { db, clock, audit } = needs;

  async function asked(interaction: Interaction, request: RequestInfo) {
    const account = interaction.accountId === undefined ? null : await needs.accounts.byId(interaction.accountId);
    if (account === null) throw new AppError('interaction.expired', { status: 410, detail: 'consent of nobody' });
    return {
      account,
      event: {
        actor: { type: 'user' as const, id: account.id, name: account.email },
        target: { type: 'client', id: interaction.client.id, name: interaction.client.name },
        clientId: interaction.client.id,
        request,
        data: {
          scopes: consentScopes(interaction),
          ...(interaction.rawDetails.length > 0 ? { authorization_details: interaction.rawDetails } : {}),
        },
      },
    };
  }

  return {
    remembered: store.remembered,
    list: store.list,

    async withdraw(tx, person, client, request) {
      if (!(await store.remove(tx, person.id, client.id))) return false;
      await audit.in(tx, {
        action: 'consent.withdraw',
        outcome: 'success',
        actor: { type: 'user', ...person },
        target: { type: 'client', ...client },
        clientId: client.id,
        request,
      });
      return true;
    },

    async allow(interaction, request) {
      const { account, event } = await asked(interaction, request);
      await db.tx(async (tx) => {
        await store.add(tx, account.id, interaction.client.id, event.data.scopes, clock.now());
        await audit.in(tx, { ...event, action: 'consent.grant', outcome: 'success' });
      });
    },

    async deny(interaction, request) {
      const { event } = await asked(interaction, request);
      await audit.record({ ...event, action: 'consent.deny', outcome: 'denied', reason: 'denied_by_person' });
    },
  };
}
