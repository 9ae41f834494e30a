import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt, exportJWK, generateKeyPair } from 'jose';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';
import type { Surroundings } from '../../src/cli/command.ts';
import { runCli } from '../../src/cli/run.ts';
import type { TrustInput } from '../../src/features/workload-trusts/schema.ts';
import type { Agent } from '../support/browserless.ts';
import { browserOf } from '../support/console.ts';
import { introspect } from '../support/oauth.ts';
import { BY_TEST, createApi, createPerson, createService, type Service } from '../support/people.ts';
import { type Postern, startPostern, testEnvironment } from '../support/postern.ts';
import { moveTime } from '../support/time.ts';
import { everythingTold } from '../support/told.ts';
import { until } from '../support/until.ts';
import {
  bear,
  githubToken,
  JWT_BEARER,
  kubernetesToken,
  startIssuer,
  svidToken,
  type WorkloadIssuer,
} from '../support/workload-issuer.ts';

let postern: Postern;
let cluster: WorkloadIssuer;
let github: WorkloadIssuer;
let spire: WorkloadIssuer;
let audience: string;

beforeAll(async () => {
  [cluster, github, spire] = await Promise.all([startIssuer(), startIssuer(), startIssuer('ES256')]);
  const allowed = [cluster, github, spire].map(({ host }) => host).join(',');
  postern = await startPostern({ env: { POSTERN_OUTGOING_ALLOW: allowed } });
  audience = await createApi(postern, ['read', 'write']);
});
afterAll(async () => {
  await postern.close();
  await Promise.all([cluster, github, spire].map((issuer) => issuer.close()));
});

let names = 0;

async function trusted(input: Omit<TrustInput, 'name'>): Promise<Service & { trustId: string }> {
  names += 1;
  const service = await createService(postern, [`${audience}#read`, `${audience}#write`]);
  const { id } = await postern.parts.workloadTrusts.create(service.id, { name: `entry ${names}`, ...input }, BY_TEST);
  await everythingTold(postern);
  return { ...service, trustId: id };
}

const eventsOf = (clientId: string) =>
  postern.db.query<{ action: string; reason: string | null; data: Record<string, unknown> }>(
    'test-events-of',
    'SELECT action, reason, data FROM audit_event WHERE client_id = $1 ORDER BY id',
    [clientId],
  );

