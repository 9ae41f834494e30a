import type { Server } from '../arena.ts';
import type { ClosedJob, Template } from '../load/job.ts';
import { addressOf, fill } from '../load/job.ts';
import { type Contestant, measure } from '../measure.ts';
import { rowOf } from '../report.ts';
import { post, type Stage } from '../stage.ts';
import { CONNECTIONS, type Measure } from './row.ts';

/** Tokens that are asked about in turn. */
const POOL = 200;
/** Families of refresh tokens, each renewed over and over. */
const CHAINS = 32;

function rotate({ origin }: Server, requests: Template[]): Contestant['job'] {
  const plan = { type: 'rotate' as const, requests };
  return (seconds): ClosedJob => ({ kind: 'closed', origin, connections: CONNECTIONS, seconds, plan });
}

/** Asks about each token in turn, from another address each time. */
function about(template: Template, tokens: string[]): Template[] {
  return tokens.map((token) => fill(template, token));
}

async function introspectOpaqueBy(stage: Stage, server: Server): Promise<Contestant['job']> {
  const { application } = stage.arena.data;
  const tokens = (await stage.userTokens(server, POOL / 4)).map(({ access }) => access);
  const template = post('/oauth2/introspect', application, { token: '{item}' }, true);
  return rotate(server, about(template, Array.from({ length: 4 }, () => tokens).flat()));
}

/** Bare can't introspect a JWT: it is set against what it does for an opaque token. */
export const introspectJwt: Measure = async (stage, effort, name) => {
  const [product, bare, floor] = [await stage.product(), await stage.bare(), await stage.floor()];
  const [service] = stage.arena.data.services;
  if (!service) throw new Error('there is no client');
  const tokens = await stage.serviceTokens(product, POOL, '', service);
  const template = post('/oauth2/introspect', service, { token: '{item}' }, true);
  const measured = await measure(
    stage.arena,
    floor,
    [
      { name: 'product', server: product, job: rotate(product, about(template, tokens)) },
      { name: 'bare', server: bare, job: await introspectOpaqueBy(stage, bare) },
    ],
    effort,
  );
  return { ...rowOf(name, measured), note: 'bare introspects an opaque token: it refuses JWTs' };
};

export const introspectOpaque: Measure = async (stage, effort, name) => {
  const [product, bare, floor] = [await stage.product(), await stage.bare(), await stage.floor()];
  const contestants = [
    { name: 'product', server: product, job: await introspectOpaqueBy(stage, product) },
    { name: 'bare', server: bare, job: await introspectOpaqueBy(stage, bare) },
  ];
  return rowOf(name, await measure(stage.arena, floor, contestants, effort));
};

export const userinfo: Measure = async (stage, effort, name) => {
  const [product, bare, floor] = [await stage.product(), await stage.bare(), await stage.floor()];
  const contestants: Contestant[] = [];
  for (const [contestant, server] of [
    ['product', product],
    ['bare', bare],
  ] as const) {
    const requests = (await stage.userTokens(server, POOL / 4)).map(({ access }, index) => ({
      method: 'GET' as const,
      path: '/oauth2/userinfo',
      headers: { authorization: `Bearer ${access}`, 'x-forwarded-for': addressOf(index) },
    }));
    contestants.push({ name: contestant, server, job: rotate(server, requests) });
  }
  return rowOf(name, await measure(stage.arena, floor, contestants, effort));
};

/** Each connection renews a family of its own: a refresh token works once. */
export const refresh: Measure = async (stage, effort, name) => {
  const [product, bare, floor] = [await stage.product(), await stage.bare(), await stage.floor()];
  const { application } = stage.arena.data;
  const template = post('/oauth2/token', application, { grant_type: 'refresh_token', refresh_token: '{item}' });
  const contestant = (of: string, server: Server): Contestant => ({
    name: of,
    server,
    async job(seconds): Promise<ClosedJob> {
      // New ones for each slice: whoever was cut off at the end of the last one lost the answer with the next token.
      const items = (await stage.userTokens(server, CHAINS)).map((tokens) => tokens.refresh);
      const plan = { type: 'chain' as const, template, items, next: 'refresh_token' };
      return { kind: 'closed', origin: server.origin, connections: CHAINS, seconds, plan };
    },
  });
  return rowOf(
    name,
    await measure(stage.arena, floor, [contestant('product', product), contestant('bare', bare)], effort),
  );
};

/** Slices of a fixed number of requests, since each of them uses up a code or a token that was made before. */
function once(
  of: string,
  server: Server,
  count: number,
  template: Template,
  make: () => Promise<string[]>,
): Contestant {
  return {
    name: of,
    server,
    async job(): Promise<ClosedJob> {
      // Connections look one ahead.
      const items = await make();
      const connections = 32;
      const amount = Math.max(connections, Math.min(count, items.length - connections));
      return { kind: 'closed', origin: server.origin, connections, amount, plan: { type: 'each', template, items } };
    },
  };
}

export const codeExchange: Measure = async (stage, { once: count, ...effort }, name) => {
  const [product, bare, floor] = [await stage.product(), await stage.bare(), await stage.floor()];
  const contestant = (of: string, server: Server) =>
    once(of, server, count, stage.exchange, () => stage.codes(server, count + 32));
  const measured = await measure(
    stage.arena,
    floor,
    [contestant('product', product), contestant('bare', bare)],
    effort,
  );
  return { ...rowOf(name, measured), note: `slices of ${count} codes` };
};

/** Access tokens of services: JWTs in the product, opaque ones in bare, which refuses to revoke a JWT. */
export const revoke: Measure = async (stage, { once: count, ...effort }, name) => {
  const [product, bare, floor] = [await stage.product(), await stage.bare(), await stage.floor()];
  const [service] = stage.arena.data.services;
  if (!service) throw new Error('there is no client');
  const template = post('/oauth2/revoke', service, { token: '{item}' }, true);
  const measured = await measure(
    stage.arena,
    floor,
    [
      once('product', product, count, template, () => stage.serviceTokens(product, count + 32, '', service)),
      once('bare', bare, count, template, () => stage.serviceTokens(bare, count + 32, '/opaque', service)),
    ],
    effort,
  );
  return { ...rowOf(name, measured), note: `slices of ${count} tokens; JWTs in the product, opaque ones in bare` };
};
