// Writes migrations and tells whether they say the same as the schema, without a network: Prisma's own engine as
// WebAssembly against a PostgreSQL that is thrown away.
//   diff          prints the SQL that is missing in the migrations; exit 2 where there is any
//   create NAME   writes it as a new migration
//   init          writes the first migration anew, keeping what was added by hand (until the first release)
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DiffTarget } from '@prisma/schema-engine-wasm';
import { startEmbedded } from '../src/platform/db/embedded.ts';
import { createLog } from '../src/platform/observe/log.ts';
import { openEngine } from './prisma/engine.ts';
import { migrationList, migrationNames, migrationsFolder, schemaFiles } from './prisma/files.ts';

const HAND_MADE = "-- What Prisma's schema language can't say.";
const EMPTY = '-- This is an empty migration.';

/** The SQL from `from` to the schema; empty where they agree. */
async function difference(from: DiffTarget): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'postern-migrations-'));
  try {
    const server = await startEmbedded({ dataDir: folder, log: createLog({ level: 'error' }), durable: false });
    const { run, close } = await openEngine({ url: server.url });
    try {
      const to: DiffTarget = { tag: 'schemaDatamodel', ...schemaFiles() };
      const filters = { externalTables: [], externalEnums: [] };
      const result = await run((engine) => engine.diff({ from, to, script: true, exitCode: true, filters }));
      const sql = (result.stdout ?? '').trim();
      return result.exitCode === 0 || sql === EMPTY ? '' : `${sql}\n`;
    } finally {
      await close();
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function write(name: string, sql: string): void {
  const folder = path.join(migrationsFolder, name);
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'migration.sql');
  writeFileSync(file, sql);
  console.log(`Wrote ${path.relative(process.cwd(), file)}.`);
}

async function diff(): Promise<number> {
  const sql = await difference({ tag: 'migrations', ...migrationList() });
  if (sql === '') return 0;
  console.log(sql);
  return 2;
}

async function create(name: string): Promise<number> {
  const sql = await difference({ tag: 'migrations', ...migrationList() });
  if (sql === '') {
    console.log('The migrations say what the schema says.');
    return 0;
  }
  const time = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  write(`${time}_${name}`, sql);
  return 0;
}

async function init(): Promise<number> {
  const [first] = migrationNames();
  if (first === undefined) throw new Error('There is no first migration.');
  const current = readFileSync(path.join(migrationsFolder, first, 'migration.sql'), 'utf8');
  const start = current.indexOf(HAND_MADE);
  if (start === -1) throw new Error(`The first migration has no line "${HAND_MADE}".`);
  write(first, `${await difference({ tag: 'empty' })}\n${current.slice(start)}`);
  return 0;
}

async function command([verb, name]: string[]): Promise<number> {
  if (verb === 'diff') return diff();
  if (verb === 'init') return init();
  if (verb === 'create' && name !== undefined && /^[a-z0-9_]+$/.test(name)) return create(name);
  console.error('Usage: node scripts/run.mjs migrations diff | create <name_in_lower_case> | init');
  return 2;
}

// Not by itself: the engine leaves a timer of 10 s behind.
process.exit(await command(process.argv.slice(2)));
