import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { type App, build } from '../../src/app.ts';
import { loadConfig } from '../../src/platform/config/load.ts';
import { createLog } from '../../src/platform/observe/log.ts';
import { copyTemplate, testFolder } from './database.ts';
import { resetTime } from './time.ts';

/** 32 bytes, base64url. */
export const TEST_MASTER_KEY = Buffer.alloc(32, 'test').toString('base64url');

export interface Postern extends Pick<App, 'url' | 'parts' | 'db' | 'setupLink'> {
  databaseUrl: string;
  dataDir: string;
  /** What was logged, one parsed line each. */
  logged: Record<string, unknown>[];
  /** The same as it was written. */
  lines: string[];
  close(options?: { keepTime?: boolean }): Promise<void>;
}

/** Settings that make a process its own: any free ports, its own data folder, a key that is known. */
export function testEnvironment(databaseUrl: string): NodeJS.ProcessEnv & { POSTERN_DATA_DIR: string } {
  return {
    PORT: '0',
    DATABASE_URL: databaseUrl,
    POSTERN_DATA_DIR: mkdtempSync(join(testFolder(), 'data-')),
    POSTERN_MASTER_KEY: TEST_MASTER_KEY,
    POSTERN_MANAGEMENT_PORT: '0',
  };
}

/** The product as it is, in this process, on a free port of the loopback interface and a database of its own. */
export async function startPostern(options: { env?: NodeJS.ProcessEnv; databaseUrl?: string } = {}): Promise<Postern> {
  const made = options.databaseUrl === undefined ? await copyTemplate() : undefined;
  const databaseUrl = options.databaseUrl ?? made?.url ?? '';
  const env = { ...testEnvironment(databaseUrl), ...options.env };
  const logged: Record<string, unknown>[] = [];
  const lines: string[] = [];
  const write = (line: string): void => {
    lines.push(line);
    logged.push(JSON.parse(line));
  };
  const log = createLog({ level: 'debug', destination: { write } });
  const app = await build(loadConfig(env), { log });
  await app.listen();
  return {
    url: app.url,
    parts: app.parts,
    db: app.db,
    setupLink: app.setupLink,
    databaseUrl,
    dataDir: env.POSTERN_DATA_DIR,
    logged,
    lines,
    async close({ keepTime = false } = {}) {
      if (!keepTime) resetTime();
      await app.close();
      await made?.drop();
    },
  };
}
