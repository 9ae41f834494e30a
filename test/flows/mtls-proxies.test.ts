import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { freePort } from '../../src/platform/db/embedded/server.ts';
import { createAgent } from '../support/browserless.ts';
import { createAuthority, HEADERS_OF, type Issued, issue, SERVER_AUTH } from '../support/certificates.ts';
import { testFolder } from '../support/database.ts';
import { getCode } from '../support/oauth.ts';
import { BY_TEST, basic, createApi, createApplication, createPerson } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

/**
 * Real proxies in front of Postern, with the configurations of the guide. They come with the system (Debian: nginx-light,
 * haproxy); where one is not there, its tests are skipped and say so, but not where continuous integration says it is.
 */
const guide = readFileSync(join(import.meta.dirname, '../../docs/guides/mutual-tls.md'), 'utf8');
const MTLS_HOST = 'mtls.id.example.com';
const HOST = 'id.example.com';

const PROXIES = [
  { name: 'nginx', file: 'nginx.conf', version: ['-v'] },
  { name: 'haproxy', file: 'haproxy.cfg', version: ['-v'] },
] as const;
type ProxyName = (typeof PROXIES)[number]['name'];

const path = [process.env.PATH, '/usr/sbin', '/usr/local/sbin'].filter(Boolean).join(':');
const isThere = (name: string) => spawnSync(name, ['-v'], { env: { PATH: path }, stdio: 'ignore' }).status === 0;
const required = process.env.TEST_PROXIES === 'required';

const ca = createAuthority();
const server = issue({
  name: [['CN', HOST]],
  alternatives: [HOST, MTLS_HOST].map((value) => ({ kind: 'dns', value })),
  usages: [SERVER_AUTH],
});
const good = issue(
  {
    name: [
      ['O', 'Example'],
      ['CN', 'billing'],
    ],
  },
  ca,
);
const other = issue(
  {
    name: [
      ['O', 'Example'],
      ['CN', 'orders'],
    ],
  },
  ca,
);
const foreign = issue({ name: good.name }, createAuthority());
const own = issue({ name: [['CN', 'own']] });

