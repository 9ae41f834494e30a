import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MigrationList, SchemasContainer } from '@prisma/schema-engine-wasm';

export const prismaFolder = fileURLToPath(new URL('../../prisma/', import.meta.url));
export const migrationsFolder = path.join(prismaFolder, 'migrations');

/** The schema as the engine takes it. */
export function schemaFiles(): SchemasContainer {
  const models = readdirSync(path.join(prismaFolder, 'models')).map((name) => `models/${name}`);
  const files = ['schema.prisma', ...models]
    .filter((name) => name.endsWith('.prisma'))
    .map((name) => ({ path: name, content: readFileSync(path.join(prismaFolder, name), 'utf8') }));
  return { files };
}

export function migrationNames(): string[] {
  return readdirSync(migrationsFolder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/** The migrations as the engine takes them. */
export function migrationList(): MigrationList {
  return {
    baseDir: migrationsFolder,
    lockfile: {
      path: 'migration_lock.toml',
      content: readFileSync(path.join(migrationsFolder, 'migration_lock.toml'), 'utf8'),
    },
    shadowDbInitScript: '',
    migrationDirectories: migrationNames().map((name) => ({
      path: name,
      migrationFile: {
        path: 'migration.sql',
        content: { tag: 'ok', value: readFileSync(path.join(migrationsFolder, name, 'migration.sql'), 'utf8') },
      },
    })),
  };
}
