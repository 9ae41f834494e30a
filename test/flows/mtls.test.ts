import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { createAgent } from '../support/browserless.ts';
import {
  type Alternative,
  CLIENT_AUTH,
  createAuthority,
  HEADERS_OF,
  type Issued,
  issue,
  type Name,
  pemOf,
  SERVER_AUTH,
  type Wanted,
} from '../support/certificates.ts';
import { getCode, introspect, postForm, redeem, refresh, type TokenAnswer } from '../support/oauth.ts';
import { BY_TEST, basic, createApi, createApplication, createPerson, createService } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

type Form = keyof typeof HEADERS_OF;
const FORMS = Object.keys(HEADERS_OF) as Form[];

const ca = createAuthority();
const intermediate = issue({ name: [['CN', 'Issuing']], authority: true, pathLength: 0 }, ca);
const short = createAuthority('No steps', { pathLength: 0 });
const old = createAuthority('Old', { from: -7200, to: -3600 });

const SPIFFE = 'spiffe://example.org/ns/shop/sa/billing';
const NAME: Name = [
  ['C', 'DE'],
  ['O', 'Shop, "Inc"'],
  ['CN', 'billing'],
];
const DN = 'CN=billing,O=Shop\\, \\"Inc\\",C=DE';
const SVID = { kind: 'uri', value: SPIFFE } as const;

let postern: Postern;
let others: Record<Exclude<Form, 'rfc9440'>, Postern>;
let stranger: Postern;
let off: Postern;
let audience: string;
let opaque: string;
let permission: string;

function env(form: Form, extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return {
    POSTERN_TRUSTED_PROXIES: '127.0.0.1',
    POSTERN_CLIENT_CERTIFICATE_HEADER: form,
    POSTERN_CLIENT_CA: [ca, short, old].map(({ pem }) => pem).join(''),
    ...extra,
  };
}

beforeAll(async () => {
  postern = await startPostern({ env: env('rfc9440') });
  const { databaseUrl } = postern;
  const start = (form: Form, extra?: NodeJS.ProcessEnv) => startPostern({ databaseUrl, env: env(form, extra) });
  const [nginx, haproxy, traefik, envoy] = await Promise.all([
    start('nginx'),
    start('haproxy'),
    start('traefik'),
    start('envoy'),
  ]);
  others = { nginx, haproxy, traefik, envoy };
  [stranger, off] = await Promise.all([
    start('rfc9440', { POSTERN_TRUSTED_PROXIES: '192.0.2.1' }),
    startPostern({ databaseUrl }),
  ]);
  audience = await createApi(postern, ['read', 'introspect']);
  permission = `${audience}#read`;
  opaque = 'https://opaque.example.com';
  const permissions = [{ name: 'read', description: 'May read' }];
  await postern.parts.access.apis.create({ audience: opaque, permissions, tokenFormat: 'opaque' }, BY_TEST);
});
afterAll(async () => {
  for (const one of [...Object.values(others), stranger, off]) await one.close();
  await postern.close();
});

const serverOf = (form: Form): Postern => (form === 'rfc9440' ? postern : others[form]);

let made = 0;

/** A service account that proves itself by such a certificate; its client id. */
async function account(certificateKind: string, certificate: string, permissions = [permission]): Promise<string> {
  made += 1;
  const { clientId } = await postern.parts.serviceAccounts.create(
    { name: `by certificate ${made}`, permissions, auth: 'certificate', certificateKind, certificate },
    BY_TEST,
  );
  return clientId;
}

function ask(
  server: Postern,
  clientId: string,
  headers: Record<string, string> | [string, string][],
  extra: Record<string, string> = {},
): Promise<TokenAnswer> {
  const form = { grant_type: 'client_credentials', client_id: clientId, ...extra };
  return postForm(`${server.url}/oauth2/token`, form, headers as Record<string, string>);
}

const shown = (by: Issued, ...chain: Issued[]) =>
  HEADERS_OF.rfc9440(
    by.der,
    chain.map(({ der }) => der),
  );
const outcome = ({ status, body }: TokenAnswer) => `${status} ${body.error ?? body.token_type}`;

