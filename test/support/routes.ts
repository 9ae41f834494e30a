import { pino } from 'pino';
import { openFoundation } from '../../src/composition/foundation.ts';
import { createPages } from '../../src/composition/pages.ts';
import { createParts } from '../../src/composition/parts.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { loadConfig } from '../../src/platform/config/load.ts';
import { type Postern, testEnvironment } from './postern.ts';

export interface KnownRoute {
  method: string;
  /** With placeholders: `/admin/users/:id`. */
  path: string;
}

/** Every page of the product, read from what it is joined of: a route that is added is in this list. */
export async function allRoutes(postern: Postern): Promise<KnownRoute[]> {
  const config = loadConfig(testEnvironment(postern.databaseUrl));
  const foundation = await openFoundation(config, { clock: systemClock, log: pino({ level: 'silent' }) });
  try {
    // Only put together, never called: what answers requests can stay away.
    const absent = {} as never;
    const web = { views: absent, metrics: absent, protocol: absent, redeem: absent };
    const routes = createPages(foundation, await createParts(foundation), web);
    return routes.map(({ method, path }) => ({ method, path }));
  } finally {
    await foundation.close();
  }
}

/** The path with its placeholders filled in. */
export function fill(path: string, params: Record<string, string>): string {
  return path.replace(/:(\w+)/g, (_, name: string) => {
    const value = params[name];
    if (value === undefined) throw new Error(`no value for :${name} of ${path}`);
    return value;
  });
}
