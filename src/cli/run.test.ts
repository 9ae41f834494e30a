import { describe, expect, test } from '@jest/globals';
import { AppError } from '../kernel/errors.ts';
import type { Surroundings } from './command.ts';
import { commands } from './commands.ts';
import { runCli } from './run.ts';
import type { Services } from './services.ts';

function stage(services: Partial<Services> = {}, input = '') {
  const written = { out: '', err: '', closed: 0 };
  const surroundings: Surroundings = {
    env: {},
    osUser: 'ada',
    async out(text) {
      written.out += text;
    },
    async err(text) {
      written.err += text;
    },
    readInput: async () => input,
    readFile: async () => input,
  };
  const close = async () => {
    written.closed += 1;
  };
  const run = (...argv: string[]) => runCli(argv, surroundings, async () => ({ ...services, close }) as Services);
  return { run, written };
}

describe('command line', () => {
  test('help lists every command and exits 0', async () => {
    const { run, written } = stage();
    expect(await run('help')).toBe(0);
    for (const { noun, verb } of commands) expect(written.out).toContain(`${noun} ${verb}`.trim());
  });

  test.each([
    [['nope']],
    [['user']],
    [['user', 'fly']],
    [['user', 'create']],
    [['user', 'create', '--email', 'a@b.example']],
    [['user', 'create', '--email', 'a@b.example', '--invite', '--password-stdin']],
    [['user', 'create', '--email', 'a@b.example', '--invite', '--bogus']],
    [['user', 'create', '--email', '', '--invite']],
    [['user', 'show']],
    [['user', 'show', 'a', 'b']],
    [['role', 'assign', '--role', 'x']],
    [['role', 'assign', '--role', 'x', '--user', 'a', '--service-account', 'b']],
    [['role', 'create', '--name', 'x', '--permission', 'nohash']],
    [['client', 'create', '--name', 'x', '--type', 'toaster', '--redirect-uri', 'https://a.example']],
    [['client', 'create', '--name', 'x', '--type', 'spa', '--auth', 'secret', '--redirect-uri', 'https://a.example']],
    [['service-account', 'create', '--name', 'x', '--auth', 'none']],
    [['service-account', 'create', '--name', 'x', '--auth', 'private_key_jwt']],
    [['service-account', 'create', '--name', 'x', '--jwks', 'keys.json']],
    [['client', 'set', '--client', 'x', '--fapi', 'yes']],
    [['client', 'set', '--require-par', 'on']],
    [['client', 'set', '--client', 'x', '--auth', 'private_key_jwt']],
    [['client', 'set', '--client', 'x', '--auth', 'secret', '--jwks', 'keys.json']],
    [['service-account', 'set', 'x', '--require-par', 'on']],
    [['audit', 'export', '--format', 'xml']],
    [['api', 'create', '--audience', 'urn:x', '--permission', 'p', '--token-format', 'paseto']],
    [['api', 'create', '--audience', 'urn:x', '--permission', 'p', '--signing-alg', 'none']],
    [['api', 'create', '--audience', 'urn:x', '--permission', 'p', '--claims', 'okta']],
    [['token', 'revoke']],
    [['token', 'revoke', '--client', 'a', '--user', 'b']],
    [['token', 'list', '--limit', '0']],
    [['token', 'list', '--state', 'lost']],
    [['keys', 'rotate', '--alg', 'HS256']],
    [['audit', 'export', '--format', 'csv', '--from', 'yesterday-ish']],
  ])('wrong usage exits 2: %j', async (argv) => {
    const { run, written } = stage();
    expect(await run(...argv)).toBe(2);
    expect(written.out).toBe('');
    expect(written.err).toContain('postern');
  });

  test('wrong usage with --json is one JSON document and nothing else', async () => {
    const { run, written } = stage();
    expect(await run('user', 'create', '--json')).toBe(2);
    expect(JSON.parse(written.out)).toEqual({ error: { code: 'usage', message: '--email is missing' } });
    expect(written.err).toBe('');
  });

  test('what is not there yet is called so', async () => {
    const { run, written } = stage();
    expect(await run('service-account', 'create', '--name', 'x', '--auth', 'tls')).toBe(2);
    expect(written.err).toContain('--auth tls needs exactly one of --subject-dn');
  });

  test('setup-link prints the link; without one it fails', async () => {
    const ready = stage({ setupLink: async () => 'http://localhost:3000/setup?token=x' });
    expect(await ready.run('setup-link', '--json')).toBe(0);
    expect(ready.written.out).toBe('{"url":"http://localhost:3000/setup?token=x"}\n');
    expect(ready.written.closed).toBe(1);
    const done = stage({ setupLink: async () => null });
    expect(await done.run('setup-link')).toBe(1);
    expect(done.written.out).toBe('');
  });

  test('user unlock opens the account of an address, and user show says that it was closed', async () => {
    const seen: unknown[] = [];
    const at = new Date('2026-01-02T03:04:05Z');
    const users = {
      find: async () => '1',
      unlock: async (...input: unknown[]) => void seen.push(...input),
      show: async () => ({
        user: { id: '1', email: 'ada@example.com', name: 'Ada', status: 'active', createdAt: at, lastSignInAt: null },
        ...{ roles: [], teams: [], sessions: [], invite: null, factors: { totp: null, recoveryLeft: 0 } },
        lock: { closed: true, until: null },
      }),
    } as unknown as Services['users'];
    const { run, written } = stage({ users });
    expect(await run('user', 'unlock', 'ada@example.com')).toBe(0);
    expect(seen).toEqual(['1', { by: { type: 'system', id: 'cli', name: 'ada' } }]);
    expect(written.out).toBe('ada@example.com unlocked\n');
    expect(await run('user', 'show', 'ada@example.com')).toBe(0);
    expect(written.out).toMatch(/sign-in +closed/);
    const asJson = stage({ users });
    expect(await asJson.run('user', 'show', 'ada@example.com', '--json')).toBe(0);
    expect(JSON.parse(asJson.written.out).lock).toEqual({ closed: true, until: null });
  });

  test('a password comes from standard input without the line end of the pipe', async () => {
    const seen: unknown[] = [];
    const users = {
      async createWithPassword(input: unknown, password: string, by: unknown) {
        seen.push(input, password, by);
        return { id: '1', email: 'ada@example.com' };
      },
    } as unknown as Services['users'];
    const { run, written } = stage({ users }, ' correct horse \n');
    expect(
      await run('user', 'create', '--email', 'ada@example.com', '--role', 'admin', '--password-stdin', '--json'),
    ).toBe(0);
    expect(seen).toEqual([
      { email: 'ada@example.com', name: 'ada', roles: ['admin'] },
      ' correct horse ',
      { by: { type: 'system', id: 'cli', name: 'ada' } },
    ]);
    expect(JSON.parse(written.out)).toEqual({ id: '1', email: 'ada@example.com' });
  });

  test.each([
    [[], { tokenFormat: 'jwt', signingAlg: 'ES256', claimProfile: 'standard' }],
    [['--token-format', 'opaque'], { tokenFormat: 'opaque', signingAlg: 'ES256', claimProfile: 'standard' }],
    [
      ['--signing-alg', 'EdDSA', '--claims', 'keycloak'],
      { tokenFormat: 'jwt', signingAlg: 'EdDSA', claimProfile: 'keycloak' },
    ],
  ])('an API chooses the form of its tokens: %j', async (options, form) => {
    const seen: object[] = [];
    const apis: Services['apis'] = {
      async create(input) {
        seen.push(input);
        return { id: '1', audience: input.audience, permissions: ['read'] };
      },
      addDetailType: async () => undefined,
    };
    const { run } = stage({ apis });
    expect(await run('api', 'create', '--audience', 'urn:x', '--permission', 'read=Read', ...options)).toBe(0);
    const permissions = [{ name: 'read', description: 'Read' }];
    expect(seen).toEqual([{ audience: 'urn:x', permissions, ...form }]);
  });

  test('api add-detail-type hands on the schema of the file', async () => {
    const seen: unknown[] = [];
    const apis: Services['apis'] = {
      create: async () => ({ id: '1', audience: '', permissions: [] }),
      async addDetailType(audience, type) {
        seen.push(audience, type);
      },
    };
    const { run, written } = stage({ apis }, '{"type":"object"}');
    const named = ['--audience', 'urn:x', '--type', 'payment', '--description', 'Pay', '--schema', 'payment.json'];
    expect(await run('api', 'add-detail-type', ...named, '--json')).toBe(0);
    expect(seen).toEqual(['urn:x', { type: 'payment', description: 'Pay', schema: '{"type":"object"}' }]);
    expect(JSON.parse(written.out)).toEqual({ audience: 'urn:x', type: 'payment' });
  });

  test.each([
    [['--client', 'svc_1'], { client: 'svc_1' }, { client: 'c', tokens: 3 }],
    [['--user', 'ada@example.com'], { user: 'ada@example.com' }, { user: 'c', tokens: 3 }],
    [['--audience', 'urn:x'], { audience: 'urn:x' }, { audience: 'c', tokens: 3 }],
  ] as const)('token revoke %j says how many ended', async (options, whose, json) => {
    const seen: unknown[] = [];
    const tokens: Services['tokens'] = {
      list: async () => ({ items: [], next: undefined, previous: undefined }),
      async revokeAll(of, by) {
        seen.push(of, by);
        const type = 'user' in of ? 'user' : 'audience' in of ? 'api' : 'client';
        return { owner: { type, id: 'c', name: 'C' }, tokens: 3 };
      },
    };
    const { run, written } = stage({ tokens });
    expect(await run('token', 'revoke', ...options, '--json')).toBe(0);
    expect(seen).toEqual([whose, { by: { type: 'system', id: 'cli', name: 'ada' } }]);
    expect(JSON.parse(written.out)).toEqual(json);
  });

  test('token list hands its filters on, and reads as many pages as it needs', async () => {
    const seen: unknown[] = [];
    const at = new Date('2027-03-01T10:00:00Z');
    const token = { jti: 'j', kind: 'AccessToken', format: 'jwt', state: 'active' } as const;
    const view = {
      ...token,
      scopes: ['read'],
      user: undefined,
      serviceAccount: undefined,
      client: undefined,
      audience: 'urn:x',
    };
    const times = { createdAt: at, expiresAt: at, revokedAt: undefined };
    const tokens: Services['tokens'] = {
      async list({ after, ...filter }) {
        seen.push(filter);
        const items = Array.from({ length: 2 }, () => ({ ...view, ...times, parent: undefined, kid: undefined }));
        return { items, next: after === undefined ? 'more' : undefined, previous: undefined };
      },
      revokeAll: async () => {
        throw new Error('nothing is revoked');
      },
    };
    const { run, written } = stage({ tokens });
    expect(await run('token', 'list', '--audience', 'urn:x', '--state', 'active', '--limit', '3', '--json')).toBe(0);
    expect(seen).toEqual([
      { audience: 'urn:x', state: 'active' },
      { audience: 'urn:x', state: 'active' },
    ]);
    const { tokens: listed } = JSON.parse(written.out) as { tokens: object[] };
    expect(listed).toHaveLength(3);
    expect(listed[0]).toMatchObject({ jti: 'j', state: 'active', user: null, audience: 'urn:x' });
  });

  test.each([
    [[], 'ES256'],
    [['--alg', 'EdDSA'], 'EdDSA'],
    [['--alg', 'RS256'], 'RS256'],
  ])('keys rotate %j', async (options, alg) => {
    const seen: unknown[] = [];
    const keys: Services['keys'] = {
      list: async () => [],
      async rotate(_by, of) {
        seen.push(of);
        return [];
      },
      revoke: async () => {
        throw new Error('nothing is revoked');
      },
    };
    expect(await stage({ keys }).run('keys', 'rotate', ...options, '--json')).toBe(0);
    expect(seen).toEqual([alg]);
  });

  test('keys revoke takes a key away, and says what ended with it', async () => {
    const seen: unknown[] = [];
    const keys: Services['keys'] = {
      list: async () => [],
      rotate: async () => [],
      async revoke(_by, leaked) {
        seen.push(leaked);
        return { kid: leaked.kid, alg: 'ES256', was: 'active', successor: 'next', tokens: 3 };
      },
    };
    const { run, written } = stage({ keys });
    expect(await run('keys', 'revoke', '--kid', 'old', '--reason', 'in a public bucket', '--json')).toBe(0);
    expect(seen).toEqual([{ kid: 'old', reason: 'in a public bucket' }]);
    expect(JSON.parse(written.out)).toEqual({ kid: 'old', alg: 'ES256', was: 'active', successor: 'next', tokens: 3 });
    expect(await stage({ keys }).run('keys', 'revoke', '--kid', 'old')).toBe(2);
  });

  test('client set changes what is named, and tells what is on', async () => {
    const seen: unknown[] = [];
    const clients = {
      async set(clientId: string, change: unknown) {
        seen.push(change);
        return { clientId, settings: { requirePushedRequests: true } };
      },
    } as unknown as Services['clients'];
    const { run, written } = stage({ clients }, '{"keys":[]}');
    const options = ['--require-par', 'on', '--signed-responses', 'off', '--jwks', 'keys.json'];
    expect(await run('client', 'set', '--client', 'app_x', ...options, '--json')).toBe(0);
    expect(seen).toEqual([{ jwks: '{"keys":[]}', switches: { requirePushedRequests: true, signedResponses: false } }]);
    expect(JSON.parse(written.out)).toEqual({ client_id: 'app_x', settings: { requirePushedRequests: true } });
  });

  test('a failure names its code and its fields, and the services are closed', async () => {
    const users = {
      async find() {
        throw new AppError('users.not_found', { status: 404 });
      },
    } as unknown as Services['users'];
    const { run, written } = stage({ users });
    expect(await run('user', 'disable', 'x@y.example', '--json')).toBe(1);
    expect(JSON.parse(written.out)).toEqual({
      error: { code: 'users.not_found', message: 'There is no such account.' },
    });
    expect(written.closed).toBe(1);
  });

  test('S95 an unexpected failure shows its message and no stack', async () => {
    const { run, written } = stage({
      async setupLink() {
        throw new Error('boom');
      },
    });
    expect(await run('setup-link')).toBe(1);
    expect(written.err).toBe('postern: boom\n');
  });
});
