// The floor: a bare node:http server that does only what can't be left out. For a token that is reading the body,
// checking the client's secret against its digest, and signing.
import cluster from 'node:cluster';
import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createVerifier } from './argon2.ts';
import { readFloorSetup } from './setup.ts';

const { setup, port } = readFloorSetup();
const origin = `http://127.0.0.1:${port}`;
const digests = new Map(
  [...setup.services, setup.application].map(({ clientId, secret }) => [
    clientId,
    createHash('sha256').update(secret).digest(),
  ]),
);
const documents = new Map(Object.entries(setup.documents).map(([path, body]) => [path, Buffer.from(body)]));
const verifyPassword = createVerifier(setup.passwordHash, setup.password);
const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const ED = generateKeyPairSync('ed25519').privateKey;

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const ES256_HEAD = encode({ alg: 'ES256', typ: 'at+jwt', kid: 'floor-es256' });
const EDDSA_HEAD = encode({ alg: 'EdDSA', typ: 'at+jwt', kid: 'floor-eddsa' });

/** DER → r‖s (RFC 7518 section 3.4). Asking node:crypto for that form takes twice the time. */
function joined(der: Buffer): Buffer {
  const result = Buffer.alloc(64);
  let at = 3;
  for (const end of [32, 64]) {
    const length = der[at] ?? 0;
    const number = der.subarray(at + 1, at + 1 + length);
    const digits = number.length > 32 ? number.subarray(number.length - 32) : number;
    digits.copy(result, end - digits.length);
    at += length + 2;
  }
  return result;
}

function jwt(head: string, clientId: string, key: KeyObject): string {
  const iat = Math.floor(Date.now() / 1000);
  const { audience: aud, scope, tokenTtl } = setup;
  const jti = randomUUID();
  const claims = { iss: origin, sub: clientId, client_id: clientId, aud, scope, jti, iat, exp: iat + tokenTtl };
  const input = `${head}.${encode(claims)}`;
  const signature =
    head === ES256_HEAD ? joined(sign('sha256', Buffer.from(input), key)) : sign(null, Buffer.from(input), key);
  return `${input}.${signature.toString('base64url')}`;
}

function clientOf(request: IncomingMessage): string | undefined {
  const [scheme, value = ''] = (request.headers.authorization ?? '').split(' ');
  const [clientId = '', secret = ''] = Buffer.from(value, 'base64').toString().split(':').map(decodeURIComponent);
  const expected = digests.get(clientId);
  const actual = createHash('sha256').update(secret).digest();
  return scheme === 'Basic' && expected && timingSafeEqual(expected, actual) ? clientId : undefined;
}

function answer(response: ServerResponse, status: number, body: string | Buffer): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(body);
}

function token(request: IncomingMessage, response: ServerResponse, body: string): void {
  const clientId = clientOf(request);
  const form = new URLSearchParams(body);
  if (clientId === undefined || form.get('grant_type') !== 'client_credentials') {
    answer(response, 401, '{"error":"invalid_client"}');
    return;
  }
  const eddsa = form.get('resource')?.endsWith('/eddsa');
  const access_token = eddsa ? jwt(EDDSA_HEAD, clientId, ED) : jwt(ES256_HEAD, clientId, EC);
  const { scope, tokenTtl } = setup;
  answer(response, 200, JSON.stringify({ access_token, expires_in: tokenTtl, token_type: 'Bearer', scope }));
}

const server = createServer((request, response) => {
  const path = request.url ?? '/';
  const document = documents.get(path);
  if (request.method === 'GET' && document) return answer(response, 200, document);
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => {
    body += chunk;
  });
  request.on('end', () => {
    if (path === '/oauth2/token') token(request, response, body);
    else if (path !== '/password') answer(response, 200, '{}');
    else {
      verifyPassword().then(
        () => answer(response, 200, '{}'),
        () => answer(response, 500, '{}'),
      );
    }
  });
});
server.keepAliveTimeout = 75_000;

const workers = Number(process.env.BENCH_WORKERS ?? 1);
if (workers > 1 && cluster.isPrimary) {
  for (let slot = 0; slot < workers; slot += 1) cluster.fork();
} else {
  server.listen(port, '127.0.0.1', 4_096);
}
process.on('SIGTERM', () => process.exit(0));
process.on('disconnect', () => process.exit(0));
