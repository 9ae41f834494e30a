import { CONSOLE_CLIENT_ID } from '../features/console/needs.ts';
import type { Clock } from '../kernel/clock.ts';
import { insertTokens } from '../oidc/token-row.ts';
import { type Audit, createAudit } from '../platform/audit/audit.ts';
import type { Config } from '../platform/config/schema.ts';
import { createEnvelope, type Envelope } from '../platform/crypto/envelope.ts';
import { type InstallationSecrets, loadInstallationSecrets } from '../platform/crypto/installation.ts';
import { loadMasterKey, openCanary } from '../platform/crypto/master-key.ts';
import { createSettingStore } from '../platform/crypto/setting-store.ts';
import { type Database, openDatabase } from '../platform/db/database.ts';
import { startEmbedded } from '../platform/db/embedded.ts';
import { migrate } from '../platform/db/migrate.ts';
import type { Log } from '../platform/observe/log.ts';
import { createOutgoing, type Outgoing } from '../platform/outgoing/outgoing.ts';

/** What every other part stands on. */
export interface Foundation {
  config: Config;
  clock: Clock;
  log: Log;
  db: Database;
  /** The address of the database that is used, the embedded one's too. */
  databaseUrl: string;
  envelope: Envelope;
  secrets: InstallationSecrets;
  audit: Audit;
  /** The only way out to addresses that came from metadata. */
  outgoing: Outgoing;
  close(): Promise<void>;
}

/** The database, migrated; the master key, proven to be the one that the data was encrypted with; the audit log. */
export async function openFoundation(
  config: Config,
  options: { clock: Clock; log: Log; onAuditCommit?: (seconds: number) => void },
): Promise<Foundation> {
  const { clock, log, onAuditCommit } = options;
  const embedded = config.databaseUrl === undefined ? await startEmbedded({ dataDir: config.dataDir, log }) : undefined;
  const databaseUrl = config.databaseUrl ?? embedded?.url ?? '';
  let db: Database | undefined;
  try {
    await migrate({ url: databaseUrl, log });
    db = await openDatabase({ url: databaseUrl, log });
    const settings = createSettingStore(db, clock);
    const envelope = createEnvelope(loadMasterKey(config, { dataExists: await settings.anySealed(), log }));
    await openCanary(settings, envelope);
    const secrets = await loadInstallationSecrets(settings, envelope);
    const audit = createAudit({
      db,
      clock,
      companionInsert: insertTokens([CONSOLE_CLIENT_ID]),
      ...(onAuditCommit ? { onCommit: onAuditCommit } : {}),
    });
    const opened = db;
    return {
      config,
      clock,
      log,
      db,
      databaseUrl,
      envelope,
      secrets,
      audit,
      outgoing: createOutgoing({ allow: config.outgoingAllow }),
      async close() {
        await audit.idle();
        await opened.close();
        await embedded?.stop();
      },
    };
  } catch (error) {
    await db?.close();
    await embedded?.stop();
    throw error;
  }
}
