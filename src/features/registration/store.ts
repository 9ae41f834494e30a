import type { ClientRegistration, InitialAccessToken, Prisma } from '../../generated/prisma/client.ts';
import { PAGE_SIZE, type Page, type TimeCursor, toPage } from '../../kernel/paging.ts';
import type { Tx } from '../../platform/db/database.ts';
import { keyset } from '../../platform/db/keyset.ts';
import type { ToldMetadata } from './metadata.ts';
import type { RegistrationPolicy } from './policy.ts';

export interface InitialTokenRow {
  id: string;
  name: string;
  /** The first characters of the token. */
  prefix: string;
  policy: RegistrationPolicy;
  /** How many applications it may make, and has made. */
  uses: number;
  used: number;
  createdAt: Date;
  expiresAt: Date;
  revokedAt: Date | null;
}

export interface RegistrationRow {
  clientId: string;
  initialToken: { id: string; name: string };
  policy: RegistrationPolicy;
  told: ToldMetadata;
  createdAt: Date;
  updatedAt: Date;
}

type Digest = Buffer<ArrayBuffer>;

const columns = {
  id: true,
  name: true,
  prefix: true,
  policy: true,
  uses: true,
  used: true,
  createdAt: true,
  expiresAt: true,
  revokedAt: true,
} as const;

/** Only the use cases write these columns, and only what the schemas let through. */
function toToken(row: Omit<InitialAccessToken, 'tokenHash'>): InitialTokenRow {
  return { ...row, policy: row.policy as unknown as RegistrationPolicy };
}

function toRegistration(row: ClientRegistration & { initialToken: { id: string; name: string } }): RegistrationRow {
  const { clientId, initialToken, policy, metadata, createdAt, updatedAt } = row;
  return {
    ...{ clientId, initialToken, createdAt, updatedAt },
    policy: policy as unknown as RegistrationPolicy,
    told: metadata as ToldMetadata,
  };
}

const asJson = (value: object) => JSON.parse(JSON.stringify(value)) as Prisma.InputJsonObject;
const withToken = { initialToken: { select: { id: true, name: true } } } as const;

export async function insertToken(
  tx: Tx,
  token: Pick<InitialTokenRow, 'id' | 'name' | 'prefix' | 'policy' | 'uses' | 'expiresAt'> & { hash: Digest; at: Date },
): Promise<void> {
  const { hash, at, policy, ...rest } = token;
  const data = { ...rest, tokenHash: hash, policy: asJson(policy), createdAt: at };
  await tx.initialAccessToken.create({ data, select: { id: true } });
}

export async function findToken(db: Tx, id: string): Promise<InitialTokenRow | null> {
  const row = await db.initialAccessToken.findUnique({ where: { id }, select: columns });
  return row && toToken(row);
}

/** One that still makes applications; whether it does is decided when it is used. */
export async function findUsableToken(db: Tx, hash: Digest, now: Date): Promise<InitialTokenRow | null> {
  const row = await db.initialAccessToken.findUnique({ where: { tokenHash: hash }, select: columns });
  const token = row && toToken(row);
  return token && token.revokedAt === null && token.expiresAt > now && token.used < token.uses ? token : null;
}

export async function listTokens(db: Tx, after: TimeCursor | undefined): Promise<Page<InitialTokenRow>> {
  const { where, orderBy } = keyset('id', after);
  const rows = await db.initialAccessToken.findMany({ where, orderBy, take: PAGE_SIZE + 1, select: columns });
  return toPage(rows, PAGE_SIZE, toToken, ({ createdAt, id }) => ({ at: createdAt, id }), after);
}

/** False where it was so already. */
export async function revokeToken(tx: Tx, id: string, at: Date): Promise<boolean> {
  return (
    (await tx.initialAccessToken.updateMany({ where: { id, revokedAt: null }, data: { revokedAt: at } })).count > 0
  );
}

/** One statement counts the use: of any number of parallel registrations only so many go on. */
export async function takeUse(tx: Tx, id: string, at: Date): Promise<boolean> {
  const taken = await tx.$executeRaw`
    UPDATE initial_access_token SET used = used + 1
     WHERE id = ${id}::uuid AND used < uses AND revoked_at IS NULL AND expires_at > ${at}`;
  return taken === 1;
}

/** Ids of those permissions that exist; refs as `<audience>#<permission>`. */
export async function permissionIds(tx: Tx, refs: readonly string[]): Promise<string[]> {
  if (refs.length === 0) return [];
  const rows = await tx.$queryRaw<{ id: string }[]>`
    SELECT p.id FROM permission p JOIN api a ON a.id = p.api_id WHERE a.audience || '#' || p.name = ANY(${refs}::text[])`;
  return rows.map(({ id }) => id);
}

export async function insertRegistration(
  tx: Tx,
  row: {
    clientId: string;
    initialTokenId: string;
    policy: RegistrationPolicy;
    told: ToldMetadata;
    hash: Digest;
    at: Date;
  },
): Promise<void> {
  const { clientId, initialTokenId, policy, told, hash, at } = row;
  await tx.clientRegistration.create({
    data: {
      ...{ clientId, initialTokenId, policy: asJson(policy), metadata: asJson(told) },
      ...{ accessTokenHash: hash, createdAt: at, updatedAt: at },
    },
    select: { clientId: true },
  });
}

export async function findRegistration(db: Tx, clientId: string): Promise<RegistrationRow | null> {
  const row = await db.clientRegistration.findUnique({ where: { clientId }, include: withToken });
  return row && toRegistration(row);
}

/** A disabled client can't manage itself. */
export async function findByAccessToken(db: Tx, hash: Digest): Promise<RegistrationRow | null> {
  const where = { accessTokenHash: hash, client: { disabledAt: null } };
  const row = await db.clientRegistration.findUnique({ where, include: withToken });
  return row && toRegistration(row);
}

/** False where the access token was replaced meanwhile: of parallel changes with one token one wins. */
export async function replaceRegistration(
  tx: Tx,
  change: { clientId: string; from: Digest; to: Digest; told: ToldMetadata; at: Date },
): Promise<boolean> {
  const { clientId, from, to, told, at } = change;
  const { count } = await tx.clientRegistration.updateMany({
    where: { clientId, accessTokenHash: from },
    data: { accessTokenHash: to, metadata: asJson(told), updatedAt: at },
  });
  return count > 0;
}

/** Until the transaction ends nobody else changes or removes it with this access token. */
export async function lockRegistration(tx: Tx, clientId: string, hash: Digest): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 AS locked FROM client_registration WHERE client_id = ${clientId} AND access_token_hash = ${hash} FOR UPDATE`;
  return rows.length > 0;
}

/** Newest first, of those that one token made. */
export async function registeredWith(
  db: Tx,
  initialTokenId: string,
): Promise<{ clientId: string; name: string; createdAt: Date; disabledAt: Date | null }[]> {
  const rows = await db.clientRegistration.findMany({
    where: { initialTokenId },
    orderBy: [{ createdAt: 'desc' }, { clientId: 'asc' }],
    take: 100,
    select: { clientId: true, createdAt: true, client: { select: { name: true, disabledAt: true } } },
  });
  return rows.map(({ clientId, createdAt, client }) => ({ clientId, createdAt, ...client }));
}

/** Which of these clients registered themselves. */
export async function selfRegistered(db: Tx, clientIds: readonly string[]): Promise<Set<string>> {
  const rows = await db.clientRegistration.findMany({
    where: { clientId: { in: [...clientIds] } },
    select: { clientId: true },
  });
  return new Set(rows.map(({ clientId }) => clientId));
}
