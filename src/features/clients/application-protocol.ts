import { check, invalidInput } from '../../kernel/check.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import { describeKey, type PublicKeySet, type PublicKeyView } from '../../platform/crypto/public-key-set.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { applicationNotFound, needsItsKeys, publicHasNoKeys } from './errors.ts';
import type { ClientProtocol, ProtocolView } from './protocol.ts';
import { standingOf } from './protocol.ts';
import { contradictions } from './protocol-rules.ts';
import { findProtocol, type ProtocolRow, writeKeys } from './protocol-store.ts';
import type { ClientRegistry, IssuedSecret } from './registry.ts';
import { keysInput } from './schema.ts';
import * as store from './store.ts';

/** How an application speaks the protocol: its switches, and the keys that it signs with. */
export interface ApplicationProtocol {
  /** @throws clients.not_found */
  protocolOf(
    clientId: string,
  ): Promise<ProtocolView & { keys: PublicKeyView[]; jwksUri: string | null; authMethod: string }>;
  /** What the change leaves out stays. @throws invalid_input, clients.not_found */
  setProtocol(clientId: string, change: unknown, origin: ChangeBy): Promise<void>;
  /**
   * Its keys from now on, all of them. `use`: for request objects (RFC 9101) alone, or also to prove itself
   * (RFC 7523 section 2.2), and then its secrets end. One that proves itself so already goes on doing it.
   * @throws invalid_input, clients.not_found, clients.public_has_no_keys
   */
  useKeys(clientId: string, input: { jwks: unknown; use: string }, origin: ChangeBy): Promise<void>;
  /** @throws clients.not_found, clients.needs_its_keys */
  removeKeys(clientId: string, origin: ChangeBy): Promise<void>;
  /** It proves itself with a secret again; its keys stay for request objects. @throws clients.not_found, clients.fapi_secret */
  useSecret(clientId: string, origin: ChangeBy): Promise<IssuedSecret>;
}

export function createApplicationProtocol(deps: {
  db: Database;
  audit: Audit;
  clock: Clock;
  registry: ClientRegistry;
  protocol: ClientProtocol;
}): ApplicationProtocol {
  const { db, audit, clock, registry, protocol } = deps;

  async function locked(tx: Tx, clientId: string): Promise<ProtocolRow> {
    await store.lockClient(tx, clientId);
    const row = await findProtocol(tx, clientId);
    if (!row || row.type === 'service') throw applicationNotFound();
    return row;
  }

  const record = (tx: Tx, verb: string, { clientId, name }: ProtocolRow, origin: ChangeBy, data: object) => {
    const target = { type: 'client', id: clientId, name };
    return audit.in(tx, changeEvent(origin, { action: `client.${verb}`, target, clientId, data: { ...data } }));
  };

  return {
    async protocolOf(clientId) {
      const row = await findProtocol(db.prisma, clientId);
      if (!row || row.type === 'service') throw applicationNotFound();
      const view = await protocol.viewOf(db.prisma, clientId);
      const { authMethod, jwks, jwksUri } = row;
      return { ...view, authMethod, keys: (jwks?.keys ?? []).map(describeKey), jwksUri };
    },

    async setProtocol(clientId, change, origin) {
      await db.tx(async (tx) => {
        const row = await locked(tx, clientId);
        const done = await protocol.set(tx, clientId, change);
        if (done) await record(tx, 'protocol', row, origin, done);
      });
    },

    async useKeys(clientId, input, origin) {
      const { jwks, use } = check(keysInput, input);
      await db.tx(async (tx) => {
        const row = await locked(tx, clientId);
        if (row.type !== 'web') throw publicHasNoKeys();
        const switches = use === 'authentication' && row.authMethod !== 'private_key_jwt';
        const revoked = switches ? await registry.secretsOf(tx, clientId) : [];
        if (switches) await store.deleteSecretsExcept(tx, clientId, undefined);
        const authMethod = switches ? 'private_key_jwt' : row.authMethod;
        await writeKeys(tx, clientId, { authMethod, jwks, at: clock.now() });
        await record(tx, 'use_keys', row, origin, {
          use: authMethod === 'private_key_jwt' ? 'authentication' : 'requests',
          keys: toldOf(jwks),
          removedKeys: toldOf(row.jwks),
          revokedSecrets: revoked.map(({ prefix }) => prefix),
        });
        await registry.touch(tx, clientId);
      });
    },

    async removeKeys(clientId, origin) {
      await db.tx(async (tx) => {
        const row = await locked(tx, clientId);
        const problems = contradictions(row.settings, { ...standingOf(row), hasKeys: false });
        const proves = row.authMethod === 'private_key_jwt' || row.authMethod === 'self_signed_tls_client_auth';
        if (proves || problems.requireSignedRequests) throw needsItsKeys();
        await writeKeys(tx, clientId, { authMethod: row.authMethod, jwks: null, at: clock.now() });
        await record(tx, 'use_keys', row, origin, { keys: [], removedKeys: toldOf(row.jwks) });
        await registry.touch(tx, clientId);
      });
    },

    useSecret: (clientId, origin) =>
      db.tx(async (tx) => {
        const row = await locked(tx, clientId);
        if (row.type !== 'web') throw publicHasNoKeys();
        if (row.authMethod === 'client_secret_basic') throw invalidInput({ auth: { code: 'clients.uses_secret' } });
        registry.allowSecret(row.settings);
        await store.deleteSecretsExcept(tx, clientId, undefined);
        const { jwks, jwksUri } = row;
        await writeKeys(tx, clientId, { authMethod: 'client_secret_basic', jwks, jwksUri, at: clock.now() });
        const issued = await registry.issueSecret(tx, clientId);
        await record(tx, 'use_secret', row, origin, { secretPrefix: issued.prefix });
        return issued;
      }),
  };
}

/** What the audit log keeps of a set. */
function toldOf(set: PublicKeySet | null): { kid: string; thumbprint: string }[] {
  return (set?.keys ?? []).map(describeKey).map(({ kid, thumbprint }) => ({ kid, thumbprint }));
}
