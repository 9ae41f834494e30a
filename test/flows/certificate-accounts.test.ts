import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Surroundings } from '../../src/cli/command.ts';
import { runCli } from '../../src/cli/run.ts';
import type { Agent } from '../support/browserless.ts';
import { createAuthority, HEADERS_OF, type Issued, issue } from '../support/certificates.ts';
import { browserOf } from '../support/console.ts';
import { clientCredentials, postForm } from '../support/oauth.ts';
import { createApi, createPerson, createService } from '../support/people.ts';
import { type Postern, startPostern, testEnvironment } from '../support/postern.ts';
import { until } from '../support/until.ts';

const ca = createAuthority();
const leaf = issue(
  {
    name: [
      ['O', 'Example'],
      ['CN', 'billing'],
    ],
  },
  ca,
);
const own = issue({ name: [['CN', 'own']] });
const next = issue({ name: [['CN', 'next']] });
const DN = 'CN=billing,O=Example';

let postern: Postern;
let browser: Agent;
let permission: string;

beforeAll(async () => {
  postern = await startPostern({
    env: {
      POSTERN_TRUSTED_PROXIES: '127.0.0.1',
      POSTERN_CLIENT_CERTIFICATE_HEADER: 'haproxy',
      POSTERN_CLIENT_CA: ca.pem,
    },
  });
  permission = `${await createApi(postern, ['read'])}#read`;
  browser = await browserOf(postern, await createPerson(postern, { roles: ['admin'] }), '/admin');
});
afterAll(() => postern.close());

async function proves(clientId: string, by: Issued): Promise<boolean> {
  const form = { grant_type: 'client_credentials', client_id: clientId };
  return (await postForm(`${postern.url}/oauth2/token`, form, HEADERS_OF.haproxy(by.der))).status === 200;
}

const found = async (name: string) => {
  const account = await postern.parts.serviceAccounts.find(name);
  if (!account) throw new Error(`no account ${name}`);
  return account;
};

