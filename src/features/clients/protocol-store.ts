import { Prisma } from '../../generated/prisma/client.ts';
import type { ClientSettings } from '../../kernel/client-settings.ts';
import type { PublicKeySet } from '../../platform/crypto/public-key-set.ts';
import type { Tx } from '../../platform/db/database.ts';
import type { Standing } from './protocol-rules.ts';

export interface ProtocolRow {
  clientId: string;
  name: string;
  type: Standing['type'];
  authMethod: string;
  jwks: PublicKeySet | null;
  /** Where its keys stand instead. */
  jwksUri: string | null;
  settings: ClientSettings;
  redirectUris: string[];
}

export async function findProtocol(tx: Tx, clientId: string): Promise<ProtocolRow | null> {
  const row = await tx.client.findUnique({
    where: { clientId },
    select: {
      clientId: true,
      name: true,
      type: true,
      authMethod: true,
      jwks: true,
      jwksUri: true,
      settings: true,
      redirectUris: true,
    },
  });
  return row as ProtocolRow | null;
}

export async function writeSettings(tx: Tx, clientId: string, settings: ClientSettings, at: Date): Promise<void> {
  await tx.client.updateMany({ where: { clientId }, data: { settings: { ...settings }, updatedAt: at } });
}

/** Keys of an application: for its request objects, and with private_key_jwt for its assertions too. */
export async function writeKeys(
  tx: Tx,
  clientId: string,
  change: { authMethod: string; jwks: PublicKeySet | null; jwksUri?: string | null; at: Date },
): Promise<void> {
  const { authMethod, jwks, jwksUri = null, at } = change;
  const stored = jwks ? { keys: jwks.keys.map((key) => ({ ...key })) } : Prisma.DbNull;
  await tx.client.updateMany({ where: { clientId }, data: { authMethod, jwks: stored, jwksUri, updatedAt: at } });
}
