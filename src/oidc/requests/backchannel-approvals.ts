import type Provider from 'oidc-provider';
import type { Clock } from '../../kernel/clock.ts';
import { epochSeconds } from '../../kernel/clock.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { AccountSource } from '../account-source.ts';
import { CLAIMS } from '../claims.ts';
import type { ClientRecord, ClientSource } from '../client-source.ts';
import { type AskedFor, giveTo } from '../grants.ts';
import type { AskedPermissions } from '../interactions.ts';
import { KIND } from './backchannel-store.ts';
import { type Detail, type DetailInWords, type DetailTypeMap, inWords, parseDetails } from './detail-types.ts';

/** A request that waits for its person (OpenID Connect CIBA). */
export interface Approval {
  id: string;
  client: { id: string; name: string };
  bindingMessage: string | undefined;
  /** Of the machine that asked. */
  address: string;
  createdAt: Date;
  expiresAt: Date;
  scopes: string[];
  permissions: AskedPermissions[];
  details: DetailInWords[];
  rawDetails: Detail[];
}

export interface ApprovalPort {
  /** Open ones, oldest first. */
  list(userId: string): Promise<Approval[]>;
  /** Undefined where there is none that is this person's and open. */
  find(userId: string, id: string): Promise<Approval | undefined>;
  /** Prepares what the tokens will hold; nothing is decided yet. Undefined as `find`. */
  prepare(userId: string, id: string): Promise<Prepared | undefined>;
  /** One decision: of any number of parallel ones the first counts. False where this came too late. */
  allow(tx: Tx, userId: string, prepared: Prepared, signIn: SignIn): Promise<boolean>;
  deny(tx: Tx, userId: string, id: string): Promise<boolean>;
}

export interface Prepared {
  grantId: string;
  approval: Approval;
}

/** How the person proved themself where they approve. */
export interface SignIn {
  sessionUid: string;
  acr: string;
  authTime: Date;
}

interface Row {
  jti: string;
  client_id: string;
  scopes: string[];
  payload: {
    params?: { binding_message?: string; authorization_details?: string };
    resource?: string | string[];
    claims?: { id_token?: object; userinfo?: object };
    address?: string;
    goodUntil: number;
  };
  created_at: Date;
}

const OPEN = `SELECT jti, client_id, scopes, payload, created_at FROM token
  WHERE kind = '${KIND}' AND user_id = $1 AND consumed_at IS NULL AND revoked_at IS NULL AND NOT payload ? 'decided'
    AND (payload->>'goodUntil')::float8 > $2 AND ($3::text IS NULL OR jti = $3) ORDER BY created_at, jti`;

const OIDC_SCOPES = new Set([...Object.keys(CLAIMS), 'offline_access']);

