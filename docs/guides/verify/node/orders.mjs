// An API that verifies access tokens by itself: GET /orders needs the permission orders.read.
import { createServer } from 'node:http';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';

const { ISSUER, AUDIENCE, PORT = '8080' } = process.env;

// Fetched when the first token comes, kept, and fetched again for a key that it does not hold (every 30 s at the most).
const keys = createRemoteJWKSet(new URL(`${ISSUER}/oauth2/jwks`), { cacheMaxAge: 60_000 });

/** The claims of the request's token; undefined where it is not good. */
async function claimsOf(token) {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: ISSUER,
      audience: AUDIENCE,
      typ: 'at+jwt',
      algorithms: ['ES256'],
      requiredClaims: ['exp', 'sub', 'client_id'],
      clockTolerance: 5,
    });
    // Bound to a key or a certificate: this program checks no proof of that, so it takes none (RFC 9449, RFC 8705).
    return payload.cnf === undefined ? payload : undefined;
  } catch (error) {
    const notTheToken = [errors.JWKSTimeout, errors.JWKSInvalid].some((kind) => error instanceof kind);
    if (notTheToken || !(error instanceof errors.JOSEError) || error.code === 'ERR_JOSE_GENERIC') throw error;
    return undefined;
  }
}

function answer(response, status, body, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));
}

const challenge = (text) => ({ 'WWW-Authenticate': text });

const server = createServer(async (request, response) => {
  if (request.method !== 'GET' || request.url !== '/orders') return answer(response, 404, { error: 'not_found' });
  const [, token] = /^Bearer +([\w.~+/-]+=*)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (!token) return answer(response, 401, {}, challenge('Bearer'));
  let claims;
  try {
    claims = await claimsOf(token);
  } catch (error) {
    console.error(error);
    return answer(response, 503, { error: 'keys_unavailable' }, { 'Retry-After': '5' });
  }
  if (!claims) return answer(response, 401, {}, challenge('Bearer error="invalid_token"'));
  if (
    !String(claims.scope ?? '')
      .split(' ')
      .includes('orders.read')
  ) {
    return answer(response, 403, {}, challenge('Bearer error="insufficient_scope", scope="orders.read"'));
  }
  return answer(response, 200, { orders: [], for: claims.sub });
});

server.listen(Number(PORT), '127.0.0.1', () => console.log(`Orders at http://127.0.0.1:${PORT}`));
