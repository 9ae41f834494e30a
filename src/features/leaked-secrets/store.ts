import type { Tx } from '../../platform/db/database.ts';

export interface Owner {
  clientId: string;
  name: string;
  /** null: the client is an application. */
  serviceAccountId: string | null;
}

export interface LeakView {
  /** Of the audit event. */
  eventId: string;
  at: Date;
  /** The first characters of the secret. */
  prefix: string;
}

/** Takes a live secret away by its digest; of any number of reports at once, one gets it. */
export async function retireSecret(
  tx: Tx,
  hash: Uint8Array<ArrayBuffer>,
  now: Date,
): Promise<{ owner: Owner; prefix: string } | null> {
  const live = { secretHash: hash, OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] };
  const secret = await tx.clientSecret.findFirst({
    where: live,
    select: {
      id: true,
      prefix: true,
      client: { select: { clientId: true, name: true, serviceAccount: { select: { id: true } } } },
    },
  });
  if (!secret) return null;
  const { client, id, prefix } = secret;
  // Whoever rotates holds the client first: in the same order, so that neither waits for the other in a circle.
  await tx.$queryRaw`SELECT 1 AS locked FROM client WHERE client_id = ${client.clientId} FOR UPDATE`;
  const { count } = await tx.clientSecret.deleteMany({ where: { id, ...live } });
  if (count === 0) return null;
  return {
    owner: { clientId: client.clientId, name: client.name, serviceAccountId: client.serviceAccount?.id ?? null },
    prefix,
  };
}

export async function lastLeak(db: Tx, clientId: string, since: Date): Promise<LeakView | null> {
  const event = await db.auditEvent.findFirst({
    where: { action: 'client.secret_leaked', clientId, time: { gt: since } },
    orderBy: [{ time: 'desc' }, { id: 'desc' }],
    select: { id: true, time: true, data: true },
  });
  if (!event) return null;
  const { secretPrefix = '' } = (event.data ?? {}) as { secretPrefix?: string };
  return { eventId: event.id, at: event.time, prefix: secretPrefix };
}
