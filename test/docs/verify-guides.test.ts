import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { base64url, decodeJwt, decodeProtectedHeader, generateKeyPair, SignJWT } from 'jose';
import { freePort } from '../../src/platform/db/embedded/server.ts';
import { createAgent } from '../support/browserless.ts';
import { testFolder } from '../support/database.ts';
import { clientCredentials, getCode, redeem } from '../support/oauth.ts';
import { BY_TEST, createApplication, createPerson, createService, type Service } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime } from '../support/time.ts';
import { until } from '../support/until.ts';

/**
 * The guide's programs, each with the toolchain of its language. Node's runs everywhere. The others fetch what they need
 * from the registry of their language, so they run only where continuous integration says that it may
 * (TEST_TOOLCHAINS=download), and where the toolchain is there. What was fetched and compiled stays in .cache.
 */
const root = path.resolve(import.meta.dirname, '../..');
const guides = path.join(root, 'docs/guides');
const cache = path.join(root, '.cache/verify-guides');
const mayDownload = process.env.TEST_TOOLCHAINS === 'download';
const PREPARING_MS = 240_000;

interface Language {
  name: string;
  /** What has to answer, as a command and its arguments. */
  needs: string[][];
  /** As the guide gives it, run by `sh` in a copy of the program's folder. */
  prepare: string;
  run: string;
  env: Record<string, string>;
}

const LANGUAGES: Language[] = [
  { name: 'node', needs: [], prepare: '', run: 'exec node orders.mjs', env: {} },
  {
    name: 'go',
    needs: [['go', 'version']],
    prepare: 'go build -o orders .',
    run: 'exec ./orders',
    env: { GOPATH: path.join(cache, 'go'), GOCACHE: path.join(cache, 'go-build'), GOFLAGS: '-modcacherw' },
  },
  {
    name: 'python',
    needs: [
      ['python3', '--version'],
      ['python3', '-m', 'pip', '--version'],
    ],
    prepare: 'python3 -m pip install --quiet --require-hashes --target lib -r requirements.txt',
    run: 'PYTHONPATH=lib exec python3 orders.py',
    env: { PIP_CACHE_DIR: path.join(cache, 'pip'), PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_ROOT_USER_ACTION: 'ignore' },
  },
  {
    name: 'java',
    needs: [
      ['java', '-version'],
      ['mvn', '-version'],
    ],
    prepare: 'mvn --quiet --batch-mode --strict-checksums dependency:copy-dependencies -DoutputDirectory=lib',
    run: "exec java -cp 'lib/*' Orders.java",
    env: { MAVEN_OPTS: `-Dmaven.repo.local=${path.join(cache, 'maven')}` },
  },
];

const answers = ([command = '', ...rest]: string[]) => spawnSync(command, rest, { stdio: 'ignore' }).status === 0;

/** Why its tests are skipped here, or undefined. */
function absence({ name, needs }: Language): string | undefined {
  if (needs.length > 0 && !mayDownload) return 'TEST_TOOLCHAINS=download is not set';
  const missing = needs.find((command) => !answers(command));
  return missing && `${missing[0]} is not on this machine (${name})`;
}

let postern: Postern;
let audience: string;
let service: Service;
let other: Service;
let idToken: string;
let otherAudience: string;
const children: ChildProcess[] = [];
let rotations = 0;

beforeAll(async () => {
  postern = await startPostern();
  audience = 'https://orders.example.com';
  otherAudience = 'https://invoices.example.com';
  const permissions = ['orders.read', 'orders.write'].map((name) => ({ name }));
  await postern.parts.access.apis.create({ audience, permissions }, BY_TEST);
  await postern.parts.access.apis.create({ audience: otherAudience, permissions }, BY_TEST);
  service = await createService(postern, [`${audience}#orders.read`, `${audience}#orders.write`]);
  other = await createService(postern, [`${otherAudience}#orders.read`]);
  const application = await createApplication(postern);
  const person = await createPerson(postern);
  const got = await getCode(createAgent(postern.url), application, person);
  idToken = String((await redeem(postern.url, application, got)).body.id_token);
});
afterAll(async () => {
  for (const child of children) child.kill();
  await postern.close();
});

async function tokenOf(by: Service, scope: string): Promise<string> {
  const { body } = await clientCredentials(postern.url, by, { scope });
  return String(body.access_token);
}