describe('a token of the platform is taken for the service account', () => {
  test('in Kubernetes: a projected token, again and again until it expires', async () => {
    const workload = { namespace: 'shop', account: 'billing', audience: postern.url };
    const service = await trusted({ preset: 'kubernetes', issuer: cluster.url, ...workload, audience: undefined });
    const token = await kubernetesToken(cluster, workload);
    const { status, headers, body } = await bear(postern.url, token, { scope: 'read' });
    expect({ status, error: body.error }).toEqual({ status: 200, error: undefined });
    expect(headers.get('cache-control')).toBe('no-store');
    expect(Object.keys(body).sort()).toEqual(['access_token', 'expires_in', 'scope', 'token_type']);
    expect(decodeJwt(String(body.access_token))).toMatchObject({
      iss: postern.url,
      sub: service.clientId,
      client_id: service.clientId,
      aud: audience,
      scope: 'read',
    });
    expect(await introspect(postern.url, service, String(body.access_token))).toMatchObject({ active: true });
    expect((await bear(postern.url, token)).body.scope).toBe('read write');

    const events = await eventsOf(service.clientId);
    const issued = events.filter(({ action }) => action === 'token.issue');
    expect(issued[0]?.data).toMatchObject({
      grant_type: JWT_BEARER,
      trust: { id: service.trustId },
      issuer: cluster.url,
      subject: 'system:serviceaccount:shop:billing',
    });
    for (const wrong of [{ account: 'other' }, { namespace: 'prod' }, { audience: 'https://kubernetes.default.svc' }]) {
      const { body: refused } = await bear(postern.url, await kubernetesToken(cluster, { ...workload, ...wrong }));
      expect(refused).toEqual({ error: 'invalid_grant', error_description: 'grant request is invalid' });
    }
  });

  test('in Kubernetes: keys that were given, and a rule on a claim inside others', async () => {
    const workload = { namespace: 'shop', account: 'given', audience: 'postern' };
    await trusted({
      preset: 'kubernetes',
      issuer: cluster.url,
      ...workload,
      keys: 'jwks',
      jwks: JSON.stringify({ keys: cluster.publicKeys() }),
      claims: '/kubernetes.io/serviceaccount/uid=14ee3fa4-a7e2-420f-9f9a-dbc4507c3798',
    });
    expect((await bear(postern.url, await kubernetesToken(cluster, workload))).status).toBe(200);
    const recreated = { 'kubernetes.io': { serviceaccount: { uid: 'another' } } };
    expect((await bear(postern.url, await kubernetesToken(cluster, workload, recreated))).status).toBe(400);
  });

  test('of GitHub Actions: by ids, once for each token', async () => {
    await trusted({
      preset: 'github_actions',
      issuer: github.url,
      repositoryId: '74',
      repositoryOwnerId: '65',
      environment: 'prod',
    });
    const token = await githubToken(github, postern.url);
    expect((await bear(postern.url, token)).status).toBe(200);
    expect((await bear(postern.url, token)).body.error).toBe('invalid_grant');
    expect((await bear(postern.url, await githubToken(github, postern.url, { repository: 'new/name' }))).status).toBe(
      200,
    );
    for (const changes of [
      { repository_id: '75' },
      { repository_owner_id: '66' },
      { environment: 'test' },
      { environment: undefined },
      { repository_id: ['74'] },
    ]) {
      const { body } = await bear(postern.url, await githubToken(github, postern.url, changes));
      expect({ changes, error: body.error }).toEqual({ changes, error: 'invalid_grant' });
    }
  });

  test('of SPIFFE: a JWT-SVID, verified with the bundle of its trust domain', async () => {
    const spiffeId = 'spiffe://prod.example.org/ns/shop/sa/billing';
    const bundle = {
      spiffe_sequence: 1,
      keys: [
        ...spire.publicKeys().map((key) => ({ ...key, use: 'jwt-svid', alg: undefined })),
        { kty: 'EC', crv: 'P-256', use: 'x509-svid', x5c: ['MIIB'] },
      ],
    };
    await trusted({ preset: 'spiffe', issuer: spire.url, spiffeId, keys: 'jwks', jwks: JSON.stringify(bundle) });
    const svid = await svidToken(spire, spiffeId, postern.url);
    for (const _ of [1, 2]) expect((await bear(postern.url, svid)).status).toBe(200);
    const other = await svidToken(spire, `${spiffeId}2`, postern.url);
    expect((await bear(postern.url, other)).body.error).toBe('invalid_grant');
  });
});

describe('with libraries that others wrote', () => {
  const options = { [oauth.allowInsecureRequests]: true };
  const workload = () => ({ namespace: 'shop', account: 'library', audience: postern.url });
  let service: Service;
  beforeAll(async () => {
    service = await trusted({ preset: 'kubernetes', issuer: cluster.url, ...workload() });
  });

  test('oauth4webapi: the metadata names the grant, and the grant works', async () => {
    const issuer = new URL(postern.url);
    const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options));
    expect(as.grant_types_supported).toContain(JWT_BEARER);
    const assertion = await kubernetesToken(cluster, workload());
    const response = await oauth.genericTokenEndpointRequest(
      as,
      { client_id: service.clientId },
      oauth.None(),
      JWT_BEARER,
      { assertion, scope: 'read', resource: audience },
      options,
    );
    const result = await oauth.processGenericTokenEndpointResponse(as, { client_id: service.clientId }, response);
    expect(result).toMatchObject({ token_type: 'bearer', scope: 'read', expires_in: 300 });
  });

  test('openid-client', async () => {
    const execute = [client.allowInsecureRequests];
    const config = await client.discovery(new URL(postern.url), service.clientId, undefined, client.None(), {
      execute,
    });
    const assertion = await kubernetesToken(cluster, workload());
    const answer = await client.genericGrantRequest(config, JWT_BEARER, { assertion, scope: 'write' });
    expect(answer.scope).toBe('write');
    const other = await createService(postern, [`${audience}#read`]);
    const wrong = await client.discovery(new URL(postern.url), other.clientId, undefined, client.None(), { execute });
    await expect(client.genericGrantRequest(wrong, JWT_BEARER, { assertion })).rejects.toMatchObject({
      error: 'invalid_grant',
    });
  });
});

