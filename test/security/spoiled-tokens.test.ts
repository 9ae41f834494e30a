import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { SigningAlg } from '../../src/kernel/access-token.ts';
import { createAgent } from '../support/browserless.ts';
import { createHolder, postWithProof } from '../support/dpop.ts';
import { type Chain, createChain, exchange } from '../support/exchange.ts';
import { asClient, clientCredentials, getCode, introspect, postForm, redeem, refresh } from '../support/oauth.ts';
import { type Application, BY_TEST, createService, type Service } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

/**
 * Every kind of token, with one thing changed about how it is written: nowhere is it what it was before. Which kind is
 * taken where: token-confusion.test.ts.
 */

const ALGORITHMS: SigningAlg[] = ['ES256', 'EdDSA', 'RS256', 'PS256'];
const KINDS = [
  ...ALGORITHMS.map((alg) => `JWT ${alg}` as const),
  'opaque for an API',
  'opaque for userinfo',
  'bound opaque',
  'exchanged',
  'ID token',
  'refresh token',
  'code',
] as const;
type Kind = (typeof KINDS)[number];

let postern: Postern;
let chain: Chain;
let application: Application;
let keeper: Service;
const held = {} as Record<Kind, string>;
let verifier: string;

beforeAll(async () => {
  postern = await startPostern();
  chain = await createChain(postern, 2);
  application = chain.application;
  const [front = '', back = ''] = chain.apis;
  const [caller = { clientId: '', secret: '' }] = chain.services;
  const { apis } = postern.parts.access;
  const permissions = [{ name: 'read' }, { name: 'introspect' }];
  const audiences = Object.fromEntries(ALGORITHMS.map((alg) => [`JWT ${alg}`, `https://${alg}.example.com`]));
  for (const alg of ALGORITHMS) {
    await apis.create({ audience: `https://${alg}.example.com`, permissions, signingAlg: alg }, BY_TEST);
  }
  audiences['opaque for an API'] = 'https://opaque.example.com';
  await apis.create({ audience: 'https://opaque.example.com', permissions, tokenFormat: 'opaque' }, BY_TEST);
  keeper = await createService(
    postern,
    Object.values(audiences).flatMap((one) => [`${one}#read`, `${one}#introspect`]),
  );
  for (const [kind, resource] of Object.entries(audiences)) {
    const { body } = await clientCredentials(postern.url, keeper, { resource, scope: 'read' });
    held[kind as Kind] = String(body.access_token);
  }
  const agent = createAgent(postern.url);
  const plain = await redeem(postern.url, application, await getCode(agent, application, chain.person));
  held['opaque for userinfo'] = String(plain.body.access_token);
  held['ID token'] = String(plain.body.id_token);
  held['refresh token'] = String(plain.body.refresh_token);
  const again = await getCode(agent, application, chain.person);
  const { redirectUri: redirect_uri } = application;
  const form = { grant_type: 'authorization_code', code: again.code, code_verifier: again.verifier, redirect_uri };
  const { headers } = asClient(application);
  const bound = await postWithProof(`${postern.url}/oauth2/token`, form, headers, await createHolder());
  held['bound opaque'] = String(bound.body.access_token);
  const subject = await chain.personToken();
  held.exchanged = String((await exchange(postern.url, caller, subject, back)).body.access_token);
  expect(front).not.toBe(back);
  const got = await getCode(agent, application, chain.person);
  held.code = got.code;
  verifier = got.verifier;
});
afterAll(() => postern.close());

const other = (letter = 'A') => (letter === 'A' ? 'B' : 'A');
const flip = (text: string, at: number) => text.slice(0, at) + other(text[at]) + text.slice(at + 1);

/** Where something is flipped, cut or put in: the ends of each part, and places between them. */
function places(text: string): number[] {
  const ends = [...text.matchAll(/[^.]+/g)].flatMap(({ index, 0: part }) => [index, index + part.length - 1]);
  const between = [0.1, 0.3, 0.5, 0.7, 0.9].map((share) => Math.floor(text.length * share));
  return [...new Set([...ends, ...between])].filter((at) => text[at] !== '.');
}

/** The last character of a part in base64url has bits that its octets do not need. */
function spareBits(part: string): string[] {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const octets = Buffer.from(part, 'base64url');
  const written = [...alphabet].map((last) => part.slice(0, -1) + last);
  return written.filter((one) => one !== part && Buffer.from(one, 'base64url').equals(octets));
}

