// A program apart: a small web application that signs people in with openid-client and knows of Postern only what its
// metadata says. RP_ISSUER, RP_CLIENT_ID, RP_CLIENT_SECRET, RP_PORT.
import { createServer } from 'node:http';
import * as oidc from 'openid-client';

const { RP_ISSUER = '', RP_CLIENT_ID = '', RP_CLIENT_SECRET, RP_PORT = '' } = process.env;
const origin = `http://localhost:${RP_PORT}`;
const config = await oidc.discovery(new URL(RP_ISSUER), RP_CLIENT_ID, RP_CLIENT_SECRET, undefined, {
  execute: [oidc.allowInsecureRequests],
});

/** @type {{ verifier: string, state: string, nonce: string } | undefined} */
let begun;
/** @type {{ access_token: string, refresh_token?: string, id_token?: string } | undefined} */
let tokens;
let subject = '';

/** @type {Record<string, (url: URL) => Promise<object | URL>>} */
const pages = {
  async '/sign-in'() {
    begun = {
      verifier: oidc.randomPKCECodeVerifier(),
      state: oidc.randomState(),
      nonce: oidc.randomNonce(),
    };
    return oidc.buildAuthorizationUrl(config, {
      redirect_uri: `${origin}/callback`,
      scope: 'openid profile email',
      code_challenge: await oidc.calculatePKCECodeChallenge(begun.verifier),
      code_challenge_method: 'S256',
      state: begun.state,
      nonce: begun.nonce,
    });
  },

  async '/callback'(url) {
    if (!begun) throw new Error('nothing was begun');
    const answer = await oidc.authorizationCodeGrant(config, url, {
      pkceCodeVerifier: begun.verifier,
      expectedState: begun.state,
      expectedNonce: begun.nonce,
      idTokenExpected: true,
    });
    tokens = answer;
    subject = answer.claims()?.sub ?? '';
    return { claims: answer.claims(), refreshable: answer.refresh_token !== undefined };
  },

  async '/userinfo'() {
    return oidc.fetchUserInfo(config, tokens?.access_token ?? '', subject);
  },

  async '/refresh'() {
    const before = tokens?.refresh_token ?? '';
    tokens = await oidc.refreshTokenGrant(config, before);
    return { rotated: tokens.refresh_token !== undefined && tokens.refresh_token !== before };
  },

  async '/sign-out'() {
    return oidc.buildEndSessionUrl(config, {
      post_logout_redirect_uri: `${origin}/signed-out`,
      id_token_hint: tokens?.id_token ?? '',
    });
  },

  async '/signed-out'() {
    return { signedOut: true };
  },
};

const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? '/', origin);
  try {
    const answer = await pages[url.pathname]?.(url);
    if (answer === undefined) response.writeHead(404).end();
    else if (answer instanceof URL) response.writeHead(302, { location: answer.href }).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  } catch (error) {
    const { error: code, message } = /** @type {{ error?: string, message: string }} */ (error);
    response.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ error: code ?? message }));
  }
});
server.listen(Number(RP_PORT), 'localhost', () => console.log(`ready at ${origin}`));
