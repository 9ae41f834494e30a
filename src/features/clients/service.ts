import { check, invalidInput } from '../../kernel/check.ts';
import type { Clock } from '../../kernel/clock.ts';
import { decodeTimeCursor, type Page } from '../../kernel/paging.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { applicationNotFound, noSecret, usesNoSecret } from './errors.ts';
import { standingOf } from './protocol.ts';
import { contradictions } from './protocol-rules.ts';
import { findProtocol } from './protocol-store.ts';
import { type ClientRegistry, type IssuedSecret, newClientId } from './registry.ts';
import {
  type CreateApplicationInput,
  createApplicationInput,
  overlapInput,
  type UpdateApplicationInput,
  updateApplicationInput,
} from './schema.ts';
import * as store from './store.ts';

export interface ApplicationsNeeds {
  /** Ids for texts of the form `<audience>#<permission>`. @throws invalid_input on field `permissions` */
  permissionIds(tx: Tx, refs: readonly string[]): Promise<string[]>;
  /** Ends every token, code and grant of the client. */
  revokeTokens(tx: Tx, clientId: string): Promise<number>;
}

/** Applications that people sign in to: web (with a secret), single-page and native (public, PKCE). */
export interface Applications {
  /** `secret` only for type web. @throws invalid_input */
  create(input: CreateApplicationInput, origin: ChangeBy): Promise<{ clientId: string; secret: string | undefined }>;
  list(filter: { search?: string | undefined; after?: string | undefined }): Promise<Page<store.ApplicationListItem>>;
  byClientId(clientId: string): Promise<store.ApplicationView | null>;
  /** Replaces all of it; the type stays. @throws invalid_input, clients.not_found */
  update(clientId: string, input: UpdateApplicationInput, origin: ChangeBy): Promise<void>;
  /**
   * `overlapSeconds`: one of SECRET_OVERLAPS.
   * @throws invalid_input, clients.not_found, clients.public_has_no_secret, clients.uses_no_secret
   */
  rotateSecret(clientId: string, overlapSeconds: number, origin: ChangeBy): Promise<IssuedSecret>;
  /** @throws clients.not_found, clients.secret_not_found */
  revokeSecret(clientId: string, secretId: string, origin: ChangeBy): Promise<void>;
  /** Its tokens end with it. False where it was so already. @throws clients.not_found */
  disable(clientId: string, origin: ChangeBy): Promise<boolean>;
  enable(clientId: string, origin: ChangeBy): Promise<boolean>;
  /** Its tokens and what people consented to end with it. @throws clients.not_found */
  remove(clientId: string, origin: ChangeBy): Promise<void>;
}