function spoiled(token: string): Record<string, string> {
  const parts = token.split('.');
  const signature = parts.at(-1) ?? '';
  const front = token.slice(0, token.length - signature.length);
  const found: Record<string, string> = {
    empty: '-',
    'a dot after': `${token}.`,
    'a dot before': `.${token}`,
    'padding after': `${token}=`,
    'padding twice': `${token}==`,
    'padding inside': token.replace('.', '=.'),
    'plus and slash':
      token.includes('-') || token.includes('_') ? token.replaceAll('-', '+').replaceAll('_', '/') : `+${token}`,
    'a tilde for a letter': `${token.slice(0, 9)}~${token.slice(10)}`,
    'a space after': `${token} `,
    'a space before': ` ${token}`,
    'a line feed after': `${token}\n`,
    'a line feed inside': `${token.slice(0, 20)}\n${token.slice(20)}`,
    'NUL after': `${token}\0`,
    'NUL and another': `${token}\0x`,
    'a no-break space': `${token}\u00a0`,
    twice: `${token}${token}`,
    'twice, by a space': `${token} ${token}`,
    'twice, by a comma': `${token},${token}`,
    quoted: `"${token}"`,
    'the scheme before': `Bearer ${token}`,
    'encoded twice': encodeURIComponent(encodeURIComponent(`${token} `)),
    'in capitals': token.toUpperCase(),
    'in small letters': token.toLowerCase(),
    backwards: [...token].reverse().join(''),
    'without its signature': front === '' ? token.slice(0, 12) : front,
    '15 KiB behind it': token + 'A'.repeat(15 * 1024 - Math.min(token.length, 8 * 1024)),
    '15 KiB': 'A'.repeat(15 * 1024),
  };
  for (const share of [0, 0.25, 0.5, 0.75])
    found[`cut at ${share}`] = token.slice(0, Math.floor(token.length * share)) || 'x';
  for (const cut of [1, 2, 3, 4]) found[`cut by ${cut}`] = token.slice(0, -cut);
  for (const at of places(token)) found[`flipped at ${at}`] = flip(token, at);
  if (parts.length > 1) for (const one of spareBits(signature)) found[`spare bits ${one.slice(-1)}`] = front + one;
  return Object.fromEntries(Object.entries(found).filter(([, text]) => text !== token));
}

function sameOctets(one: string, another: string): boolean {
  const octets = (text: string) => text.split('.').map((part) => Buffer.from(part, 'base64url').toString('hex'));
  return octets(one).join('.') === octets(another).join('.');
}

const INACTIVE = { active: false };

/** Who may ask about the good one. */
function readerOf(kind: Kind): Service | Application {
  if (kind === 'exchanged') return chain.services[1] ?? keeper;
  return kind.startsWith('JWT') || kind === 'opaque for an API' ? keeper : application;
}

const SCHEMES = ['Bearer', 'bearer', 'DPoP'];

describe.each(KINDS.filter((kind) => kind !== 'ID token' && kind !== 'code'))('S41 %s, spoiled', (kind) => {
  test('is inactive, no token at userinfo, and ends nothing when it is revoked', async () => {
    const { headers } = asClient(readerOf(kind));
    for (const [index, [what, token]] of Object.entries(spoiled(held[kind])).entries()) {
      for (const way of [{}, { 'content-encoding': 'identity' }]) {
        const { status, body } = await postForm(`${postern.url}/oauth2/introspect`, { token }, { ...headers, ...way });
        expect({ what, status, body }).toEqual({ what, status: 200, body: INACTIVE });
      }
      const authorization = `${SCHEMES[index % SCHEMES.length]} ${encodeForHeader(token)}`;
      const response = await fetch(`${postern.url}/oauth2/userinfo`, { headers: { authorization } });
      const { error } = (await response.json()) as { error?: string };
      expect({ what, refusal: REFUSALS.includes(`${response.status} ${error}`) || error }).toEqual({
        what,
        refusal: true,
      });
      const revoked = await postForm(`${postern.url}/oauth2/revoke`, { token }, headers);
      expect({ what, status: revoked.status, body: revoked.body }).toEqual({ what, status: 200, body: {} });
    }
  });
});

/** RFC 6750 section 3.1, RFC 9449 section 7.1 */
const REFUSALS = ['401 invalid_token', '400 invalid_request', '401 invalid_dpop_proof'];
/** What no HTTP client would send in a header is left to the parser. */
const encodeForHeader = (text: string) => text.replace(/[\0\n]/g, '~').replace(/\s+$/, '~');

test('S41 a spoiled refresh token or code gives nothing, and leaves the good one good', async () => {
  for (const [what, text] of Object.entries(spoiled(held['refresh token']))) {
    const { status, body } = await refresh(postern.url, application, text);
    expect({ what, status, error: body.error }).toEqual({ what, status: 400, error: 'invalid_grant' });
  }
  for (const [what, code] of Object.entries(spoiled(held.code))) {
    const { status, body } = await redeem(postern.url, application, { code, verifier });
    expect({ what, status, error: body.error }).toEqual({ what, status: 400, error: 'invalid_grant' });
  }
  expect((await redeem(postern.url, application, { code: held.code, verifier })).status).toBe(200);
});

test('S39 S41 a spoiled ID token is no hint, and no subject of an exchange is a spoiled token', async () => {
  const agent = createAgent(postern.url);
  const good = held['ID token'];
  // The library reads over what stands around the octets of a hint: it is the same hint then, and decides nothing.
  const changed = Object.entries(spoiled(good)).filter(([, hint]) => !sameOctets(hint, good));
  for (const [what, hint] of changed) {
    const page = await agent.get(`/oauth2/logout?${new URLSearchParams({ id_token_hint: hint })}`);
    expect({ what, status: page.status }).toEqual({ what, status: 400 });
  }
  const [caller = { clientId: '', secret: '' }] = chain.services;
  for (const [what, text] of Object.entries(spoiled(await chain.personToken()))) {
    const { status, body } = await exchange(postern.url, caller, text, chain.apis[1] ?? '');
    expect({ what, status, error: body.error }).toEqual({ what, status: 400, error: 'invalid_request' });
  }
});

test('S41 after all that the good ones are what they were', async () => {
  for (const kind of KINDS.filter((one) => one !== 'ID token' && one !== 'code')) {
    expect({ kind, ...(await introspect(postern.url, readerOf(kind), held[kind])) }).toMatchObject({
      kind,
      active: true,
    });
  }
});

test('S92 in all of that nothing failed inside', () => {
  const faults = postern.logged.filter(({ level }) => level === 'error' || level === 'fatal');
  expect(faults).toEqual([]);
});