describe.each(FORMS)('the header of %s', (form) => {
  const headers = (by: Issued, chain: Buffer[] = []) => HEADERS_OF[form](by.der, chain);

  test('S47 a certificate with the name, from the authority, proves the client; none and another one do not', async () => {
    const server = serverOf(form);
    const clientId = await account('san_uri', SPIFFE);
    const good = issue({ name: [], alternatives: [SVID], usages: [CLIENT_AUTH] }, ca);
    const answer = await ask(server, clientId, headers(good));
    expect(outcome(answer)).toBe('200 Bearer');
    expect(decodeJwt(answer.body.access_token ?? '')).toMatchObject({ sub: clientId, aud: audience, scope: 'read' });
    expect(decodeJwt(answer.body.access_token ?? '')).not.toHaveProperty('cnf');
    const other = issue({ name: [], alternatives: [{ kind: 'uri', value: `${SPIFFE}2` }] }, ca);
    expect(outcome(await ask(server, clientId, headers(other)))).toBe('401 invalid_client');
    expect(outcome(await ask(server, clientId, {}))).toBe('401 invalid_client');
  });

  test('S47 a registered certificate proves the client whoever signed it; another with the same name does not', async () => {
    const server = serverOf(form);
    const own = issue({ name: NAME });
    const clientId = await account('self_signed', own.pem);
    expect(outcome(await ask(server, clientId, headers(own)))).toBe('200 Bearer');
    expect(outcome(await ask(server, clientId, headers(issue({ name: NAME }))))).toBe('401 invalid_client');
    expect(outcome(await ask(server, clientId, {}))).toBe('401 invalid_client');
  });

  if (!['rfc9440', 'traefik', 'envoy'].includes(form)) return;
  test('brings the intermediate along', async () => {
    const clientId = await account('san_uri', SPIFFE);
    const good = issue({ name: [], alternatives: [SVID] }, intermediate);
    const server = serverOf(form);
    expect(outcome(await ask(server, clientId, headers(good, [intermediate.der])))).toBe('200 Bearer');
    expect(outcome(await ask(server, clientId, headers(good)))).toBe('401 invalid_client');
  });
});

describe('who may speak of certificates', () => {
  test('S47 from a peer that is no trusted proxy the header is ignored', async () => {
    const own = issue({ name: NAME });
    const named = await account('subject_dn', DN);
    const pinned = await account('self_signed', own.pem);
    const good = issue({ name: NAME }, ca);
    for (const [clientId, by] of [
      [named, good],
      [pinned, own],
    ] as const) {
      expect(outcome(await ask(postern, clientId, shown(by)))).toBe('200 Bearer');
      expect(outcome(await ask(stranger, clientId, shown(by)))).toBe('401 invalid_client');
      expect(outcome(await ask(off, clientId, shown(by)))).toBe('401 invalid_client');
    }
    const bound = await boundService();
    expect(outcome(await ask(stranger, bound.clientId, { ...shown(good), authorization: bound.basic }))).toBe(
      '400 invalid_request',
    );
  });

  test('S47 where certificates are not looked at, a client whose tokens have to be bound gets none without one', async () => {
    const { clientId, basic: authorization } = await boundService();
    expect(outcome(await ask(off, clientId, { authorization }))).toBe('401 invalid_client');
  });

  test('S47 only the header of the configured form is read', async () => {
    const clientId = await account('subject_dn', DN);
    const good = issue({ name: NAME }, ca);
    for (const form of FORMS) {
      for (const server of FORMS.filter((other) => other !== form)) {
        const answer = await ask(serverOf(server), clientId, HEADERS_OF[form](good.der));
        expect({ form, server, outcome: outcome(answer) }).toEqual({ form, server, outcome: '401 invalid_client' });
      }
    }
  });

  test('S54 where certificates are not looked at nothing of them is listed', async () => {
    const metadata = async (server: Postern) =>
      (await (await fetch(`${server.url}/.well-known/openid-configuration`)).json()) as Record<string, string[]>;
    const listed = await metadata(postern);
    expect(listed.token_endpoint_auth_methods_supported).toEqual(
      expect.arrayContaining(['tls_client_auth', 'self_signed_tls_client_auth']),
    );
    expect(listed.tls_client_certificate_bound_access_tokens).toBe(true);
    expect(JSON.stringify(await metadata(off))).not.toMatch(/tls|mtls/);
  });
});

