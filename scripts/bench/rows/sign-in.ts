import type { Server } from '../arena.ts';
import { forgetSignIns } from '../growth.ts';
import type { ClosedJob, Job } from '../load/job.ts';
import { measure } from '../measure.ts';
import { rowOf } from '../report.ts';
import type { Measure } from './row.ts';

/** Hashes that are under way at the same time. */
const BROWSERS = 4;
/** A sign-in takes tens of milliseconds: a shorter slice would hold too few. */
const SHORTEST_SLICE = 1;

/**
 * From the authorization request to the redirect with the code: in the product with its pages, password and
 * authenticator code; in bare with one password verification; the floor is that verification alone.
 */
export const signInRow: Measure = async (stage, effort, name) => {
  const { arena, authorize } = stage;
  const [product, bare, floor] = [await stage.product(), await stage.bare(), await stage.floor()];
  const browsing =
    ({ origin }: Server) =>
    async (seconds: number): Promise<Job> => {
      await forgetSignIns(arena.databaseUrl);
      return { kind: 'sign-in', origin, browsers: BROWSERS, seconds, authorize, people: arena.data.people };
    };
  const hashing = (seconds: number): ClosedJob => ({
    kind: 'closed',
    origin: floor.origin,
    connections: BROWSERS,
    seconds,
    plan: { type: 'rotate', requests: [{ method: 'POST', path: '/password', headers: {} }] },
  });
  const measured = await measure(
    arena,
    floor,
    [
      { name: 'product', server: product, job: browsing(product) },
      { name: 'bare', server: bare, job: browsing(bare) },
      { name: 'floor', server: floor, job: hashing },
    ],
    { ...effort, slice: Math.max(effort.slice, SHORTEST_SLICE) },
  );
  return {
    ...rowOf(name, measured),
    note: 'the floor is one argon2 verification: CPU ÷ floor is its share of a sign-in',
  };
};