export function createApplications(
  deps: { db: Database; audit: Audit; clock: Clock; registry: ClientRegistry } & ApplicationsNeeds,
): Applications {
  const { db, audit, clock, registry, permissionIds, revokeTokens } = deps;

  async function existing(tx: Tx, clientId: string): Promise<store.ApplicationView> {
    const application = await store.findApplication(tx, clientId, clock.now());
    if (!application) throw applicationNotFound();
    return application;
  }

  const event = (
    action: string,
    application: { clientId: string; name: string },
    origin: ChangeBy,
    data?: Record<string, unknown>,
  ) => {
    const { clientId, name } = application;
    return changeEvent(origin, {
      action,
      target: { type: 'client', id: clientId, name },
      clientId,
      ...(data && { data }),
    });
  };

  const setDisabled = (clientId: string, disabled: boolean, origin: ChangeBy) =>
    db.tx(async (tx) => {
      const application = await existing(tx, clientId);
      if (!(await registry.setDisabled(tx, clientId, disabled))) return false;
      const data = disabled ? { revokedTokens: await revokeTokens(tx, clientId) } : undefined;
      await audit.in(tx, event(disabled ? 'client.disable' : 'client.enable', application, origin, data));
      return true;
    });

  return {
    async create(input, origin) {
      const { type, permissions, ...columns } = check(createApplicationInput, input);
      const clientId = newClientId('app');
      const confidential = type === 'web';
      const scopes = withOpenid(columns.scopes);
      const secret = await db.tx(async (tx) => {
        await store.insertClient(tx, {
          ...columns,
          scopes,
          clientId,
          type,
          authMethod: confidential ? 'client_secret_basic' : 'none',
          at: clock.now(),
        });
        await store.replaceClientPermissions(tx, clientId, await permissionIds(tx, permissions));
        const issued = confidential ? await registry.issueSecret(tx, clientId) : undefined;
        const data = { ...columns, type, scopes, permissions, ...(issued && { secretPrefix: issued.prefix }) };
        await audit.in(tx, event('client.create', { clientId, name: columns.name }, origin, data));
        await registry.touch(tx, clientId);
        return issued?.secret;
      });
      return { clientId, secret };
    },

    list: ({ search, after }) =>
      store.listApplications(db.prisma, {
        search: search?.trim().slice(0, 200),
        after: decodeTimeCursor(after, isClientId),
      }),

    byClientId: (clientId) => store.findApplication(db.prisma, clientId, clock.now()),

    async update(clientId, input, origin) {
      await db.tx(async (tx) => {
        await store.lockClient(tx, clientId);
        const { type } = await existing(tx, clientId);
        const { permissions, ...columns } = check(updateApplicationInput(type), input);
        const scopes = withOpenid(columns.scopes);
        await refuseWeaker(tx, clientId, columns.redirectUris);
        await store.updateClient(tx, clientId, { ...columns, scopes, at: clock.now() });
        await store.replaceClientPermissions(tx, clientId, await permissionIds(tx, permissions));
        const data = { ...columns, scopes, permissions };
        await audit.in(tx, event('client.update', { clientId, name: columns.name }, origin, data));
        await registry.touch(tx, clientId);
      });
    },

    async rotateSecret(clientId, overlapSeconds, origin) {
      const { overlap } = check(overlapInput, { overlap: overlapSeconds });
      return await db.tx(async (tx) => {
        const application = await existing(tx, clientId);
        if (application.type !== 'web') throw noSecret();
        if (application.authMethod !== 'client_secret_basic') throw usesNoSecret();
        const issued = await registry.rotateSecret(tx, clientId, overlap);
        const data = { secretPrefix: issued.prefix, overlapSeconds: overlap };
        await audit.in(tx, event('client.rotate_secret', application, origin, data));
        return issued;
      });
    },

    async revokeSecret(clientId, secretId, origin) {
      await db.tx(async (tx) => {
        const application = await existing(tx, clientId);
        const { prefix } = await registry.revokeSecret(tx, clientId, secretId);
        await audit.in(tx, event('client.revoke_secret', application, origin, { secretPrefix: prefix }));
      });
    },

    disable: (clientId, origin) => setDisabled(clientId, true, origin),
    enable: (clientId, origin) => setDisabled(clientId, false, origin),

    async remove(clientId, origin) {
      await db.tx(async (tx) => {
        const application = await existing(tx, clientId);
        const revokedTokens = await revokeTokens(tx, clientId);
        if (!(await registry.remove(tx, clientId))) throw applicationNotFound();
        await audit.in(tx, event('client.delete', application, origin, { revokedTokens }));
      });
    },
  };
}

/** Under the FAPI profile every address is https. */
async function refuseWeaker(tx: Tx, clientId: string, redirectUris: string[]): Promise<void> {
  const row = await findProtocol(tx, clientId);
  const problem = row && contradictions(row.settings, { ...standingOf(row), redirectUris }).fapi;
  if (problem) throw invalidInput({ redirectUris: problem });
}

const isClientId = (text: string) => /^[\w-]{1,100}$/.test(text);

/** Without `openid` a request is no OpenID Connect request, and none of the other scopes means anything. */
function withOpenid(scopes: readonly string[]): string[] {
  return [...new Set(['openid', ...scopes])];
}
