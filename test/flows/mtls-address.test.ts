import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';
import { loadConfig } from '../../src/platform/config/load.ts';
import { createAuthority, HEADERS_OF, type Issued, issue, SERVER_AUTH } from '../support/certificates.ts';
import { BY_TEST, createApi } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

const MTLS = 'https://mtls.id.example.com';
const ca = createAuthority();
const leaf = issue({ name: [['CN', 'billing']] }, ca);

let postern: Postern;
let audience: string;
/** Where the proxy reaches it: under no name that it is served by. */
let inside: string;
let made = 0;

beforeAll(async () => {
  postern = await startPostern({
    env: {
      POSTERN_TRUSTED_PROXIES: '127.0.0.1',
      POSTERN_CLIENT_CERTIFICATE_HEADER: 'rfc9440',
      POSTERN_CLIENT_CA: ca.pem,
      POSTERN_MTLS_ISSUER: MTLS,
    },
  });
  inside = postern.url.replace('localhost', '127.0.0.1');
  audience = await createApi(postern, ['read']);
});
afterAll(() => postern.close());

/** What a proxy does that serves both addresses: it removes the header, and sets it where it asked for a certificate. */
function through(by?: Issued): typeof fetch {
  return (input, init) => {
    const asked = new Request(input, init);
    const url = new URL(asked.url);
    const headers = new Headers(asked.headers);
    headers.delete('client-cert');
    if (url.origin === MTLS) {
      headers.set('x-forwarded-host', url.host);
      if (by) headers.set('client-cert', HEADERS_OF.rfc9440(by.der)['client-cert']);
    }
    return fetch(new URL(url.pathname, url.origin === MTLS ? inside : postern.url), {
      method: asked.method,
      headers,
      ...(asked.body ? { body: asked.body, duplex: 'half' } : {}),
    } as RequestInit);
  };
}

async function account(certificateKind: string, certificate: string): Promise<string> {
  const permissions = [`${audience}#read`];
  made += 1;
  const { clientId } = await postern.parts.serviceAccounts.create(
    { name: `by ${certificateKind} ${made}`, permissions, auth: 'certificate', certificateKind, certificate },
    BY_TEST,
  );
  return clientId;
}

describe('an address of its own for certificates', () => {
  test('S54 the metadata lists what is served there, and nothing else is', async () => {
    const response = await fetch(`${postern.url}/.well-known/openid-configuration`);
    const document = (await response.json()) as { issuer: string; mtls_endpoint_aliases: Record<string, string> };
    expect(document.issuer).toBe(postern.url);
    const aliases = document.mtls_endpoint_aliases;
    expect(aliases).toMatchObject({
      token_endpoint: `${MTLS}/oauth2/token`,
      userinfo_endpoint: `${MTLS}/oauth2/userinfo`,
      introspection_endpoint: `${MTLS}/oauth2/introspect`,
      revocation_endpoint: `${MTLS}/oauth2/revoke`,
    });
    for (const address of Object.values(aliases)) {
      expect([400, 401]).toContain((await through()(address, { method: 'POST' })).status);
    }
    const pages = ['/', '/admin', '/setup', '/oauth2/authorize', '/oauth2/jwks', '/.well-known/openid-configuration'];
    for (const path of pages) {
      const answer = await through()(`${MTLS}${path}`, { redirect: 'manual' });
      expect({ path, status: answer.status }).toEqual({ path, status: 421 });
    }
  });

  test('S47 certificates count there alone: what reaches the issuer’s own address was not asked for by the proxy', async () => {
    const clientId = await account('subject_dn', 'CN=billing');
    const send = (origin: string, headers: Record<string, string> = {}) =>
      fetch(`${origin}/oauth2/token`, {
        method: 'POST',
        headers: { ...HEADERS_OF.rfc9440(leaf.der), ...headers },
        body: new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId }),
      });
    const host = { 'x-forwarded-host': 'mtls.id.example.com' };
    expect((await send(inside, host)).status).toBe(200);
    expect((await send(postern.url)).status).toBe(401);
    expect((await send(postern.url, host)).status).toBe(401);
  });
});