describe('keys of an issuer', () => {
  let issuer: WorkloadIssuer;
  let own: Postern;
  let account: Service;
  const spiffeId = 'spiffe://example.org/keys';
  const send = async () => bear(own.url, await svidToken(issuer, spiffeId, own.url));

  beforeAll(async () => {
    issuer = await startIssuer('EdDSA');
    own = await startPostern({ env: { POSTERN_OUTGOING_ALLOW: issuer.host } });
    account = await createService(own, [`${await createApi(own, ['read'])}#read`]);
    const input = { preset: 'spiffe', name: 'keys', issuer: issuer.url, spiffeId } as const;
    await own.parts.workloadTrusts.create(account.id, input, BY_TEST);
    await everythingTold(own);
  });
  afterAll(async () => {
    await own.close();
    await issuer.close();
  });

  test('are asked for once, by many at the same time, and kept for five minutes', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, send));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(issuer.asked).toEqual({ '/.well-known/openid-configuration': 1, '/keys': 1 });
    moveTime(299);
    await send();
    expect(issuer.asked['/keys']).toBe(1);
    moveTime(2);
    expect((await send()).status).toBe(200);
    expect(issuer.asked['/keys']).toBe(2);
  });

  test('are asked for again when a key is new, every half minute at the most', async () => {
    await issuer.rotate();
    expect((await send()).status).toBe(200);
    expect(issuer.asked['/keys']).toBe(3);
    const madeUp = await issuer.sign(
      { iss: issuer.url, sub: spiffeId, aud: own.url, exp: 2e9, iat: Date.now() / 1000 },
      { kid: 'made-up' },
    );
    for (let i = 0; i < 5; i++) expect((await bear(own.url, madeUp)).body.error).toBe('invalid_grant');
    expect(issuer.asked['/keys']).toBe(3);
    moveTime(31);
    expect((await bear(own.url, madeUp)).body.error).toBe('invalid_grant');
    expect(issuer.asked['/keys']).toBe(4);
  });

  test.each(['down', 'redirect', 'garbage', 'huge'] as const)(
    'S93 a server that is %s: what is known serves for an hour, then 503, and all is well afterwards',
    async (mood) => {
      moveTime(31);
      await until(async () => (await send()).status === 200);
      issuer.mood = mood;
      moveTime(301);
      expect((await send()).status).toBe(200);
      const strange = await issuer.sign(
        { iss: issuer.url, sub: spiffeId, aud: own.url, exp: 2e9, iat: Date.now() / 1000 },
        { kid: 'new' },
      );
      expect((await bear(own.url, strange)).status).toBe(503);
      moveTime(3_400);
      const { status, headers, body } = await send();
      expect({ status, error: body.error }).toEqual({ status: 503, error: 'temporarily_unavailable' });
      expect(headers.get('retry-after')).toMatch(/^\d+$/);
      issuer.mood = 'ok';
      moveTime(31);
      expect((await send()).status).toBe(200);
    },
  );

  test('metadata of another name is not believed', async () => {
    moveTime(4_000);
    issuer.metadata = { issuer: `${issuer.url}/` };
    expect((await send()).status).toBe(503);
    issuer.metadata = {};
    moveTime(6);
    expect((await send()).status).toBe(200);
  });
});

