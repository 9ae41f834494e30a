import type { Server } from '../arena.ts';
import type { Job } from '../load/job.ts';
import { measure } from '../measure.ts';
import { rowOf } from '../report.ts';
import { CONNECTIONS, type Measure } from './row.ts';

/** The floor sends the very bytes that the product does. */
function documentAt(path: string): Measure {
  return async (stage, effort, name) => {
    const [product, bare, floor] = [await stage.product(), await stage.bare(), await stage.floor()];
    const plan = { type: 'rotate' as const, requests: [{ method: 'GET' as const, path, headers: {} }] };
    const job =
      ({ origin }: Server) =>
      (seconds: number): Job => ({ kind: 'closed', origin, connections: CONNECTIONS, seconds, plan });
    const measured = await measure(
      stage.arena,
      floor,
      [
        { name: 'product', server: product, job: job(product) },
        { name: 'bare', server: bare, job: job(bare) },
        { name: 'floor', server: floor, job: job(floor) },
      ],
      effort,
    );
    return rowOf(name, measured);
  };
}

export const metadata = documentAt('/.well-known/openid-configuration');
export const jwks = documentAt('/oauth2/jwks');