export function createApprovals(deps: {
  db: Database;
  clock: Clock;
  provider: () => Provider;
  clients: ClientSource;
  accounts: AccountSource;
  detailTypes: () => DetailTypeMap;
}): ApprovalPort {
  const { db, clock, provider, clients, accounts, detailTypes } = deps;

  const open = (userId: string, id: string | null) =>
    db.query<Row>('backchannel-of-user', OPEN, [userId, epochSeconds(clock), id]);

  /** The same rule as at the authorization endpoint (grants.ts), for what was asked for here. */
  async function askedIn(row: Row, userId: string, { facts }: ClientRecord): Promise<AskedFor | undefined> {
    const account = await accounts.find(userId, row.client_id);
    if (!account) return undefined;
    const audiences = [row.payload.resource ?? []].flat();
    const requested = (audience: string) =>
      facts.permissions.filter((one) => one.audience === audience && row.scopes.includes(one.name));
    const isHeld = (audience: string, name: string) => account.permissions.includes(`${audience}#${name}`);
    const split = (held: boolean) =>
      new Map(
        audiences.map((audience) => [
          audience,
          requested(audience)
            .map(({ name }) => name)
            .filter((name) => isHeld(audience, name) === held),
        ]),
      );
    const oidcScopes = row.scopes.filter((scope) => OIDC_SCOPES.has(scope));
    const given = new Set(oidcScopes.flatMap((scope) => (CLAIMS as Record<string, string[]>)[scope] ?? []));
    const named = Object.keys({ ...row.payload.claims?.id_token, ...row.payload.claims?.userinfo });
    return {
      oidcScopes,
      claims: named.filter((claim) => given.has(claim)),
      otherClaims: named.filter((claim) => !given.has(claim)),
      permissions: split(true),
      withheld: split(false),
    };
  }

  async function understood(row: Row, userId: string): Promise<{ approval: Approval; asked: AskedFor } | undefined> {
    const client = await clients.find(row.client_id);
    const asked = client && (await askedIn(row, userId, client));
    if (!asked) return undefined;
    const permissions = [...asked.permissions].flatMap(([audience, names]) => {
      const meant = client.facts.permissions.filter((one) => one.audience === audience && names.includes(one.name));
      const [first] = meant;
      return first ? [{ audience, apiName: first.apiName, permissions: meant }] : [];
    });
    const rawDetails = parseDetails(row.payload.params?.authorization_details);
    return {
      asked,
      approval: {
        id: row.jti,
        client: { id: row.client_id, name: client.metadata.client_name ?? row.client_id },
        bindingMessage: row.payload.params?.binding_message,
        address: row.payload.address ?? '',
        createdAt: row.created_at,
        expiresAt: new Date(row.payload.goodUntil * 1000),
        scopes: asked.oidcScopes,
        permissions,
        details: inWords(detailTypes(), rawDetails),
        rawDetails,
      },
    };
  }

  async function one(userId: string, id: string) {
    const [row] = await open(userId, id);
    return row && understood(row, userId);
  }

  async function decide(
    tx: Tx,
    userId: string,
    id: string,
    decision: { grantId: string | null; payload: object },
  ): Promise<boolean> {
    const changed = await tx.$executeRaw`
      UPDATE token SET payload = payload || ${JSON.stringify({ ...decision.payload, decided: true })}::jsonb,
        grant_id = ${decision.grantId}
      WHERE kind = 'BackchannelAuthenticationRequest' AND user_id = ${userId}::uuid AND jti = ${id}
        AND consumed_at IS NULL AND revoked_at IS NULL AND NOT payload ? 'decided'
        AND (payload->>'goodUntil')::float8 > ${epochSeconds(clock)}::float8`;
    return changed > 0;
  }

  return {
    async list(userId) {
      const found = await Promise.all((await open(userId, null)).map((row) => understood(row, userId)));
      return found.flatMap((entry) => (entry ? [entry.approval] : []));
    },

    find: async (userId, id) => (await one(userId, id))?.approval,

    async prepare(userId, id) {
      const found = await one(userId, id);
      if (!found) return undefined;
      const { Grant } = provider();
      const grant = new Grant({ accountId: userId, clientId: found.approval.client.id });
      giveTo(grant, found.asked);
      // Without a decision that names it no token can come of it.
      return { grantId: await grant.save(), approval: found.approval };
    },

    async allow(tx, userId, { grantId, approval }, signIn) {
      const [session] = await tx.$queryRaw<{ amr: string[] | null }[]>`
        SELECT payload->'amr' AS amr FROM session WHERE uid = ${signIn.sessionUid} AND user_id = ${userId}::uuid`;
      const payload = {
        acr: signIn.acr,
        authTime: Math.floor(signIn.authTime.getTime() / 1000),
        ...(session?.amr ? { amr: session.amr } : {}),
        ...(approval.rawDetails.length > 0 ? { rar: approval.rawDetails } : {}),
      };
      return decide(tx, userId, approval.id, { grantId, payload });
    },

    deny: (tx, userId, id) =>
      decide(tx, userId, id, {
        grantId: null,
        payload: { error: 'access_denied', errorDescription: 'the person declined' },
      }),
  };
}