test('when an entry was used last is written by the end of the process at the latest', async () => {
  const workload = { namespace: 'shop', account: 'used', audience: 'used' };
  const { trustId } = await trusted({ preset: 'kubernetes', issuer: cluster.url, ...workload });
  const lastUse = async () => (await postern.parts.workloadTrusts.byId(trustId))?.lastUsedAt;
  const env = { POSTERN_OUTGOING_ALLOW: cluster.host };
  const other = await startPostern({ databaseUrl: postern.databaseUrl, env });
  expect((await bear(other.url, await kubernetesToken(cluster, { ...workload, audience: 'other' }))).status).toBe(400);
  expect((await bear(other.url, await kubernetesToken(cluster, workload))).status).toBe(200);
  expect(await lastUse()).toBeNull();
  await other.close({ keepTime: true });
  expect(await lastUse()).toEqual(expect.any(Date));
});

describe('on the pages', () => {
  let browser: Agent;
  let account: Service;
  beforeAll(async () => {
    browser = await browserOf(postern, await createPerson(postern, { roles: ['admin'] }), '/admin');
    account = await createService(postern, [`${audience}#read`]);
  });

  test('an entry is made by its preset, tried, changed, switched off and on, and deleted', async () => {
    const home = await browser.get(`/admin/service-accounts/${account.id}`);
    expect(home.text).toContain('No trusted workload');
    const choice = await browser.get(`/admin/service-accounts/${account.id}/trusts/new`);
    for (const name of ['Kubernetes', 'GitHub Actions', 'SPIFFE', 'Another platform'])
      expect(choice.text).toContain(name);

    const page = await browser.get(`/admin/service-accounts/${account.id}/trusts/new/kubernetes`);
    const form = page.forms.find(({ inputs }) => inputs.includes('issuer'));
    expect(form?.fields).toMatchObject({ audience: postern.url, maxAge: '3600', keys: 'discovery', singleUse: 'off' });
    const values = { name: 'billing', issuer: cluster.url, namespace: 'pages', account: 'billing' };
    const wrong = await browser.submit(page, 'issuer', { ...values, namespace: 'Not a name' });
    expect(wrong.status).toBe(422);
    expect(wrong.text).toContain('Give the name as Kubernetes has it');
    const shown = await browser.submit(wrong, 'issuer', values);
    expect(shown.url).toMatch(/\/trusts\/[0-9a-f-]{36}$/);
    for (const text of ['billing is trusted from now on.', 'system:serviceaccount:pages:billing', 'assertion@/var/run'])
      expect(shown.text).toContain(text);
    const twin = await browser.submit(await browser.get(page.url), 'issuer', values);
    expect(twin.text).toContain('Another trusted workload of this account has this name.');

    const workload = { namespace: 'pages', account: 'billing', audience: postern.url };
    const status = async () => (await bear(postern.url, await kubernetesToken(cluster, workload))).status;
    await until(async () => (await status()) === 200);
    const off = await browser.submit(shown, '/disable');
    expect(off.text).toContain('The entry is disabled.');
    await until(async () => (await status()) === 400);
    const on = await browser.submit(off, '/enable');
    await until(async () => (await status()) === 200);

    const edit = await browser.get(`${new URL(on.url).pathname}/edit`);
    const filled = edit.forms.find(({ inputs }) => inputs.includes('issuer'))?.fields;
    expect(filled).toMatchObject({ ...values, keys: 'discovery', singleUse: 'off' });
    const saved = await browser.submit(edit, 'issuer', { account: 'other', claims: '/kubernetes.io/namespace=pages' });
    expect(saved.text).toContain('system:serviceaccount:pages:other');
    await until(async () => (await status()) === 400);
    const list = await browser.get(`/admin/service-accounts/${account.id}`);
    for (const text of ['billing', cluster.url, 'Kubernetes']) expect(list.text).toContain(text);
    const gone = await browser.submit(saved, '/delete');
    expect(gone.text).toContain('No trusted workload');

    const events = (await eventsOf(account.clientId)).filter(({ action }) => action.startsWith('workload_trust.'));
    expect(events.map(({ action }) => action.split('.')[1])).toEqual([
      'create',
      'disable',
      'enable',
      'update',
      'delete',
    ]);
    expect(events[3]?.data).toMatchObject({
      serviceAccount: { id: account.id },
      before: { claims: { sub: 'system:serviceaccount:pages:billing' } },
      after: { claims: { sub: 'system:serviceaccount:pages:other', '/kubernetes.io/namespace': 'pages' } },
    });
  });

  test('a private key that was pasted is not sent back, and an entry of another account is not there', async () => {
    const page = await browser.get(`/admin/service-accounts/${account.id}/trusts/new/custom`);
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    const secret = await exportJWK(privateKey);
    const values = { name: 'leak', issuer: 'https://ci.example.com', subject: 'ci', keys: 'jwks' };
    const leaked = await browser.submit(page, 'issuer', { ...values, jwks: JSON.stringify({ keys: [secret] }) });
    expect(leaked.text).toContain('Key 1 holds its private part.');
    expect(leaked.html).not.toContain(secret.d);

    const stranger = await createService(postern);
    const trusted = { preset: 'custom', name: 'ci', issuer: 'https://ci.example.com', subject: 'ci' } as const;
    const { id } = await postern.parts.workloadTrusts.create(stranger.id, trusted, BY_TEST);
    for (const path of ['', '/edit']) {
      expect((await browser.get(`/admin/service-accounts/${account.id}/trusts/${id}${path}`)).status).toBe(404);
    }
  });
});

