import type { Server } from './arena.ts';
import { forgetSignIns } from './growth.ts';
import type { ClosedJob, SignInJob, Template } from './load/job.ts';
import { addressOf, fill } from './load/job.ts';
import type { Contestant } from './measure.ts';
import { post, type Stage, tokenRequest } from './stage.ts';

export const CONNECTIONS = 64;
/** Tokens that are asked about in turn. */
const POOL = 200;
/** Families of refresh tokens, each renewed over and over; and connections that use up what was made before. */
const FEW_CONNECTIONS = 32;
const FEW_CLIENTS = 10;
/** Browsers that sign in at the same time, and so hashes that are under way. */
export const BROWSERS = 4;

/** The load that one kind of request makes on one server. */
export type Load = (stage: Stage, server: Server) => Promise<Contestant['job']>;

function rotate({ origin }: Server, requests: Template[], connections = CONNECTIONS, ramp = 0): Contestant['job'] {
  const plan = { type: 'rotate' as const, requests };
  return (seconds): ClosedJob => ({ kind: 'closed', origin, connections, seconds, ramp, plan });
}

export function tokenRequests({ arena }: Stage, end = '', clients = FEW_CLIENTS): Template[] {
  return arena.data.services.slice(0, clients).map((service) => tokenRequest(service, end));
}

/** client_credentials; `end` of the audience decides on the kind of token. */
export function clientCredentials(
  options: { end?: string; connections?: number; clients?: number; ramp?: number } = {},
): Load {
  return async (stage, server) =>
    rotate(server, tokenRequests(stage, options.end, options.clients), options.connections, options.ramp);
}

function firstService({ arena }: Stage) {
  const [service] = arena.data.services;
  if (!service) throw new Error('there is no client');
  return service;
}

export const introspectJwt: Load = async (stage, server) => {
  const service = firstService(stage);
  const template = post('/oauth2/introspect', service, { token: '{item}' }, true);
  const tokens = await stage.serviceTokens(server, POOL, '', service);
  return rotate(
    server,
    tokens.map((token) => fill(template, token)),
  );
};

export const introspectOpaque: Load = async (stage, server) => {
  const template = post('/oauth2/introspect', stage.arena.data.application, { token: '{item}' }, true);
  const tokens = await stage.userTokens(server, POOL / 4);
  // Each of them is asked about from several addresses.
  const requests = Array.from({ length: POOL }, (_, index) => tokens[index % tokens.length]?.access ?? '');
  return rotate(
    server,
    requests.map((token) => fill(template, token)),
  );
};

export const userinfo: Load = async (stage, server) => {
  const tokens = await stage.userTokens(server, POOL / 4);
  return rotate(
    server,
    tokens.map(({ access }, index) => ({
      method: 'GET',
      path: '/oauth2/userinfo',
      headers: { authorization: `Bearer ${access}`, 'x-forwarded-for': addressOf(index) },
    })),
  );
};

/** Each connection renews a family of its own: a refresh token works once. */
export const refresh: Load = async (stage, server) => {
  const form = { grant_type: 'refresh_token', refresh_token: '{item}' };
  const template = post('/oauth2/token', stage.arena.data.application, form);
  return async (seconds): Promise<ClosedJob> => {
    // New ones for each slice: whoever was cut off at the end of the last one lost the answer with the next token.
    const items = (await stage.userTokens(server, FEW_CONNECTIONS)).map((tokens) => tokens.refresh);
    const plan = { type: 'chain' as const, template, items, next: 'refresh_token' };
    return { kind: 'closed', origin: server.origin, connections: FEW_CONNECTIONS, seconds, plan };
  };
};

/** From the authorization request to the redirect with the code: pages, password and authenticator code included. */
export const signingIn: Load = async ({ arena, authorize }, { origin }) => {
  return async (seconds): Promise<SignInJob> => {
    await forgetSignIns(arena.databaseUrl);
    return { kind: 'sign-in', origin, browsers: BROWSERS, seconds, authorize, people: arena.data.people };
  };
};

/** Slices of a fixed number of requests, since each of them uses up what was made before. */
function once(server: Server, count: number, template: Template, make: () => Promise<string[]>): Contestant['job'] {
  return async (): Promise<ClosedJob> => {
    const items = await make();
    // Connections look one ahead.
    const amount = Math.max(FEW_CONNECTIONS, Math.min(count, items.length - FEW_CONNECTIONS));
    const plan = { type: 'each' as const, template, items };
    return { kind: 'closed', origin: server.origin, connections: FEW_CONNECTIONS, amount, plan };
  };
}

export function codeExchange(count: number): Load {
  return async (stage, server) =>
    once(server, count, stage.exchange, () => stage.codes(server, count + FEW_CONNECTIONS));
}

/** Access tokens of a service. Bare refuses to revoke a JWT: it gets opaque ones. */
export function revocation(count: number, end: string): Load {
  return async (stage, server) => {
    const service = firstService(stage);
    const template = post('/oauth2/revoke', service, { token: '{item}' }, true);
    return once(server, count, template, () => stage.serviceTokens(server, count + FEW_CONNECTIONS, end, service));
  };
}

export function documentAt(path: string): Load {
  return async (_stage, server) => rotate(server, [{ method: 'GET', path, headers: {} }]);
}

/** A token, and then a question about it: what writes and what reads. */
export const tokenAndIntrospection: Load = async ({ arena }, { origin }) => {
  const pairs = arena.data.services.slice(0, FEW_CLIENTS).map((service) => ({
    first: tokenRequest(service),
    second: post('/oauth2/introspect', service, { token: '{item}' }, true),
  }));
  const plan = { type: 'pair' as const, pairs, next: 'access_token' };
  return (seconds): ClosedJob => ({ kind: 'closed', origin, connections: CONNECTIONS, seconds, plan });
};
