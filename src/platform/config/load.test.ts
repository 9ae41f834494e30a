import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { AppError } from '../../kernel/errors.ts';
import { loadConfig } from './load.ts';

function problem(env: NodeJS.ProcessEnv): string {
  try {
    loadConfig(env);
  } catch (error) {
    return String((error as AppError).detail);
  }
  return 'none';
}

test('without any setting it serves on the loopback interface with the embedded database', () => {
  expect(loadConfig({})).toMatchObject({
    port: 3000,
    host: '127.0.0.1',
    issuer: 'http://localhost:3000',
    secure: false,
    databaseUrl: undefined,
    dataDir: path.resolve('data'),
    workers: 1,
    managementHost: '127.0.0.1',
    managementPort: 9000,
    managementPortExplicit: false,
  });
});

test('a public issuer is served on every interface', () => {
  const config = loadConfig({ POSTERN_ISSUER: 'https://id.example.com/' });
  expect(config).toMatchObject({ issuer: 'https://id.example.com', host: '0.0.0.0', secure: true });
});

test('each setting can stand in a file', () => {
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'postern-config-')), 'key');
  const key = Buffer.alloc(32, 7);
  writeFileSync(file, `${key.toString('base64url')}\n`);
  expect(loadConfig({ POSTERN_MASTER_KEY_FILE: file }).masterKey).toEqual(key);
  expect(problem({ POSTERN_MASTER_KEY_FILE: `${file}.absent` })).toMatch(/^POSTERN_MASTER_KEY_FILE names a file/);
});

describe('a bad setting stops the start, naming it', () => {
  test.each([
    [{ POSTERN_ISUER: 'https://id.example.com' }, 'POSTERN_ISUER is not a setting of Postern'],
    [{ PORT: '65536' }, 'PORT must be a port number from 0 to 65535'],
    [{ POSTERN_ISSUER: 'id.example.com' }, 'POSTERN_ISSUER must be an absolute URL'],
    [{ POSTERN_ISSUER: 'http://id.example.com' }, 'POSTERN_ISSUER must be https'],
    [{ POSTERN_ISSUER: 'https://id.example.com/auth' }, 'POSTERN_ISSUER must have no path'],
    [{ DATABASE_URL: 'mysql://localhost' }, 'DATABASE_URL must be a URL such as postgresql:'],
    [{ POSTERN_WORKERS: '0' }, 'POSTERN_WORKERS must be'],
    [{ POSTERN_LOG_LEVEL: 'loud' }, 'POSTERN_LOG_LEVEL must be one of'],
    [{ POSTERN_TRUSTED_PROXIES: 'example.com' }, 'POSTERN_TRUSTED_PROXIES must be addresses'],
    [{ POSTERN_OUTGOING_ALLOW: 'keys.internal, 10.0.0.0/33' }, 'POSTERN_OUTGOING_ALLOW must be host names'],
    [{ POSTERN_SESSION_IDLE_SECONDS: '90000' }, 'POSTERN_SESSION_IDLE_SECONDS must not be longer'],
  ])('%j', (env, message) => {
    expect(problem(env)).toContain(message);
  });

  test('and never says the value of a secret', () => {
    const message = problem({ POSTERN_MASTER_KEY: 'far-too-short' });
    expect(message).toMatch(/^POSTERN_MASTER_KEY must be 32 random bytes/);
    expect(message).not.toContain('far-too-short');
  });
});