for (const { name, file } of PROXIES) {
  const there = isThere(name) || required;
  const title = `certificates through a real ${name}`;
  (there ? describe : describe.skip)(there ? title : `SKIPPED, ${name} is not on this machine: ${title}`, () => {
    let postern: Postern;
    /** On the same database, for what a browser does: that is not about the proxy. */
    let direct: Postern;
    let proxy: ChildProcess;
    let port: number;
    let clientId: string;
    let audience: string;

    beforeAll(async () => {
      port = await freePort();
      const inside = await freePort();
      postern = await startPostern({
        env: {
          POSTERN_ISSUER: `https://${HOST}:${port}`,
          POSTERN_MTLS_ISSUER: `https://${MTLS_HOST}:${port}`,
          POSTERN_HOST: '127.0.0.1',
          PORT: String(inside),
          POSTERN_TRUSTED_PROXIES: '127.0.0.1',
          POSTERN_CLIENT_CERTIFICATE_HEADER: name,
          POSTERN_CLIENT_CA: ca.pem,
        },
      });
      audience = await createApi(postern, ['read']);
      clientId = await account('subject_dn', 'CN=billing,O=Example');
      proxy = await startProxy(name, file, port, inside);
      direct = await startPostern({ databaseUrl: postern.databaseUrl });
    });
    afterAll(async () => {
      if (proxy?.exitCode === null) {
        proxy.kill('SIGTERM');
        await once(proxy, 'exit');
      }
      await direct?.close();
      await postern?.close();
    });

    async function account(certificateKind: string, certificate: string): Promise<string> {
      const permissions = [`${audience}#read`];
      const input = {
        name: `by ${certificateKind}`,
        permissions,
        auth: 'certificate' as const,
        certificateKind,
        certificate,
      };
      return (await postern.parts.serviceAccounts.create(input, BY_TEST)).clientId;
    }

    async function send(options: {
      host?: string;
      path?: string;
      by?: Issued;
      form?: Record<string, string>;
      headers?: Record<string, string>;
    }): Promise<{ status: number | undefined; headers: IncomingMessage['headers']; body: Record<string, unknown> }> {
      const { host = MTLS_HOST, path: target = '/oauth2/token', by, form, headers } = options;
      const sent = request({
        host: '127.0.0.1',
        port,
        path: target,
        method: form ? 'POST' : 'GET',
        servername: host,
        ca: server.pem,
        agent: false,
        ...(by ? { cert: by.pem, key: by.keyPem } : {}),
        headers: {
          host: `${host}:${port}`,
          ...(form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
          ...headers,
        },
      });
      sent.end(form && new URLSearchParams(form).toString());
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      const body = await text(response);
      return {
        status: response.statusCode,
        headers: response.headers,
        body: body.startsWith('{') ? JSON.parse(body) : {},
      };
    }

    const ask = (by?: Issued, extra: { host?: string; headers?: Record<string, string>; id?: string } = {}) => {
      const { id = clientId, ...rest } = extra;
      return send({ ...rest, ...(by ? { by } : {}), form: { grant_type: 'client_credentials', client_id: id } });
    };

    test('S47 the certificate proves the service; none, another’s and another authority’s do not', async () => {
      const answer = await ask(good);
      expect(answer).toMatchObject({ status: 200, body: { scope: 'read' } });
      expect(decodeJwt(String(answer.body.access_token)).sub).toBe(clientId);
      for (const by of [undefined, other, foreign, own]) {
        expect(await ask(by)).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
      }
    });

    test('S47 one that nobody signed proves the service that registered it', async () => {
      const id = await account('self_signed', own.pem);
      expect(await ask(own, { id })).toMatchObject({ status: 200 });
      expect(await ask(good, { id })).toMatchObject({ status: 401 });
    });

    test('S47 a client that sends the header itself is overwritten, at both addresses', async () => {
      const forged = HEADERS_OF[name](good.der);
      const trusted = { ...forged, 'x-ssl-client-verify': name === 'nginx' ? 'SUCCESS' : '0' };
      for (const headers of [forged, trusted, { ...trusted, 'x-forwarded-host': `${MTLS_HOST}:${port}` }]) {
        for (const host of [MTLS_HOST, HOST]) {
          expect(await ask(undefined, { host, headers })).toMatchObject({ status: 401 });
          expect(await ask(other, { host, headers })).toMatchObject({ status: 401 });
        }
        expect(await ask(good, { headers: HEADERS_OF[name](other.der) })).toMatchObject({ status: 200 });
      }
    });

    test('S47 a bound token at userinfo, through the proxy', async () => {
      const person = await createPerson(postern);
      const application = await createApplication(postern);
      const sql = `UPDATE client SET settings = settings || '{"certificateBound": true}' WHERE client_id = $1`;
      await postern.db.query('test-bind', sql, [application.clientId]);
      const got = await getCode(createAgent(direct.url), application, person);
      const form = {
        grant_type: 'authorization_code',
        code: got.code,
        redirect_uri: application.redirectUri,
        code_verifier: got.verifier,
      };
      const authorization = basic(application.clientId, application.secret);
      const { body } = await send({ by: own, form, headers: { authorization } });
      const bearer = { authorization: `Bearer ${body.access_token}` };
      const userinfo = (by?: Issued) => send({ path: '/oauth2/userinfo', headers: bearer, ...(by ? { by } : {}) });
      expect(await userinfo(own)).toMatchObject({ status: 200, body: { sub: person.id } });
      for (const by of [undefined, good]) {
        const refused = await userinfo(by);
        expect(refused.status).toBe(401);
        expect(refused.headers['www-authenticate']).toContain('invalid_token');
      }
    });

    test('S54 the metadata names the address, and its pages are not there', async () => {
      const { body } = await send({ host: HOST, path: '/.well-known/openid-configuration' });
      expect(body.mtls_endpoint_aliases).toMatchObject({ token_endpoint: `https://${MTLS_HOST}:${port}/oauth2/token` });
      expect((await send({ by: good, path: '/admin' })).status).toBe(421);
    });
  });
}

/** The guide's configuration with this test's ports and files in it, run as this user in a folder of its own. */
async function startProxy(name: ProxyName, file: string, port: number, upstream: number): Promise<ChildProcess> {
  const folder = mkdtempSync(join(testFolder(), `${name}-`));
  mkdirSync(join(folder, 'logs'));
  const write = (as: string, content: string) => {
    writeFileSync(join(folder, as), content, { mode: 0o600 });
    return join(folder, as);
  };
  const certificate = write('server.pem', server.pem);
  const key = write('server.key', server.keyPem);
  const both = write('both.pem', server.pem + server.keyPem);
  const authority = write('ca.pem', ca.pem);
  const shown = new RegExp(`^\`\`\`\\w+ file=${file}\\n(.*?)^\`\`\`$`, 'ms').exec(guide)?.[1] ?? '';
  const config = shown
    .replaceAll('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
    .replace('bind :443', `bind 127.0.0.1:${port}`)
    .replaceAll('127.0.0.1:3000', `127.0.0.1:${upstream}`)
    .replaceAll('/etc/ssl/id.example.com.pem', certificate)
    .replaceAll('/etc/ssl/id.example.com.key', key)
    .replaceAll('/etc/haproxy/id.example.com.pem', both)
    .replaceAll('/etc/postern/clients-ca.pem', authority);
  const child = name === 'nginx' ? startNginx(folder, config) : startHaproxy(folder, config);
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      printed += chunk;
    });
  const deadline = performance.now() + 10_000;
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() > deadline) throw new Error(`${name} does not listen: ${printed}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return child;
}

function startNginx(folder: string, config: string): ChildProcess {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (what) => `${what}_temp_path ${folder}/${what};`,
  );
  const user = userInfo().uid === 0 ? 'user root;' : '';
  const whole = `${user} daemon off; pid ${folder}/pid; error_log stderr; worker_processes 1;
    events { worker_connections 64; }
    http { access_log off; ${temporary.join(' ')}\n${config}\n}`;
  writeFileSync(join(folder, 'nginx.conf'), whole);
  return run('nginx', ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')]);
}

function startHaproxy(folder: string, config: string): ChildProcess {
  const whole = `global\n    maxconn 64\ndefaults\n    timeout connect 5s\n    timeout client 10s\n    timeout server 10s\n${config}`;
  writeFileSync(join(folder, 'haproxy.cfg'), whole);
  return run('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')]);
}

function run(name: string, args: string[]): ChildProcess {
  return spawn(name, args, { env: { PATH: path }, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
