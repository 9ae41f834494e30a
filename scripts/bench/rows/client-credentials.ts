import { decodeProtectedHeader } from 'jose';
import type { Job } from '../load/job.ts';
import { clientCredentials, type Load, tokenRequests } from '../loads.ts';
import { measure } from '../measure.ts';
import { notAvailable, type Row, rowOf } from '../report.ts';
import { send } from '../stage.ts';
import { contestant, type Measure, measureAgainst } from './row.ts';

/** For a thousand connections to be accepted before anything is counted. */
const RAMP = 1;
const OPEN_LOOP = { connections: 1_000, rate: 1_000, ramp: RAMP };
/** With 1,000 connections a shorter slice would hold little more than their making. */
const SHORTEST_SLICE = 1;

const plain = clientCredentials();

export const jwtEs256: Measure = (stage, effort, name) =>
  measureAgainst(stage, effort, name, { product: plain, bare: plain, floor: plain });

/** A kind of token that the product may not have: asked for once, and looked at. */
function variant(end: string, isSuch: (token: string) => boolean, reason: string): Measure {
  return async (stage, effort, name): Promise<Row> => {
    const product = await stage.product();
    const [request] = tokenRequests(stage, end);
    if (!request) return notAvailable(name, 'there is no client');
    try {
      const { access_token } = await send(product, request);
      if (!isSuch(String(access_token))) return notAvailable(name, reason);
    } catch (error) {
      return notAvailable(name, `${reason} (${error instanceof Error ? error.message : error})`);
    }
    const load = clientCredentials({ end });
    // The floor has no store, and so no opaque tokens.
    const floor = end === '/opaque' ? {} : { floor: load };
    return measureAgainst(stage, effort, name, { product: load, bare: load, ...floor });
  };
}

export const jwtEddsa = variant(
  '/eddsa',
  (token) => ['EdDSA', 'Ed25519'].includes(String(decodeProtectedHeader(token).alg)),
  'the product signs access tokens with ES256 only',
);

export const opaque = variant('/opaque', (token) => !token.includes('.'), 'the product has no APIs with opaque tokens');

/** As many callers as the promise names, each always waiting for an answer. Two processes on all cores. */
export const thousandConnections: Measure = async (stage, effort, name) => {
  const { arena } = stage;
  const guard = await stage.floor();
  await arena.keepApart(false);
  const product = await arena.product({ workers: 2 });
  const floor = await arena.floor(2);
  try {
    const load = clientCredentials({ connections: 1_000, ramp: RAMP });
    const contestants = [
      await contestant('product', stage, product, load),
      await contestant('floor', stage, floor, load),
    ];
    const slice = Math.max(effort.slice, SHORTEST_SLICE);
    const warmUp = Math.max(effort.warmUp, SHORTEST_SLICE);
    const measured = await measure(arena, guard, contestants, { ...effort, slice, warmUp });
    return { ...rowOf(name, measured), note: 'two processes each, load and PostgreSQL on the same cores' };
  } finally {
    await product.stop();
    await floor.stop();
    await arena.keepApart(true);
  }
};

/** Requests that arrive whatever happens. The throughput is given; what counts is the latency. */
export const openLoop: Measure = async (stage, effort, name) => {
  const load: Load = async (_stage, { origin }) => {
    const requests = tokenRequests(stage);
    return (seconds): Job => ({ kind: 'open', origin, ...OPEN_LOOP, seconds, requests });
  };
  const row = await measureAgainst(stage, effort, name, { product: load, bare: load, floor: load });
  return { ...row, note: '1,000 requests a second over 1,000 connections; latency from the set time' };
};
