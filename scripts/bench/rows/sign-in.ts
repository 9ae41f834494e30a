import type { ClosedJob } from '../load/job.ts';
import { BROWSERS, clientCredentials, signingIn } from '../loads.ts';
import { type Contestant, measure } from '../measure.ts';
import { rowOf } from '../report.ts';
import type { Stage } from '../stage.ts';
import { median, rounded } from '../statistics.ts';
import type { Measure } from './row.ts';

/** A sign-in takes tens of milliseconds: a shorter slice would hold too few. */
const SHORTEST_SLICE = 1;
/** So few that tokens alone don't fill the core. */
const TOKEN_CONNECTIONS = 2;

/**
 * From the authorization request to the redirect with the code: in the product with its pages, password and
 * authenticator code; in bare with one password verification; the floor is that verification alone.
 */
export const signInRow: Measure = async (stage, effort, name) => {
  const { arena } = stage;
  const [product, bare, floor] = [await stage.product(), await stage.bare(), await stage.floor()];
  const browsing = await signingIn(stage, product);
  const hashing = (seconds: number): ClosedJob => ({
    kind: 'closed',
    origin: floor.origin,
    connections: BROWSERS,
    seconds,
    plan: { type: 'rotate', requests: [{ method: 'POST', path: '/password', headers: {} }] },
  });
  const slice = Math.max(effort.slice, SHORTEST_SLICE);
  const measured = await measure(
    arena,
    floor,
    [
      { name: 'product', server: product, job: browsing },
      { name: 'bare', server: bare, job: await signingIn(stage, bare) },
      { name: 'floor', server: floor, job: hashing },
    ],
    { ...effort, slice },
  );
  const storm = await tokensInStorm(stage, Math.ceil(effort.rounds / 3), slice, browsing);
  return {
    ...rowOf(name, measured),
    token_p99_ms: rounded(median(storm.calm), 2),
    token_p99_in_storm_ms: rounded(median(storm.stormy), 2),
    note:
      `the floor is one argon2 verification: CPU ÷ floor is its share of a sign-in; a token's p99 is ` +
      `${rounded(median(storm.calm), 1)} ms alone and ${rounded(median(storm.stormy), 1)} ms while people sign in`,
  };
};

/** How long a token takes, by turns with nobody signing in and with hashes under way all the time. */
async function tokensInStorm(
  stage: Stage,
  rounds: number,
  seconds: number,
  browsing: Contestant['job'],
): Promise<{ calm: number[]; stormy: number[] }> {
  const { arena } = stage;
  const job = await clientCredentials({ connections: TOKEN_CONNECTIONS })(stage, await stage.product());
  const calm: number[] = [];
  const stormy: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    calm.push((await arena.load(await job(seconds))).p99);
    const storm = await browsing(seconds + 0.5);
    const [tokens] = await Promise.all([arena.load(await job(seconds)), arena.load(storm, 'storm')]);
    stormy.push(tokens.p99);
  }
  return { calm, stormy };
}