describe('headers that no proxy should send', () => {
  const good = issue({ name: NAME }, ca);
  const base64 = good.der.toString('base64');
  const item = `:${base64}:`;
  const pem = encodeURIComponent(good.pem);
  const twice = encodeURIComponent(good.pem + good.pem);
  const verified = { 'x-ssl-client-verify': 'SUCCESS' };
  const broken = Buffer.concat([good.der.subarray(0, 200), Buffer.from([0]), good.der.subarray(201)]);
  const cases: [string, Form, Record<string, string>][] = [
    ['empty', 'rfc9440', { 'client-cert': '' }],
    ['not base64', 'rfc9440', { 'client-cert': ':%%%:' }],
    ['without colons', 'rfc9440', { 'client-cert': base64 }],
    ['DER that is cut short', 'rfc9440', { 'client-cert': `:${good.der.subarray(0, 300).toString('base64')}:` }],
    ['DER with a broken octet', 'rfc9440', { 'client-cert': `:${broken.toString('base64')}:` }],
    [
      'something behind the certificate',
      'rfc9440',
      { 'client-cert': `:${Buffer.concat([good.der, Buffer.from('x')]).toString('base64')}:` },
    ],
    [
      'two certificates in one value',
      'rfc9440',
      { 'client-cert': `:${Buffer.concat([good.der, good.der]).toString('base64')}:` },
    ],
    ['two items', 'rfc9440', { 'client-cert': `${item}, ${item}` }],
    ['a parameter', 'rfc9440', { 'client-cert': `${item};a=1` }],
    ['a chain alone', 'rfc9440', { 'client-cert-chain': item }],
    ['a broken chain', 'rfc9440', { 'client-cert': item, 'client-cert-chain': ':AAAA:' }],
    ['a chain of seven', 'rfc9440', { 'client-cert': item, 'client-cert-chain': Array(7).fill(item).join(',') }],
    ['a private key', 'nginx', { ...verified, 'x-ssl-client-cert': encodeURIComponent(good.keyPem) }],
    ['two certificates', 'nginx', { ...verified, 'x-ssl-client-cert': twice }],
    ['PEM without its end', 'nginx', { ...verified, 'x-ssl-client-cert': encodeURIComponent(good.pem.slice(0, -10)) }],
    ['broken escapes', 'nginx', { ...verified, 'x-ssl-client-cert': `${pem}%E0%A4` }],
    ['no verdict', 'nginx', { 'x-ssl-client-cert': pem }],
    ['a verdict that there is none', 'nginx', { 'x-ssl-client-cert': pem, 'x-ssl-client-verify': 'NONE' }],
    ['no verdict', 'haproxy', { 'x-ssl-client-cert': base64 }],
    ['a verdict: revoked', 'nginx', { 'x-ssl-client-cert': pem, 'x-ssl-client-verify': 'FAILED:certificate revoked' }],
    ['a verdict: revoked', 'haproxy', { 'x-ssl-client-cert': base64, 'x-ssl-client-verify': '23' }],
    ['PEM', 'haproxy', { 'x-ssl-client-cert': pem, 'x-ssl-client-verify': '0' }],
    ['an empty element', 'traefik', { 'x-forwarded-tls-client-cert': `${base64},` }],
    ['no base64', 'traefik', { 'x-forwarded-tls-client-cert': 'x' }],
    ['two hops', 'envoy', { 'x-forwarded-client-cert': `Cert="${pem}",Cert="${pem}"` }],
    ['two of them', 'envoy', { 'x-forwarded-client-cert': `Cert="${pem}";Cert="${pem}"` }],
    ['a hash alone', 'envoy', { 'x-forwarded-client-cert': `Hash=${'0'.repeat(64)};Subject="CN=billing"` }],
    ['an open quote', 'envoy', { 'x-forwarded-client-cert': `Cert="${pem}` }],
  ];

  test.each(cases)('S47 S92 %s (%s): as if there were no certificate', async (_what, form, headers) => {
    const clientId = await account('subject_dn', DN);
    expect(outcome(await ask(serverOf(form), clientId, headers))).toBe('401 invalid_client');
    expect(outcome(await ask(serverOf(form), clientId, HEADERS_OF[form](good.der)))).toBe('200 Bearer');
  });

  test.each(FORMS)(
    'S47 a header of %s that stands twice, as where a proxy adds its own to the client’s',
    async (form) => {
      const clientId = await account('subject_dn', DN);
      const [name = '', value = ''] = Object.entries(HEADERS_OF[form](good.der))[0] ?? [];
      const rest = Object.entries(HEADERS_OF[form](good.der)).slice(1);
      const { body } = await rawForm(serverOf(form).url, clientId, [[name, value], [name, value], ...rest]);
      expect(body).toContain('invalid_client');
      const once = await rawForm(serverOf(form).url, clientId, [[name, value], ...rest]);
      expect(once.body).toContain('access_token');
    },
  );

  test('S92 a header that is too long for anything is refused before it is read', async () => {
    const answer = await fetch(`${postern.url}/oauth2/token`, {
      method: 'POST',
      headers: { 'client-cert': `:${'A'.repeat(20_000)}:` },
    });
    expect(answer.status).toBe(431);
    const clientId = await account('subject_dn', DN);
    expect(outcome(await ask(postern, clientId, { 'client-cert': `:${'A'.repeat(14_400)}:` }))).toBe(
      '401 invalid_client',
    );
  });
});

