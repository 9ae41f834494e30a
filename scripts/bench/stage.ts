import { createHash } from 'node:crypto';
import { createAgent } from '../../test/support/browserless.ts';
import type { Arena, Server } from './arena.ts';
import { AUDIENCE, SCOPE } from './data.ts';
import type { BenchClient } from './floors/setup.ts';
import { forgetSignIns } from './growth.ts';
import { addressOf, type Template } from './load/job.ts';
import { signIn } from './load/sign-in.ts';

const FORM = 'application/x-www-form-urlencoded';
/** The same for every code: how it is checked costs the same whatever it is. */
const VERIFIER = 'a-verifier-that-is-known-to-nobody-but-everybody-here';
const SESSIONS = 8;

export function basic({ clientId, secret }: BenchClient): string {
  return `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`).toString('base64')}`;
}

export function post(path: string, client: BenchClient, form: Record<string, string>, address = false): Template {
  // What the plan puts in must not be encoded away; tokens and codes need no encoding.
  const body = new URLSearchParams(form).toString().replaceAll('%7Bitem%7D', '{item}');
  const headers = { 'content-type': FORM, authorization: basic(client) };
  return { method: 'POST', path, headers: address ? { ...headers, 'x-forwarded-for': '{address}' } : headers, body };
}

/** client_credentials for the API whose audience ends in `end`. */
export function tokenRequest(client: BenchClient, end = ''): Template {
  const form = { grant_type: 'client_credentials', scope: SCOPE, resource: `${AUDIENCE}${end}` };
  return post('/oauth2/token', client, form);
}

/** What rows need of the servers: started when first asked for, and things made ahead of a slice. */
export interface Stage {
  arena: Arena;
  product(): Promise<Server>;
  bare(): Promise<Server>;
  floor(): Promise<Server>;
  /** The authorization request of the bench's application. */
  authorize: string;
  exchange: Template;
  /** Authorization codes of people who are signed in. */
  codes(server: Server, count: number): Promise<string[]>;
  /** Access and refresh tokens of people. */
  userTokens(server: Server, count: number): Promise<{ access: string; refresh: string }[]>;
  /** Tokens of services. */
  serviceTokens(server: Server, count: number, end?: string, only?: BenchClient): Promise<string[]>;
}

export function createStage(arena: Arena): Stage {
  const { services, application, people } = arena.data;
  const started = new Map<string, Promise<Server>>();
  function once(name: string, start: () => Promise<Server>): Promise<Server> {
    const server = started.get(name) ?? start();
    started.set(name, server);
    return server;
  }
  const product = () => once('product', () => arena.product());
  // They are shown the product's documents, so that comes first.
  const after = (start: () => Promise<Server>) => product().then(start);

  const authorize = `/oauth2/authorize?${new URLSearchParams({
    client_id: application.clientId,
    response_type: 'code',
    redirect_uri: application.redirectUri,
    scope: 'openid profile email',
    state: 'state',
    nonce: 'nonce',
    code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
    code_challenge_method: 'S256',
  })}`;
  const exchange = post('/oauth2/token', application, {
    grant_type: 'authorization_code',
    code: '{item}',
    redirect_uri: application.redirectUri,
    code_verifier: VERIFIER,
  });

  const signedIn = new Map<string, Promise<ReturnType<typeof createAgent>[]>>();
  async function signInAll({ origin }: Server) {
    await forgetSignIns(arena.databaseUrl);
    return Promise.all(
      people.slice(0, SESSIONS).map(async (person, index) => {
        const agent = createAgent(origin);
        await signIn(agent, authorize, person, addressOf(index));
        return agent;
      }),
    );
  }

  async function codes(server: Server, count: number): Promise<string[]> {
    const sessions = signedIn.get(server.origin) ?? signInAll(server);
    signedIn.set(server.origin, sessions);
    const made: string[] = [];
    let begun = 0;
    async function more(agent: ReturnType<typeof createAgent>): Promise<void> {
      while (begun < count) {
        begun += 1;
        const page = await agent.get(authorize, { 'x-forwarded-for': addressOf(begun) });
        const code = page.leaves?.searchParams.get('code');
        if (!code)
          throw new Error(`no code from ${server.name}: ${page.leaves?.href ?? `${page.status} ${page.text}`}`);
        made.push(code);
      }
    }
    await Promise.all((await sessions).map(more));
    return made;
  }

  return {
    arena,
    product,
    bare: () => once('bare', () => after(() => arena.bare())),
    floor: () => once('floor', () => after(() => arena.floor())),
    authorize,
    exchange,
    codes,
    async userTokens(server, count) {
      const tokens: { access: string; refresh: string }[] = [];
      const waiting = await codes(server, count);
      async function redeem(): Promise<void> {
        for (let code = waiting.pop(); code !== undefined; code = waiting.pop()) {
          const { access_token, refresh_token } = await send(server, exchange, code);
          tokens.push({ access: String(access_token), refresh: String(refresh_token) });
        }
      }
      await Promise.all(Array.from({ length: SESSIONS }, redeem));
      return tokens;
    },
    async serviceTokens(server, count, end = '', only = undefined) {
      const holders = only === undefined ? services.slice(0, 10) : [only];
      const connections = Math.min(16, count);
      const { kept, statuses } = await arena.load({
        kind: 'closed',
        origin: server.origin,
        connections,
        amount: count,
        plan: { type: 'rotate', requests: holders.map((one) => tokenRequest(one, end)), keep: 'access_token' },
      });
      if (kept.length === 0) throw new Error(`no token from ${server.name}: ${JSON.stringify(statuses)}`);
      return kept;
    },
  };
}

/** One request outside of any slice. Throws with the answer where it is no success. */
export async function send(server: Server, template: Template, item = ''): Promise<Record<string, unknown>> {
  const { method, path, headers, body } = template;
  const response = await fetch(`${server.origin}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: body.replaceAll('{item}', item) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${server.name} answered ${path} with ${response.status}: ${text.slice(0, 300)}`);
  return JSON.parse(text);
}
