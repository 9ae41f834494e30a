import { Prisma } from '../../generated/prisma/client.ts';
import type { ClientSettings } from '../../kernel/client-settings.ts';
import type { CertificateRegistration, PinnedCertificate } from '../../platform/crypto/certificate-registration.ts';
import type { Tx } from '../../platform/db/database.ts';

/** Null: the client proves itself in another way. */
export async function findCertificate(tx: Tx, clientId: string): Promise<CertificateRegistration | null> {
  const row = await tx.client.findUnique({
    where: { clientId },
    select: { authMethod: true, jwks: true, settings: true },
  });
  if (row?.authMethod === 'self_signed_tls_client_auth') {
    const { keys } = row.jwks as unknown as { keys: PinnedCertificate[] };
    return { kind: 'self_signed', certificates: keys };
  }
  const { certificateSubject } = (row?.settings ?? {}) as ClientSettings;
  return row?.authMethod === 'tls_client_auth' ? (certificateSubject ?? null) : null;
}

/** The caller holds the client's lock: its settings are written whole. */
export async function writeCertificate(
  tx: Tx,
  clientId: string,
  registration: CertificateRegistration,
  at: Date,
): Promise<void> {
  await forgetSubject(tx, clientId);
  if (registration.kind === 'self_signed') {
    const keys = registration.certificates.map((certificate) => ({ ...certificate }) as Prisma.InputJsonObject);
    const data = { authMethod: 'self_signed_tls_client_auth', jwks: { keys }, jwksUri: null, updatedAt: at };
    await tx.client.updateMany({ where: { clientId }, data });
    return;
  }
  const row = await tx.client.findUniqueOrThrow({ where: { clientId }, select: { settings: true } });
  const settings = { ...(row.settings as Prisma.InputJsonObject), certificateSubject: { ...registration } };
  const data = { authMethod: 'tls_client_auth', jwks: Prisma.DbNull, jwksUri: null, settings, updatedAt: at };
  await tx.client.updateMany({ where: { clientId }, data });
}

/** A name that no longer proves anything must not stand there for a later change to bring back. */
export async function forgetSubject(tx: Tx, clientId: string): Promise<void> {
  await tx.$executeRaw`UPDATE client SET settings = settings - 'certificateSubject' WHERE client_id = ${clientId}`;
}