describe('certificates that prove nothing', () => {
  const twin = createAuthority();
  const byNobody = issue({ name: [['CN', 'Nobody']] }, ca);
  const serverOnly = issue({ name: [['CN', 'Servers']], authority: true, usages: [SERVER_AUTH] }, ca);
  const expired = issue({ name: [['CN', 'Was']], authority: true, to: -1 }, ca);
  const second = issue({ name: [['CN', 'Second']], authority: true }, intermediate);
  const from = (wanted: Partial<Wanted>, ...chain: Issued[]) => [
    issue({ name: NAME, ...wanted }, chain[0] ?? ca),
    ...chain,
  ];
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const cases: [string, () => Issued[]][] = [
    ['expired', () => from({ from: -3600, to: -1 })],
    ['not valid yet', () => from({ from: 60 })],
    ['of an authority with the same name and another key', () => [issue({ name: NAME }, twin)]],
    ['signed by itself', () => [issue({ name: NAME })]],
    ['of an authority that has expired', () => [issue({ name: NAME }, old)]],
    ['for servers', () => from({ usages: [SERVER_AUTH] })],
    ['of an authority', () => from({ authority: true, keyUsage: 0x86 })],
    ['not for signatures', () => from({ keyUsage: 0x20 })],
    ['with a critical extension that nobody knows', () => from({ critical: '1.2.3.4' })],
    ['with name constraints', () => from({ critical: '2.5.29.30' })],
    ['with a weak key', () => from({ keys: weak })],
    ['issued by one that is no authority', () => from({}, byNobody)],
    ['issued by an intermediate for servers', () => from({}, serverOnly)],
    ['issued by an intermediate that has expired', () => from({}, expired)],
    [
      'issued by an intermediate of an authority that allows none',
      () => from({}, issue({ name: [['CN', 'I']], authority: true }, short)),
    ],
    ['two intermediates away', () => from({}, second, intermediate)],
  ];

  test.each(cases)('S47 one that is %s', async (_what, make) => {
    const [leaf, ...chain] = make();
    const clientId = await account('subject_dn', DN);
    expect(outcome(await ask(postern, clientId, shown(leaf as Issued, ...chain)))).toBe('401 invalid_client');
    expect(await lastRefusal(clientId)).toMatchObject({ outcome: 'denied', reason: 'invalid_client' });
  });

  test('S47 a registered certificate ends when it expires', async () => {
    const own = issue({ name: NAME, to: 1 });
    const clientId = await account('self_signed', own.pem);
    const next = issue({ name: NAME, keys: own });
    expect(outcome(await ask(postern, clientId, shown(next)))).toBe('401 invalid_client');
    const ended = issue({ name: NAME, from: -60, to: -5 });
    await postern.db.query('test-pin', `UPDATE client SET jwks = $2 WHERE client_id = $1`, [
      clientId,
      { keys: [{ ...ended.publicKey.export({ format: 'jwk' }), kid: 'x', x5c: [ended.der.toString('base64')] }] },
    ]);
    await postern.db.query('test-notify', `SELECT pg_notify('client_changed', $1)`, [clientId]);
    expect(outcome(await ask(others.nginx, clientId, HEADERS_OF.nginx(ended.der)))).toBe('401 invalid_client');
  });
});