describe('on the command line', () => {
  async function run(...argv: string[]) {
    const written = { out: '', err: '' };
    const surroundings: Surroundings = {
      env: testEnvironment(postern.databaseUrl),
      osUser: 'ada',
      async out(text) {
        written.out += text;
      },
      async err(text) {
        written.err += text;
      },
      readInput: async () => '',
      readFile: async () => JSON.stringify({ keys: cluster.publicKeys() }),
    };
    return { status: await runCli(argv, surroundings), ...written };
  }

  test('entries are made, listed, disabled, enabled and deleted', async () => {
    const account = await createService(postern, [`${audience}#read`]);
    const create = ['trust', 'create', '--service-account', account.id, '--json', '--audience', postern.url];
    const kubernetes = ['--preset', 'kubernetes', '--issuer', cluster.url, '--namespace', 'cli', '--name', 'billing'];
    const made = await run(...create, ...kubernetes, '--jwks', 'jwks.json', '--single-use');
    expect({ status: made.status, err: made.err }).toEqual({ status: 0, err: '' });
    const { id, ...entry } = JSON.parse(made.out);
    expect(entry).toMatchObject({
      service_account_id: account.id,
      claims: { sub: 'system:serviceaccount:cli:billing' },
      single_use: true,
      max_age: 3_600,
      status: 'active',
    });
    const workload = { namespace: 'cli', account: 'billing', audience: postern.url };
    const status = async () => (await bear(postern.url, await kubernetesToken(cluster, workload))).status;
    await until(async () => (await status()) === 200);

    const github = ['--preset', 'github_actions', '--name', 'deploy', '--repository-id', '74'];
    expect((await run(...create, ...github)).status).toBe(2);
    const deploy = await run(...create, ...github, '--repository-owner-id', '65', '--claim', 'run_attempt=1');
    expect(JSON.parse(deploy.out)).toMatchObject({
      issuer: 'https://token.actions.githubusercontent.com',
      claims: { repository_id: '74', repository_owner_id: '65', run_attempt: '1' },
      single_use: true,
    });
    const listed = JSON.parse((await run('trust', 'list', '--service-account', account.id, '--json')).out);
    expect(listed.trusts.map(({ name }: { name: string }) => name)).toEqual(['billing', 'deploy']);

    expect(JSON.parse((await run('trust', 'disable', id, '--json')).out)).toMatchObject({ status: 'disabled' });
    await until(async () => (await status()) === 400);
    expect((await run('trust', 'enable', id)).out).toBe('Trusted workload billing enabled\n');
    await until(async () => (await status()) === 200);
    expect((await run('trust', 'delete', id)).status).toBe(0);
    await until(async () => (await status()) === 400);
    expect((await run('trust', 'delete', id)).status).toBe(1);
    const clash = await run(...create, '--preset', 'spiffe', '--name', 'x', '--issuer', spire.url, '--subject', 'x');
    expect(clash.status).toBe(2);
  });
});
