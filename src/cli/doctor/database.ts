import { existsSync } from 'node:fs';
import path from 'node:path';
import { systemClock } from '../../kernel/clock.ts';
import type { Config } from '../../platform/config/schema.ts';
import { createEnvelope } from '../../platform/crypto/envelope.ts';
import { loadMasterKey, openCanary } from '../../platform/crypto/master-key.ts';
import { createSettingStore } from '../../platform/crypto/setting-store.ts';
import { type Database, openDatabase } from '../../platform/db/database.ts';
import { startEmbedded } from '../../platform/db/embedded.ts';
import { listMigrations } from '../../platform/db/migrate.ts';
import type { Log } from '../../platform/observe/log.ts';
import { type Finding, fail, ok, reason, warn } from './finding.ts';

const OLDEST_POSTGRES = 15;
/** Codes and tokens are judged by the database's time; people's authenticator codes by this machine's. */
const SKEW = { warn: 5, fail: 30 };

/** Everything that needs the database. Starts the embedded one where it exists, and makes nothing. */
export async function checkDatabase(config: Config, log: Log): Promise<Finding[]> {
  if (config.databaseUrl !== undefined) return examine(config.databaseUrl, 'DATABASE_URL', config, log);
  if (!existsSync(path.join(config.dataDir, 'postgres'))) {
    const message = `the embedded PostgreSQL is not made yet; the first start makes it in ${config.dataDir}`;
    return [warn('database', message, 'DATABASE_URL')];
  }
  let embedded: Awaited<ReturnType<typeof startEmbedded>>;
  try {
    embedded = await startEmbedded({ dataDir: config.dataDir, log });
  } catch (error) {
    return [fail('database', `the embedded PostgreSQL does not start: ${reason(error)}`, 'POSTERN_DATA_DIR')];
  }
  try {
    return await examine(embedded.url, 'POSTERN_DATA_DIR', config, log);
  } finally {
    await embedded.stop();
  }
}

async function examine(url: string, setting: string, config: Config, log: Log): Promise<Finding[]> {
  const db = await openDatabase({ url, log, maxConnections: 1 });
  try {
    const findings: Finding[] = [await checkServer(db, config, setting)];
    findings.push(await checkClock(db));
    const migrations = await checkMigrations(db);
    findings.push(migrations);
    if (migrations.status === 'fail') return findings;
    findings.push(await checkMasterKey(db, config, log));
    if (migrations.status === 'ok') findings.push(await checkSigningKeys(db), await checkAdmin(db));
    return findings;
  } catch (error) {
    return [fail('database', `can't be used: ${reason(error)}`, setting)];
  } finally {
    await db.close();
  }
}

async function checkServer(db: Database, config: Config, setting: string): Promise<Finding> {
  const [row] = await db.query<{ version: string; read_only: boolean; durable: boolean }>(
    'doctor-server',
    `SELECT current_setting('server_version') AS version,
            pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS read_only,
            current_setting('fsync')::bool AND current_setting('full_page_writes')::bool AS durable`,
    [],
  );
  const where = config.databaseUrl === undefined ? `embedded, in ${config.dataDir}` : new URL(config.databaseUrl).host;
  const version = row?.version ?? 'unknown';
  if (Number.parseInt(version, 10) < OLDEST_POSTGRES) {
    return fail('database', `PostgreSQL ${version} (${where}) is too old; ${OLDEST_POSTGRES} is the oldest`, setting);
  }
  if (row?.read_only)
    return fail('database', `PostgreSQL ${version} (${where}) takes no writes: it is a replica`, setting);
  if (!row?.durable)
    return fail(
      'database',
      `PostgreSQL ${version} (${where}) runs with fsync or full_page_writes off: a crash loses data`,
    );
  return ok('database', `PostgreSQL ${version} (${where})`);
}

async function checkClock(db: Database): Promise<Finding> {
  const before = Date.now();
  const [row] = await db.query<{ now: Date }>('doctor-clock', 'SELECT clock_timestamp() AS now', []);
  const here = (before + Date.now()) / 2;
  const skew = Math.abs((row?.now.getTime() ?? 0) - here) / 1000;
  const message = `this machine and the database are ${skew.toFixed(1)} s apart`;
  if (skew > SKEW.fail) return fail('clock', `${message}: set both by NTP`);
  return skew > SKEW.warn ? warn('clock', `${message}: set both by NTP`) : ok('clock', message);
}

async function checkMigrations(db: Database): Promise<Finding> {
  const known = listMigrations().map((migration) => migration.name);
  const [table] = await db.query<{ present: boolean }>(
    'doctor-history',
    `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS present`,
    [],
  );
  if (!table?.present) return warn('migrations', `none of ${known.length} applied; the next start applies them`);
  const rows = await db.query<{ name: string; done: boolean }>(
    'doctor-migrations',
    `SELECT migration_name AS name, finished_at IS NOT NULL AS done FROM _prisma_migrations WHERE rolled_back_at IS NULL`,
    [],
  );
  const broken = rows.find((row) => !row.done);
  if (broken) return fail('migrations', `${broken.name} began and did not finish: see _prisma_migrations.logs`);
  const foreign = rows.find((row) => !known.includes(row.name));
  if (foreign) return warn('migrations', `${foreign.name} is unknown here: a newer Postern uses this database`);
  const pending = known.filter((name) => !rows.some((row) => row.name === name));
  if (pending.length > 0) return warn('migrations', `not applied yet: ${pending.join(', ')}; run postern migrate`);
  return ok('migrations', `all ${known.length} applied`);
}

async function checkMasterKey(db: Database, config: Config, log: Log): Promise<Finding> {
  const settings = createSettingStore(db, systemClock);
  if (!(await settings.anySealed()))
    return ok('master key', 'nothing is encrypted yet; the first start settles the key');
  try {
    // With data there, neither call makes or writes anything.
    const key = loadMasterKey(config, { dataExists: true, log });
    await openCanary(settings, createEnvelope(key));
  } catch (error) {
    return fail('master key', reason(error), 'POSTERN_MASTER_KEY');
  }
  return ok('master key', `opens this database's data (from ${config.masterKey ? 'the settings' : config.dataDir})`);
}

async function checkSigningKeys(db: Database): Promise<Finding> {
  const rows = await db.query<{ alg: string; days: number }>(
    'doctor-keys',
    `SELECT alg, extract(day FROM now() - activated_at)::int AS days FROM signing_key WHERE status = 'active' ORDER BY alg`,
    [],
  );
  if (rows.length === 0) return ok('signing keys', 'none yet; the first start makes them');
  const text = rows.map((row) => `${row.alg} for ${row.days} day(s)`).join(', ');
  const old = rows.filter((row) => row.days > 90).map((row) => `postern keys rotate --alg ${row.alg}`);
  if (old.length > 0) return warn('signing keys', `active: ${text}; run ${old.join(', ')}`);
  return ok('signing keys', `active: ${text}`);
}

async function checkAdmin(db: Database): Promise<Finding> {
  const [row] = await db.query<{ count: number }>(
    'doctor-admins',
    `SELECT count(*)::int AS count FROM assignment a JOIN role r ON r.id = a.role_id JOIN user_account u ON u.id = a.user_id
      WHERE r.name = 'admin' AND u.status = 'active' AND (a.expires_at IS NULL OR a.expires_at > now())`,
    [],
  );
  const count = row?.count ?? 0;
  if (count === 0)
    return warn('admins', 'nobody can administer yet; postern setup-link prints the link that makes the first');
  return ok('admins', `${count} active`);
}