/** Starts the program in a copy of its folder; answers its address. */
async function start({ name, prepare, run, env }: Language): Promise<string> {
  const folder = mkdtempSync(path.join(testFolder(), `verify-${name}-`));
  cpSync(path.join(guides, 'verify', name), folder, { recursive: true });
  mkdirSync(cache, { recursive: true });
  if (name === 'node') symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  const port = String(await freePort());
  const nodePath = `${path.dirname(process.execPath)}:${process.env.PATH}`;
  const all = { ...process.env, PATH: nodePath, ...env, ISSUER: postern.url, AUDIENCE: audience, PORT: port };
  if (prepare) await promisify(execFile)('sh', ['-c', prepare], { cwd: folder, env: all, timeout: PREPARING_MS });
  const child = spawn('sh', ['-c', run], { cwd: folder, env: all, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = String((await lines.next()).value);
  expect(line).toBe(`Orders at http://127.0.0.1:${port}`);
  return line.replace('Orders at ', '');
}

/** Status and challenge of one request. */
async function ask(url: string, token?: string): Promise<[number, string | null]> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`${url}/orders`, { headers });
  await response.arrayBuffer();
  return [response.status, response.headers.get('www-authenticate')];
}

const GOOD = [200, null];
const NO_TOKEN = [401, 'Bearer'];
const INVALID = [401, 'Bearer error="invalid_token"'];
const INSUFFICIENT = [403, 'Bearer error="insufficient_scope", scope="orders.read"'];

/** A good token as somebody without our key would make it, after a change. */
async function signedByAnother(token: string): Promise<string> {
  const { privateKey } = await generateKeyPair('ES256');
  const { kid } = decodeProtectedHeader(token);
  return new SignJWT(decodeJwt(token))
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', ...(kid && { kid }) })
    .sign(privateKey);
}

function unsigned(token: string): string {
  const header = base64url.encode(JSON.stringify({ ...decodeProtectedHeader(token), alg: 'none' }));
  return `${header}.${token.split('.')[1]}.`;
}

for (const language of LANGUAGES) {
  const why = absence(language);
  const title = `the ${language.name} program of the guide`;
  (why ? describe.skip : describe)(why ? `SKIPPED, ${why}: ${title}` : title, () => {
    let url: string;
    let good: string;
    beforeAll(async () => {
      url = await start(language);
      good = await tokenOf(service, 'orders.read');
    }, PREPARING_MS);

    test('S38 takes a good token', async () => {
      expect(await ask(url, good)).toEqual(GOOD);
      expect(await ask(url, await tokenOf(service, 'orders.read orders.write'))).toEqual(GOOD);
    });

    test('asks for one, and says what is missing', async () => {
      expect(await ask(url)).toEqual(NO_TOKEN);
      expect(await ask(url, await tokenOf(service, 'orders.write'))).toEqual(INSUFFICIENT);
    });

    test('S39 S40 refuses an ID token, another audience, no signature, another key and what is no token', async () => {
      const wrongAudience = await tokenOf(other, 'orders.read');
      const hostile = {
        'an ID token': idToken,
        'another audience': wrongAudience,
        'alg none': unsigned(good),
        'another key': await signedByAnother(good),
        'no token': 'hello',
        'a changed claim': good.replace(/\.[^.]+\./, (part) => `${part.slice(0, -5)}AAAA.`),
        truncated: good.slice(0, -10),
      };
      for (const [what, token] of Object.entries(hostile))
        expect([what, ...(await ask(url, token))]).toEqual([what, ...INVALID]);
    });

    test('refuses one that has expired', async () => {
      moveTime(-3_600);
      const expired = await tokenOf(service, 'orders.read');
      moveTime(3_600);
      expect(await ask(url, expired)).toEqual(INVALID);
    });

    test('takes a key that signs since a rotation, without a restart', async () => {
      // The programs' clocks do not move: nothing is issued while this one is ahead.
      rotations += 1;
      moveTime(36 * rotations);
      await postern.parts.keys.rotate(BY_TEST).finally(() => moveTime(-36 * rotations));
      const { kid } = decodeProtectedHeader(good);
      await until(async () => decodeProtectedHeader(await tokenOf(service, 'orders.read')).kid !== kid);
      expect(await ask(url, await tokenOf(service, 'orders.read'))).toEqual(GOOD);
      expect(await ask(url, good)).toEqual(GOOD);
    });
  });
}

test('the guide shows the programs as they are, and the commands that start them', () => {
  const text = readFileSync(path.join(guides, 'verify-tokens.md'), 'utf8');
  const shown = [...text.matchAll(/^```\w+ file=(verify\/\S+)\n(.*?)^```$/gms)];
  for (const [, name = '', code = ''] of shown) expect(code).toBe(readFileSync(path.join(guides, name), 'utf8'));
  const programs = LANGUAGES.flatMap(({ name }) =>
    readdirSync(path.join(guides, 'verify', name))
      .filter((file) => /\.(mjs|go|py|java)$/.test(file))
      .map((file) => `verify/${name}/${file}`),
  );
  expect(shown.map(([, name]) => name).sort()).toEqual(programs.sort());
  for (const { prepare, run } of LANGUAGES) {
    const started = run.replace('exec ', '');
    for (const command of [prepare, started]) expect(text).toContain(command);
  }
});