describe('independent clients go to the listed address by themselves', () => {
  const kinds = ['subject_dn', 'self_signed'] as const;
  const own = issue({ name: [['CN', 'own']] });
  const proof = { subject_dn: { by: leaf, value: 'CN=billing' }, self_signed: { by: own, value: own.pem } };

  test.each(kinds)('openid-client with a certificate known by %s', async (kind) => {
    const { by, value } = proof[kind];
    const clientId = await account(kind, value);
    const metadata = { use_mtls_endpoint_aliases: true };
    const options = { execute: [client.allowInsecureRequests], [client.customFetch]: through(by) };
    const auth = client.TlsClientAuth();
    const config = await client.discovery(
      new URL(postern.url),
      clientId,
      metadata,
      auth,
      options as client.DiscoveryRequestOptions,
    );
    const tokens = await client.clientCredentialsGrant(config, { resource: audience });
    expect(tokens).toMatchObject({ scope: 'read', token_type: 'bearer' });
    expect(await client.tokenIntrospection(config, tokens.access_token)).toMatchObject({ active: true });
    await client.tokenRevocation(config, tokens.access_token);
    expect(await client.tokenIntrospection(config, tokens.access_token)).toEqual({ active: false });

    const wrong = { ...options, [client.customFetch]: through(issue({ name: [['CN', 'x']] }, ca)) };
    const stranger = await client.discovery(
      new URL(postern.url),
      clientId,
      metadata,
      auth,
      wrong as client.DiscoveryRequestOptions,
    );
    await expect(client.clientCredentialsGrant(stranger, {})).rejects.toMatchObject({ error: 'invalid_client' });
  });

  test.each(kinds)('oauth4webapi with a certificate known by %s', async (kind) => {
    const { by, value } = proof[kind];
    const issuer = new URL(postern.url);
    const options = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: through(by) } as const;
    const server = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, options as object),
    );
    const me: oauth.Client = { client_id: await account(kind, value), use_mtls_endpoint_aliases: true };
    const asked = new URLSearchParams({ resource: audience });
    const answer = await oauth.clientCredentialsGrantRequest(
      server,
      me,
      oauth.TlsClientAuth(),
      asked,
      options as object,
    );
    expect(await oauth.processClientCredentialsResponse(server, me, answer)).toMatchObject({ scope: 'read' });
  });
});

describe('settings that make no sense stop the start', () => {
  const base = { POSTERN_TRUSTED_PROXIES: '127.0.0.1', POSTERN_CLIENT_CERTIFICATE_HEADER: 'nginx' };
  const leafPem = leaf.pem;
  const forServers = createAuthority('Servers', { usages: [SERVER_AUTH] });
  const constrained = createAuthority('Constrained', { critical: '2.5.29.30' });
  test.each([
    [{ POSTERN_CLIENT_CERTIFICATE_HEADER: 'apache' }, 'POSTERN_CLIENT_CERTIFICATE_HEADER must be one of rfc9440'],
    [{ POSTERN_CLIENT_CERTIFICATE_HEADER: 'nginx' }, 'POSTERN_CLIENT_CERTIFICATE_HEADER needs POSTERN_TRUSTED_PROXIES'],
    [{ POSTERN_CLIENT_CA: ca.pem }, 'POSTERN_CLIENT_CA is of no use without'],
    [{ POSTERN_MTLS_ISSUER: MTLS }, 'POSTERN_MTLS_ISSUER is of no use without'],
    [{ ...base, POSTERN_CLIENT_CA: 'x' }, 'POSTERN_CLIENT_CA must be certificates'],
    [{ ...base, POSTERN_CLIENT_CA: ca.pem + ca.keyPem }, 'POSTERN_CLIENT_CA must be certificates'],
    [{ ...base, POSTERN_CLIENT_CA: leafPem }, 'that is not that of an authority'],
    [{ ...base, POSTERN_CLIENT_CA: forServers.pem }, 'is not for client authentication'],
    [{ ...base, POSTERN_CLIENT_CA: constrained.pem }, 'a critical extension that is not known here (2.5.29.30)'],
    [{ ...base, POSTERN_MTLS_ISSUER: 'http://mtls.example.com' }, 'POSTERN_MTLS_ISSUER must be an absolute https URL'],
    [{ ...base, POSTERN_MTLS_ISSUER: `${MTLS}/x` }, 'POSTERN_MTLS_ISSUER must have no path'],
    [{ ...base, POSTERN_ISSUER: MTLS, POSTERN_MTLS_ISSUER: MTLS }, 'POSTERN_MTLS_ISSUER must be another address'],
  ])('%#', (env, message) => {
    expect(() => loadConfig(env)).toThrow(expect.objectContaining({ detail: expect.stringContaining(message) }));
  });
});
