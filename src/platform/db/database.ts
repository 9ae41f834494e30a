import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { type Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import type { Log } from '../observe/log.ts';
import { translateFailure } from './failure.ts';
import { createListener, type NotificationHandler } from './listener.ts';

export type Tx = Prisma.TransactionClient;

/**
 * The one way to PostgreSQL. Everything here throws AppError `database.unavailable` (503, retryAfter) when the
 * database can't answer in time, and the driver's own error otherwise.
 */
export interface Database {
  prisma: PrismaClient;
  /** Read committed. Commits when `work` resolves, rolls back when it throws. */
  tx<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** One prepared statement, one round trip: for the paths where Prisma's own cost counts. `name` names the text. */
  query<R>(name: string, text: string, values: unknown[]): Promise<R[]>;
  /** Several statements in one transaction, decided beforehand: for what happens before anything needs Prisma's engine. */
  batch(statements: { text: string; values: unknown[] }[]): Promise<void>;
  /**
   * Calls `handler` with each payload. After a lost connection it is called with undefined: notifications may have been
   * missed. Resolves when the channel is listened to; the returned function ends it.
   */
  listen(channel: string, handler: NotificationHandler): Promise<() => Promise<void>>;
  /** Payload ≤ 8000 bytes. */
  notify(channel: string, payload: string): Promise<void>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  url: string;
  log: Log;
  /** Of this process; 10 unless told otherwise. */
  maxConnections?: number;
}

/** Waiting longer than this for a connection only adds to the load: shed instead. */
const ACQUIRE_TIMEOUT_MS = 2_000;
const STATEMENT_TIMEOUT_MS = 10_000;

/** Opens lazily: the first query connects. */
export async function openDatabase({ url, log, maxConnections = 10 }: DatabaseOptions): Promise<Database> {
  const connection = { connectionString: url, application_name: 'postern', keepAlive: true };
  const pool = new pg.Pool({
    ...connection,
    max: maxConnections,
    connectionTimeoutMillis: ACQUIRE_TIMEOUT_MS,
    idleTimeoutMillis: 60_000,
    // After a fail-over old connections must not stay with the old server for ever.
    maxLifetimeSeconds: 1_800,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: 30_000,
    // Said once for each connection and not in every transaction.
    options: '-c default_transaction_isolation=read\\ committed',
    // Where the server is gone without a word, its own timeout can't end a statement.
    query_timeout: STATEMENT_TIMEOUT_MS + 5_000,
  });
  // An idle connection that the server ends (57P01) is an event of the pool; without a handler it ends the process.
  pool.on('error', (error) => log.warn({ err: error }, 'an idle database connection was lost'));
  // While a connection is in use, its errors also reach the query that waits; this only keeps them from being thrown.
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
  });

  const adapter = new PrismaPg(pool);
  const plain = new PrismaClient({
    adapter,
    errorFormat: 'minimal',
    transactionOptions: { maxWait: ACQUIRE_TIMEOUT_MS, timeout: STATEMENT_TIMEOUT_MS },
  });
  const translated = plain.$extends({
    query: {
      async $allOperations({ args, query }) {
        try {
          return await query(args);
        } catch (error) {
          throw translateFailure(error);
        }
      },
    },
  });
  // The extension changes no signature; $on, which an extended client lacks, is not used.
  const prisma = translated as unknown as PrismaClient;
  const listener = createListener({ connection: { ...connection, connectionTimeoutMillis: ACQUIRE_TIMEOUT_MS }, log });

  return {
    prisma,
    async tx(work) {
      try {
        return await prisma.$transaction((tx) => work(tx));
      } catch (error) {
        throw translateFailure(error);
      }
    },
    async query<R>(name: string, text: string, values: unknown[]) {
      try {
        const result = await pool.query({ name, text, values });
        return result.rows as R[];
      } catch (error) {
        throw translateFailure(error);
      }
    },
    async batch(statements) {
      try {
        const client = await pool.connect();
        try {
          await client.query('BEGIN');
          for (const statement of statements) await client.query(statement);
          await client.query('COMMIT');
        } catch (error) {
          await client.query('ROLLBACK').catch(() => undefined);
          throw error;
        } finally {
          client.release();
        }
      } catch (error) {
        throw translateFailure(error);
      }
    },
    listen: (channel, handler) => listener.listen(channel, handler),
    async notify(channel, payload) {
      try {
        await pool.query({ name: 'notify', text: 'SELECT pg_notify($1, $2)', values: [channel, payload] });
      } catch (error) {
        throw translateFailure(error);
      }
    },
    async close() {
      await listener.close();
      await plain.$disconnect();
      await pool.end();
    },
  };
}