describe('names', () => {
  const dns = (value: string): Alternative => ({ kind: 'dns', value });
  const uri = (value: string): Alternative => ({ kind: 'uri', value });
  const ip = (...octets: number[]): Alternative => ({ kind: 'ip', value: Buffer.from(octets) });
  const v6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
  const cases: [boolean, string, string, Name, Alternative[]][] = [
    [true, 'subject_dn', DN, NAME, []],
    [true, 'subject_dn', 'CN=billing, O=Shop\\2C \\22Inc\\22, C=DE', NAME, []],
    [true, 'subject_dn', 'cn=billing,2.5.4.10=Shop\\, \\"Inc\\",c=DE', NAME, []],
    [
      true,
      'subject_dn',
      'OU=b+CN=a,O=x',
      [
        ['O', 'x'],
        [
          ['CN', 'a'],
          ['OU', 'b'],
        ],
      ],
      [],
    ],
    [
      true,
      'subject_dn',
      'CN=a+OU=b,O=x',
      [
        ['O', 'x'],
        [
          ['CN', 'a'],
          ['OU', 'b'],
        ],
      ],
      [],
    ],
    [true, 'subject_dn', 'CN=Jürgen', [['CN', 'Jürgen']], []],
    [true, 'subject_dn', 'CN=J\\C3\\BCrgen', [['CN', 'Jürgen']], []],
    [false, 'subject_dn', 'C=DE,O=Shop\\, \\"Inc\\",CN=billing', NAME, []],
    [
      false,
      'subject_dn',
      DN,
      [
        ['C', 'DE'],
        ['O', 'Shop, "Inc"'],
        ['CN', 'Billing'],
      ],
      [],
    ],
    [false, 'subject_dn', DN, [...NAME, ['CN', 'more']], []],
    [false, 'subject_dn', DN, NAME.slice(1), []],
    [false, 'subject_dn', 'CN=a,CN=b', [['CN', 'a,CN=b']], []],
    [
      false,
      'subject_dn',
      'CN=a,O=x',
      [
        [
          ['CN', 'a'],
          ['O', 'x'],
        ],
      ],
      [],
    ],
    [false, 'subject_dn', 'CN=billing', [['CN', 'billing\0.evil']], []],
    [false, 'subject_dn', 'CN=a', [], [dns('a')]],
    [true, 'san_dns', 'Billing.Example.com', [], [dns('other.example.com'), dns('billing.example.COM')]],
    [false, 'san_dns', 'billing.example.com', [], [dns('*.example.com')]],
    [false, 'san_dns', 'billing.example.com', [['CN', 'billing.example.com']], []],
    [false, 'san_dns', 'billing.example.com', [], [dns('billing.example.com\0.evil.example')]],
    [false, 'san_dns', 'billing.example.com', [], [dns('billing.example.com, DNS:x')]],
    [false, 'san_dns', 'billing.example.com', [], [uri('billing.example.com')]],
    [false, 'san_dns', 'billing.example.com', [], [dns('billing.example.com.')]],
    [true, 'san_uri', 'https://a.example/x', [], [uri('https://b.example/'), uri('https://a.example/x')]],
    [false, 'san_uri', 'https://a.example/x', [], [uri('https://A.example/x')]],
    [true, 'san_uri', SPIFFE, [], [uri(SPIFFE)]],
    [false, 'san_uri', SPIFFE, [], [uri(SPIFFE), uri('spiffe://example.org/other')]],
    [false, 'san_uri', SPIFFE, [], [uri(`${SPIFFE}\0`)]],
    [true, 'san_ip', '198.51.100.7', [], [ip(198, 51, 100, 7)]],
    [true, 'san_ip', '2001:0DB8::0007', [], [ip(...v6)]],
    [false, 'san_ip', '198.51.100.7', [], [ip(198, 51, 100, 7, 255, 255, 255, 255)]],
    [false, 'san_ip', '198.51.100.7', [], [ip(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 7)]],
    [false, 'san_ip', '198.51.100.7', [], [dns('198.51.100.7')]],
    [true, 'san_email', 'billing@Example.com', [], [{ kind: 'email', value: 'billing@example.com' }]],
    [false, 'san_email', 'billing@example.com', [], [{ kind: 'email', value: 'Billing@example.com' }]],
    [false, 'san_email', 'billing@example.com', [['1.2.840.113549.1.9.1', 'billing@example.com']], []],
  ];

  test.each(cases)('S47 %s: %s %j of %j %j', async (expected, kind, value, name, alternatives) => {
    const clientId = await account(kind, value);
    const leaf = issue({ name, alternatives }, ca);
    expect(outcome(await ask(postern, clientId, shown(leaf)))).toBe(expected ? '200 Bearer' : '401 invalid_client');
  });

  const refused: [string, string, string][] = [
    ['subject_dn', '/C=DE/O=Shop', 'certificate.subject_dn'],
    ['subject_dn', 'CN=', 'certificate.subject_dn'],
    ['subject_dn', 'XX=a', 'certificate.subject_dn'],
    ['subject_dn', 'CN=#0403', 'certificate.subject_dn'],
    ['subject_dn', 'CN=a\\', 'certificate.subject_dn'],
    ['subject_dn', 'CN=\\FF', 'certificate.subject_dn'],
    ['san_dns', '*.example.com', 'certificate.san_dns'],
    ['san_dns', 'a b', 'certificate.san_dns'],
    ['san_uri', '//a', 'certificate.san_uri'],
    ['san_ip', '1.2.3', 'certificate.san_ip'],
    ['san_ip', '10.0.0.0/8', 'certificate.san_ip'],
    ['san_email', 'a', 'certificate.san_email'],
    ['self_signed', 'x', 'certificate.pem'],
    ['self_signed', pemOf(Buffer.from('x')), 'certificate.pem'],
    ['self_signed', ca.keyPem, 'certificate.private'],
    ['self_signed', ca.pem + ca.pem, 'certificate.twice'],
    ['self_signed', old.pem, 'certificate.expired'],
    ['self_signed', ca.pem.repeat(11), 'certificate.count'],
    ['nothing', 'x', 'certificate.kind'],
  ];

  test.each(refused)('%s %j is not taken', async (kind, value, code) => {
    const fields = await account(kind, value).then(
      () => ({}),
      (error: { fields: object }) => error.fields,
    );
    expect(fields).toEqual({
      [kind === 'nothing' ? 'certificateKind' : 'certificate']: expect.objectContaining({ code }),
    });
  });
});