describe('on the pages', () => {
  const create = async (values: Record<string, string>) =>
    browser.submit(await browser.get('/admin/service-accounts/new'), 'certificate', {
      'permissions[]': permission,
      ...values,
    });

  test('an account is created with a name, and with a certificate, and its page says which', async () => {
    const named = await create({
      name: 'by-name',
      auth: 'certificate',
      certificateKind: 'subject_dn',
      certificate: DN,
    });
    expect(named.html).not.toContain('pst_');
    for (const text of ['Client certificate (mutual TLS)', 'tls_client_auth', DN]) expect(named.text).toContain(text);
    expect(await proves((await found('by-name')).clientId, leaf)).toBe(true);

    const certificate = own.pem + next.pem;
    const pinned = await create({
      name: 'by-itself',
      auth: 'certificate',
      certificateKind: 'self_signed',
      certificate,
    });
    for (const text of ['CN=own', own.thumbprint, 'CN=next', next.thumbprint]) expect(pinned.text).toContain(text);
    expect(pinned.html).toContain(new Date((await found('by-itself')).certificates[0]?.notAfter ?? 0).toISOString());
    for (const by of [own, next]) expect(await proves((await found('by-itself')).clientId, by)).toBe(true);
  });

  test('what is wrong is said beside the field, and a private key is not sent back', async () => {
    const wrong = { name: 'wrong', auth: 'certificate', certificateKind: 'san_dns' };
    const wildcard = await create({ ...wrong, certificate: '*.example.com' });
    expect(wildcard.status).toBe(422);
    expect(wildcard.text).toContain('Wildcards are not taken.');
    const form = wildcard.forms.find(({ inputs }) => inputs.includes('certificate'));
    expect(form?.fields).toMatchObject({ auth: 'certificate', certificateKind: 'san_dns', name: 'wrong' });

    const leaked = await create({ ...wrong, certificateKind: 'self_signed', certificate: own.pem + own.keyPem });
    expect(leaked.text).toContain('This holds a private key.');
    expect(leaked.html).not.toContain('BEGIN PRIVATE KEY');
    expect(postern.lines.join('')).not.toContain(own.keyPem.split('\n')[1]);

    expect((await create({ ...wrong, certificate: '' })).status).toBe(422);
    const unasked = await create({ name: 'wrong', auth: 'secret', certificate: DN });
    expect(unasked.text).toContain('A certificate is chosen above.');
    expect(await postern.parts.serviceAccounts.find('wrong')).toBeNull();
  });

  test('the method is changed from a secret to a certificate, to another one, and back', async () => {
    const service = await createService(postern, [permission]);
    const path = `/admin/service-accounts/${service.id}`;
    const stale = await browser.get(`${path}/certificate`);
    const page = await browser.submit(stale, 'certificate', { certificateKind: 'self_signed', certificate: own.pem });
    expect(page.text).toContain('The account proves itself with its certificate now');
    await until(() => proves(service.clientId, own));
    expect((await clientCredentials(postern.url, service)).status).toBe(401);

    const late = await browser.submit(stale, 'certificate', { certificateKind: 'subject_dn', certificate: DN });
    expect(late.status).toBe(409);
    expect(late.text).toContain('This account proves itself with a certificate.');

    const replace = await browser.get(`${path}/certificate`);
    const named = await browser.submit(replace, 'certificate', { certificateKind: 'subject_dn', certificate: DN });
    expect(named.text).toContain('The certificate was replaced.');
    await until(() => proves(service.clientId, leaf));
    expect(await proves(service.clientId, own)).toBe(false);

    const shown = await browser.submit(await browser.get(path), '/use-secret');
    const secret = /pst_\w+[\w-]*/.exec(shown.html)?.[0] ?? '';
    await until(async () => (await clientCredentials(postern.url, { ...service, secret })).status === 200);
    expect(await proves(service.clientId, leaf)).toBe(false);
    const [row] = await postern.db.query<{ settings: object; jwks: unknown }>(
      'test-settings',
      'SELECT settings, jwks FROM client WHERE client_id = $1',
      [service.clientId],
    );
    expect(row).toEqual({ settings: {}, jwks: null });
    const events = await postern.db.query<{ action: string; data: object }>(
      'test-events',
      `SELECT action, data FROM audit_event WHERE client_id = $1 AND action LIKE 'service_account.%' ORDER BY id`,
      [service.clientId],
    );
    const certificate = { kind: 'self_signed', certificates: [{ subject: 'CN=own', thumbprint: own.thumbprint }] };
    const subject = { kind: 'subject_dn', value: DN };
    expect(events.slice(1)).toMatchObject([
      { action: 'service_account.use_certificate', data: { certificate, revokedSecrets: [expect.any(String)] } },
      {
        action: 'service_account.replace_certificate',
        data: { certificate: subject, removedCertificate: certificate },
      },
      { action: 'service_account.use_secret', data: { removedCertificate: subject } },
    ]);
  });
});

describe('on the command line', () => {
  async function run(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
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
      readFile: async () => own.pem,
    };
    return { status: await runCli(argv, surroundings), ...written };
  }

  const create = ['service-account', 'create', '--permission'];

  test.each([
    ['--subject-dn', DN, leaf],
    ['--certificate', 'own.pem', own],
  ])('--auth tls %s', async (option, value, by) => {
    const made = await run(...create, permission, '--name', `cli${option}`, '--auth', 'tls', option, value, '--json');
    expect(made).toMatchObject({ status: 0, err: '' });
    const { id, client_id: clientId, ...rest } = JSON.parse(made.out);
    expect(rest).toEqual({});
    expect((await found(`cli${option}`)).id).toBe(id);
    expect(await proves(clientId, by)).toBe(true);
  });

  test('exactly one of the options goes with it, and with nothing else', async () => {
    const auth = ['--name', 'x', '--auth'];
    const cases: [string[], string][] = [
      [[...auth, 'tls'], '--auth tls needs exactly one of'],
      [[...auth, 'tls', '--san-dns', 'a', '--san-uri', 'a:b'], '--auth tls needs exactly one of'],
      [[...auth, 'tls', '--san-dns', 'a', '--jwks', 'f'], '--jwks goes with --auth private_key_jwt'],
      [[...auth, 'secret', '--san-ip', '::1'], '--san-ip goes with --auth tls'],
    ];
    for (const [options, message] of cases) {
      const refused = await run(...create, permission, ...options);
      expect(refused).toMatchObject({ status: 2, out: '' });
      expect(refused.err).toContain(message);
    }
    const wildcard = await run(...create, permission, ...auth, 'tls', '--san-dns', '*.a');
    expect(wildcard.status).toBe(1);
    expect(wildcard.err).toContain('Wildcards are not taken.');
  });
});
