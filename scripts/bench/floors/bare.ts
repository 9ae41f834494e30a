// The library alone: oidc-provider with its in-memory adapter and Postern's settings, without storage, audit, limits,
// pages or anything around it. Its sign-in page is one password verification.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { exportJWK, type JWK } from 'jose';
import Provider, { type ClientMetadata, type Configuration, type ResourceServer } from 'oidc-provider';
import { createMemoryAdapter, setStorage } from 'oidc-provider/lib/adapters/memory_adapter.js';
import LRU from 'oidc-provider/lib/helpers/lru.js';
import type { AccountRecord } from '../../../src/oidc/account-row.ts';
import { createMutualTls } from '../../../src/oidc/client-auth/certificates.ts';
import { ACR_TWO_FACTORS } from '../../../src/oidc/policy.ts';
import { settings } from '../../../src/oidc/settings.ts';
import type { Config } from '../../../src/platform/config/schema.ts';
import { createVerifier } from './argon2.ts';
import { readFloorSetup } from './setup.ts';

const { setup, port } = readFloorSetup();
const issuer = `http://127.0.0.1:${port}`;

async function key(kid: string, alg: string): Promise<JWK> {
  const { privateKey } =
    alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  return { ...(await exportJWK(privateKey)), kid, alg, use: 'sig' };
}

const account: AccountRecord = {
  ...setup.account,
  updatedAt: new Date(),
  roles: [],
  groups: [],
  permissions: [],
  consented: ['openid', 'profile', 'email', 'offline_access'],
};

const { clientId, secret, redirectUri } = setup.application;
const clients: ClientMetadata[] = [
  ...setup.services.map((service) => ({
    client_id: service.clientId,
    client_secret: service.secret,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
  })),
  {
    client_id: clientId,
    client_secret: secret,
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    scope: 'openid profile email offline_access',
  },
];

/** Format and algorithm by the audience's end. */
async function getResourceServerInfo(_ctx: unknown, audience: string): Promise<ResourceServer> {
  const common = { audience, scope: setup.scope, accessTokenTTL: setup.tokenTtl };
  if (audience.endsWith('/opaque')) return { ...common, accessTokenFormat: 'opaque' };
  const alg = audience.endsWith('/eddsa') ? 'EdDSA' : 'ES256';
  return { ...common, accessTokenFormat: 'jwt', jwt: { sign: { alg } } };
}

// The default store keeps 1,000 entries: under load it would forget what was just issued.
setStorage(new LRU({ maxSize: 2_000_000 }));
const jwks = { keys: [await key('bare-es256', 'ES256'), await key('bare-eddsa', 'EdDSA')] };
const shared: Configuration = settings({
  config: { issuer, secure: false, sessionIdleSeconds: 3600, sessionAbsoluteSeconds: 86_400 } as Config,
  jwks,
  cookieKeys: [randomBytes(32).toString('base64url')],
  dpopNonceKey: randomBytes(32),
  adapter: createMemoryAdapter(),
  accounts: { find: async () => account },
  pages: {
    error: (ctx, problem) => {
      ctx.body = problem;
    },
    confirmSignOut: () => undefined,
    signedOut: () => undefined,
  },
  detailTypes: new Map(),
  backchannel: { personOf: async () => undefined, tell: () => undefined },
  mutualTls: createMutualTls({
    header: undefined,
    authorities: [],
    origin: undefined,
    now: () => new Date(),
    onUnreadable: () => undefined,
  }),
  now: () => new Date(),
  fetch: () => Promise.reject(new Error('nothing is fetched here')),
  recordJwt: () => undefined,
});
const provider = new Provider(issuer, {
  ...shared,
  clients,
  features: {
    ...shared.features,
    resourceIndicators: { enabled: true, getResourceServerInfo, useGrantedResource: async () => true },
  },
});
provider.on('server_error', (_ctx, error) => console.error(error));

const verifyPassword = createVerifier(setup.passwordHash, setup.password);
const protocol = provider.callback();

async function signIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
  await provider.interactionDetails(request, response);
  await verifyPassword();
  const login = { accountId: account.id, acr: ACR_TWO_FACTORS, amr: ['pwd', 'otp', 'mfa'], remember: true };
  await provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
}

const server = createServer((request, response) => {
  if (request.url === '/healthz') return void response.end('{}');
  if (!request.url?.startsWith('/interaction/')) return void protocol(request, response);
  signIn(request, response).catch((error: unknown) => {
    console.error(error);
    response.writeHead(500).end();
  });
});
server.keepAliveTimeout = 75_000;
server.listen(port, '127.0.0.1', 4_096);
process.on('SIGTERM', () => process.exit(0));
process.on('disconnect', () => process.exit(0));