describe('S27 one way of proving oneself', () => {
  test('a client with a certificate has no other way, and one with a secret is not proven by a certificate', async () => {
    const good = shown(issue({ name: NAME }, ca));
    const clientId = await account('subject_dn', DN);
    const service = await createService(postern, [permission]);
    const wrong: [string, Record<string, string>, Record<string, string>][] = [
      [clientId, { ...good, authorization: basic(clientId, 'x') }, {}],
      [clientId, good, { client_secret: 'x' }],
      [
        clientId,
        good,
        {
          client_assertion: 'e30.e30.AA',
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        },
      ],
      [service.clientId, good, {}],
    ];
    for (const [id, headers, form] of wrong) {
      const answer = await ask(postern, id, headers, form);
      expect([400, 401]).toContain(answer.status);
      expect(answer.body).not.toHaveProperty('access_token');
    }
    // A mesh gives every connection a certificate: beside a secret it says nothing.
    expect(outcome(await ask(postern, service.clientId, { ...good, authorization: service.basic }))).toBe('200 Bearer');
  });
});

describe('tokens that are bound to a certificate', () => {
  const one = issue({ name: NAME }, ca);
  const another = issue({ name: NAME }, ca);

  test.each(['jwt', 'opaque'])('cnf in a token of form %s and in what introspection says of it', async (format) => {
    const service = await boundService([permission, `${opaque}#read`, `${audience}#introspect`]);
    const resource = format === 'jwt' ? audience : opaque;
    const headers = { authorization: service.basic };
    expect(outcome(await ask(postern, service.clientId, headers, { resource }))).toBe('400 invalid_request');
    const answer = await ask(postern, service.clientId, { ...headers, ...shown(one) }, { resource });
    expect(outcome(answer)).toBe('200 Bearer');
    const token = answer.body.access_token ?? '';
    const cnf = { 'x5t#S256': one.thumbprint };
    if (format === 'jwt') expect(decodeJwt(token).cnf).toEqual(cnf);
    expect(await introspect(postern.url, service, token)).toMatchObject({ active: true, aud: resource, cnf });
  });

  test('a client that proves itself by a certificate can have its tokens bound to it', async () => {
    const clientId = await account('subject_dn', DN);
    await bind(clientId);
    const { body } = await ask(postern, clientId, shown(one));
    expect(decodeJwt(body.access_token ?? '').cnf).toEqual({ 'x5t#S256': one.thumbprint });
    expect(outcome(await ask(off, clientId, shown(one)))).toBe('401 invalid_client');
  });

  test('S47 a bound token at userinfo: only over a connection with that certificate', async () => {
    const person = await createPerson(postern);
    const application = await createApplication(postern);
    await bind(application.clientId);
    const agent = createAgent(postern.url);
    const got = await getCode(agent, application, person);
    const headers = { authorization: basic(application.clientId, application.secret), ...shown(one) };
    const exchanged = await postForm(
      `${postern.url}/oauth2/token`,
      {
        grant_type: 'authorization_code',
        code: got.code,
        redirect_uri: application.redirectUri,
        code_verifier: got.verifier,
      },
      headers,
    );
    const token = exchanged.body.access_token ?? '';
    const userinfo = async (extra: Record<string, string>) => {
      const response = await fetch(`${postern.url}/oauth2/userinfo`, {
        headers: { authorization: `Bearer ${token}`, ...extra },
      });
      return `${response.status} ${/error="(\w+)"/.exec(response.headers.get('www-authenticate') ?? '')?.[1] ?? ''}`;
    };
    expect(await userinfo(shown(one))).toBe('200 ');
    expect(await userinfo(shown(another))).toBe('401 invalid_token');
    expect(await userinfo({})).toBe('401 invalid_token');
    expect(await userinfo({ 'client-cert': ':AAAA:' })).toBe('401 invalid_token');
  });

  test('S47 the refresh token of a public client is bound as well', async () => {
    const person = await createPerson(postern);
    const application = await createApplication(postern, {
      type: 'native',
      redirectUris: ['http://127.0.0.1/callback'],
    });
    await bind(application.clientId);
    const got = await getCode(createAgent(postern.url), application, person, {
      scope: 'openid offline_access',
      prompt: 'consent',
    });
    const send = (form: Record<string, string>, by?: Issued) =>
      postForm(`${postern.url}/oauth2/token`, { client_id: application.clientId, ...form }, by ? shown(by) : {});
    const code = {
      grant_type: 'authorization_code',
      code: got.code,
      redirect_uri: application.redirectUri,
      code_verifier: got.verifier,
    };
    const first = await send(code, one);
    expect(outcome(first)).toBe('200 Bearer');
    const refresh_token = first.body.refresh_token ?? '';
    const again = { grant_type: 'refresh_token', refresh_token };
    expect((await send(again)).status).toBe(400);
    expect(outcome(await send(again, another))).toBe('400 invalid_grant');
    const next = await send(again, one);
    expect(outcome(next)).toBe('200 Bearer');
    expect(outcome(await send({ ...again, refresh_token: next.body.refresh_token ?? '' }, another))).toBe(
      '400 invalid_grant',
    );
  });

  test('a code is not lost to a request that forgot its certificate', async () => {
    const person = await createPerson(postern);
    const application = await createApplication(postern);
    await bind(application.clientId);
    const got = await getCode(createAgent(postern.url), application, person);
    const refused = await redeem(postern.url, application, got);
    expect(outcome(refused)).toBe('400 invalid_request');
    expect(outcome(await refresh(postern.url, application, 'x'))).toBe('400 invalid_grant');
  });
});

async function boundService(permissions = [permission]) {
  const service = await createService(postern, permissions);
  await bind(service.clientId);
  return service;
}

/** As an admin's switch does; before the client is used for the first time. */
async function bind(clientId: string): Promise<void> {
  const sql = `UPDATE client SET settings = settings || '{"certificateBound": true}' WHERE client_id = $1`;
  await postern.db.query('test-bind', sql, [clientId]);
}

async function lastRefusal(clientId: string) {
  const sql = `SELECT outcome, reason FROM audit_event WHERE action = 'token.refuse' AND client_id = $1`;
  const [row] = await postern.db.query<{ outcome: string; reason: string }>('test-refusal', sql, [clientId]);
  return row;
}

/** Sends headers as they are given, also two of one name. */
async function rawForm(origin: string, clientId: string, headers: [string, string][]) {
  const content = `grant_type=client_credentials&client_id=${clientId}`;
  const all = [
    ...headers,
    ['content-type', 'application/x-www-form-urlencoded'],
    ['content-length', `${content.length}`],
  ];
  const sent = request(`${origin}/oauth2/token`, {
    method: 'POST',
    headers: ['host', new URL(origin).host, ...all.flat()],
  });
  sent.end(content);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode, body: await text(response) };
}
