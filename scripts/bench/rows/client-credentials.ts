import { decodeProtectedHeader } from 'jose';
import type { Server } from '../arena.ts';
import type { Job } from '../load/job.ts';
import { measure } from '../measure.ts';
import { notAvailable, type Row, rowOf } from '../report.ts';
import { type Stage, send, tokenRequest } from '../stage.ts';
import { CONNECTIONS, type Measure } from './row.ts';

const OPEN_LOOP = { connections: 1_000, rate: 1_000 };

function requests({ arena }: Stage, end = '') {
  return arena.data.services.slice(0, 10).map((service) => tokenRequest(service, end));
}

function closed(stage: Stage, server: Server, connections: number, end = '') {
  const plan = { type: 'rotate' as const, requests: requests(stage, end) };
  return (seconds: number): Job => ({ kind: 'closed', origin: server.origin, connections, seconds, plan });
}

export const jwtEs256: Measure = async (stage, effort, name) => {
  const [product, bare, floor] = [await stage.product(), await stage.bare(), await stage.floor()];
  const measured = await measure(
    stage.arena,
    floor,
    [
      { name: 'product', server: product, job: closed(stage, product, CONNECTIONS) },
      { name: 'bare', server: bare, job: closed(stage, bare, CONNECTIONS) },
      { name: 'floor', server: floor, job: closed(stage, floor, CONNECTIONS) },
    ],
    effort,
  );
  return rowOf(name, measured);
};

/** A kind of token that the product may not have: asked for once, and looked at. */
function variant(end: string, isSuch: (token: string) => boolean, reason: string): Measure {
  return async (stage, effort, name): Promise<Row> => {
    const product = await stage.product();
    const [request] = requests(stage, end);
    if (!request) return notAvailable(name, 'there is no client');
    try {
      const { access_token } = await send(product, request);
      if (!isSuch(String(access_token))) return notAvailable(name, reason);
    } catch (error) {
      return notAvailable(name, `${reason} (${error instanceof Error ? error.message : error})`);
    }
    const [bare, floor] = [await stage.bare(), await stage.floor()];
    const contestants = [
      { name: 'product', server: product, job: closed(stage, product, CONNECTIONS, end) },
      { name: 'bare', server: bare, job: closed(stage, bare, CONNECTIONS, end) },
    ];
    if (end === '/eddsa') {
      contestants.push({ name: 'floor', server: floor, job: closed(stage, floor, CONNECTIONS, end) });
    }
    return rowOf(name, await measure(stage.arena, floor, contestants, effort));
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
    const measured = await measure(
      arena,
      guard,
      [
        { name: 'product', server: product, job: closed(stage, product, 1_000) },
        { name: 'floor', server: floor, job: closed(stage, floor, 1_000) },
      ],
      effort,
    );
    return { ...rowOf(name, measured), note: 'two processes each, load and PostgreSQL on the same cores' };
  } finally {
    await product.stop();
    await floor.stop();
    await arena.keepApart(true);
  }
};

/** Requests that arrive whatever happens. The throughput is given; what counts is the latency. */
export const openLoop: Measure = async (stage, effort, name) => {
  const [product, bare, floor] = [await stage.product(), await stage.bare(), await stage.floor()];
  const job =
    ({ origin }: Server) =>
    (seconds: number): Job => ({ kind: 'open', origin, ...OPEN_LOOP, seconds, requests: requests(stage) });
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
  return {
    ...rowOf(name, measured),
    note: '1,000 requests a second over 1,000 connections; latency from the set time',
  };
};
