import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { postForm, type TokenAnswer } from './oauth.ts';

export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

interface Key {
  privateKey: CryptoKey;
  jwk: JWK & { kid: string };
}

/** A platform that gives tokens to its workloads: metadata and keys over HTTP, on a port of its own. */
export interface WorkloadIssuer {
  url: string;
  host: string;
  /** How often each path was asked for. */
  asked: Record<string, number>;
  /** What the server does; `ok` at first. */
  mood: 'ok' | 'down' | 'slow' | 'redirect' | 'garbage' | 'huge';
  /** Takes the place of what the metadata says. */
  metadata: Record<string, unknown>;
  /** Published beside its own keys. */
  furtherKeys: object[];
  publicKeys(): object[];
  /** A new key signs from now on; the one before goes at once unless it is kept. */
  rotate(options?: { keep?: boolean; alg?: string }): Promise<void>;
  sign(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  close(): Promise<void>;
}

let made = 0;

async function makeKey(alg: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  made += 1;
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid: `key-${made}`, alg, use: 'sig' } };
}

export async function startIssuer(alg = 'RS256'): Promise<WorkloadIssuer> {
  let keys = [await makeKey(alg)];
  const server: Server = createServer((request, response) => {
    const path = request.url ?? '';
    issuer.asked[path] = (issuer.asked[path] ?? 0) + 1;
    const json = (value: unknown) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(value));
    };
    if (issuer.mood === 'slow') return;
    if (issuer.mood === 'down') return void request.socket.destroy();
    if (issuer.mood === 'redirect') return void response.writeHead(302, { location: `${issuer.url}/elsewhere` }).end();
    if (issuer.mood === 'garbage') return void response.setHeader('content-type', 'application/json').end('{"keys":');
    if (issuer.mood === 'huge') return json({ keys: issuer.publicKeys(), padding: 'x'.repeat(400_000) });
    if (path === '/.well-known/openid-configuration') {
      return json({ issuer: issuer.url, jwks_uri: `${issuer.url}/keys`, ...issuer.metadata });
    }
    if (path === '/keys') return json({ keys: issuer.publicKeys() });
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  const issuer: WorkloadIssuer = {
    url: `http://${host}`,
    host,
    asked: {},
    mood: 'ok',
    metadata: {},
    furtherKeys: [],
    publicKeys: () => [...keys.map(({ jwk }) => jwk), ...issuer.furtherKeys],
    async rotate({ keep = false, alg: next = alg } = {}) {
      keys = [await makeKey(next), ...(keep ? keys : [])];
    },
    sign(claims, header = {}) {
      const [key] = keys;
      if (!key) throw new Error('an issuer has a key');
      const { alg: signing = alg, kid } = key.jwk;
      return new SignJWT(claims).setProtectedHeader({ alg: signing, kid, ...header }).sign(key.privateKey);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return issuer;
}

export const now = () => Math.floor(Date.now() / 1000);

/** As the API server makes them for a projected volume (TokenRequest): no typ, an audience in a list. */
export function kubernetesToken(
  issuer: WorkloadIssuer,
  workload: { namespace: string; account: string; audience: string },
  changes: Record<string, unknown> = {},
): Promise<string> {
  const { namespace, account, audience } = workload;
  const at = now();
  return issuer.sign({
    aud: [audience],
    exp: at + 3607,
    iat: at,
    iss: issuer.url,
    jti: crypto.randomUUID(),
    'kubernetes.io': {
      namespace,
      node: { name: 'worker-1', uid: '646e7c5e-32d6-4d42-9dbd-e504e6cbe6b1' },
      pod: { name: `${account}-7b6f9c-x2x`, uid: '5e0bd49b-f040-43b0-99b7-22765a53f7f3' },
      serviceaccount: { name: account, uid: '14ee3fa4-a7e2-420f-9f9a-dbc4507c3798' },
      warnafter: at + 3607,
    },
    nbf: at,
    sub: `system:serviceaccount:${namespace}:${account}`,
    ...changes,
  });
}

/** As token.actions.githubusercontent.com makes them, in the same words. */
export function githubToken(
  issuer: WorkloadIssuer,
  audience: string,
  changes: Record<string, unknown> = {},
): Promise<string> {
  const at = now();
  return issuer.sign(
    {
      jti: crypto.randomUUID(),
      sub: 'repo:octo-org/octo-repo:environment:prod',
      environment: 'prod',
      aud: audience,
      ref: 'refs/heads/main',
      sha: 'f1e2d3c4b5a697887766554433221100ffeeddcc',
      repository: 'octo-org/octo-repo',
      repository_owner: 'octo-org',
      actor_id: '12',
      repository_visibility: 'private',
      repository_id: '74',
      repository_owner_id: '65',
      run_id: '1234567890',
      run_number: '10',
      run_attempt: '2',
      runner_environment: 'github-hosted',
      actor: 'octocat',
      workflow: 'deploy',
      head_ref: '',
      base_ref: '',
      event_name: 'push',
      ref_type: 'branch',
      job_workflow_ref: 'octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main',
      iss: issuer.url,
      nbf: at - 600,
      exp: at + 300,
      iat: at,
      ...changes,
    },
    { typ: 'JWT', x5t: 'Hy6qbCrTZoHBbBnhJTpS6oPRiw8' },
  );
}

/** A JWT-SVID as SPIRE makes it where jwt_issuer is set: no jti, five minutes. */
export function svidToken(
  issuer: WorkloadIssuer,
  spiffeId: string,
  audience: string,
  changes: Record<string, unknown> = {},
): Promise<string> {
  const at = now();
  const claims = { aud: [audience], exp: at + 300, iat: at, iss: issuer.url, sub: spiffeId, ...changes };
  return issuer.sign(claims, { typ: 'JWT' });
}

/** A request of RFC 7523 section 2.1. */
export function bear(
  origin: string,
  assertion: string,
  extra: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<TokenAnswer> {
  return postForm(`${origin}/oauth2/token`, { grant_type: JWT_BEARER, assertion, ...extra }, headers);
}
