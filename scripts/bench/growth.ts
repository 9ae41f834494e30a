import pg from 'pg';

async function onDatabase<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

export function databaseNamed(url: string, name: string): string {
  const result = new URL(url);
  result.pathname = `/${name}`;
  return result.href;
}

/** A copy of the database, which nobody may be using. Answers its address. */
export async function copyDatabase(url: string, name: string): Promise<string> {
  const source = new URL(url).pathname.slice(1);
  await onDatabase(databaseNamed(url, 'postgres'), (client) =>
    client.query(`CREATE DATABASE ${name} TEMPLATE ${source} STRATEGY file_copy`),
  );
  return databaseNamed(url, name);
}

const TOKENS = `INSERT INTO token (id_hash, kind, jti, format, client_id, scopes, audience, created_at, expires_at)
  SELECT sha256(convert_to('bench ' || n, 'UTF8')), 'ClientCredentials', uuidv7()::text, 'jwt', c.id, '{read}',
    'https://api.example.com', now() - interval '1 minute', now() + interval '1 day' + n * interval '1 millisecond'
  FROM generate_series($1::int, $2::int) n
  JOIN LATERAL (SELECT ($3::text[])[1 + n % cardinality($3::text[])] AS id) c ON true`;

const EVENTS = `INSERT INTO audit_event (id, time, action, outcome, actor_type, actor_id, actor_name, client_id, address,
    user_agent, request_id, data)
  SELECT uuidv7(), now() - ($4::int - n) * interval '1 millisecond', 'token.issue', 'success', 'service_account', c.id,
    'service', c.id, '192.0.2.1', '', uuidv7()::text,
    json_build_object('grant_type', 'client_credentials', 'scope', 'read', 'audience', 'https://api.example.com')
  FROM generate_series($1::int, $2::int) n
  JOIN LATERAL (SELECT ($3::text[])[1 + n % cardinality($3::text[])] AS id) c ON true`;

const BATCH = 500_000;

/**
 * Fills the tables that grow with use: so many tokens, and as many events. Secondary indexes are made afterwards, which is
 * quicker than keeping them up to date row by row.
 */
export async function fillRows(url: string, rows: number, clientIds: string[]): Promise<void> {
  await onDatabase(url, async (client) => {
    const { rows: indexes } = await client.query<{ name: string; definition: string }>(
      `SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition FROM pg_index i
        WHERE i.indrelid IN ('token'::regclass, 'audit_event'::regclass) AND NOT i.indisprimary AND NOT i.indisunique`,
    );
    for (const { name } of indexes) await client.query(`DROP INDEX ${name}`);
    await client.query("SET maintenance_work_mem = '512MB'");
    // Its workers share memory through /dev/shm, which containers keep small.
    await client.query('SET max_parallel_maintenance_workers = 0');
    for (let from = 1; from <= rows; from += BATCH) {
      const to = Math.min(rows, from + BATCH - 1);
      await client.query(TOKENS, [from, to, clientIds]);
      await client.query(EVENTS, [from, to, clientIds, rows]);
    }
    for (const { definition } of indexes) await client.query(definition);
    await client.query('VACUUM ANALYZE token');
    await client.query('VACUUM ANALYZE audit_event');
    await client.query('CHECKPOINT');
  });
}

/** People may sign in again at once, with codes that they used before. */
export async function forgetSignIns(url: string): Promise<void> {
  await onDatabase(url, async (client) => {
    await client.query('UPDATE totp_factor SET last_step = 0');
    await client.query('DELETE FROM abuse_counter');
  });
}
