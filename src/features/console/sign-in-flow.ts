import { createHash, timingSafeEqual } from 'node:crypto';
import { randomToken } from '../../kernel/ids.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { returnPath } from '../../platform/web/redirect.ts';
import { setCookie } from './cookies.ts';
import { CALLBACK_PATH, CONSOLE_CLIENT_ID, type Needs } from './needs.ts';

/** How long a person may take to sign in before the way back is forgotten. */
const FLOW_SECONDS = 1800;
/** Sign-ins under way in one browser. */
const MOST_AT_ONCE = 4;
/** Characters of the way back; the pages' own filters stay well below. */
const LONGEST_RETURN = 600;

export interface Flow {
  state: string;
  verifier: string;
  nonce: string;
  returnTo: string;
}

export interface SignInFlow {
  /** The authorization request to send this browser to; what the answer is held against stays in a cookie. */
  begin(ctx: Ctx, returnTo: string, options?: { maxAgeSeconds?: number; prompt?: 'login' }): string;
  /** What was begun for this `state`, once. */
  take(ctx: Ctx, state: string): Flow | undefined;
  redirectUri: string;
}

export function createSignInFlow(needs: Pick<Needs, 'config' | 'acr'>): SignInFlow {
  const { config, acr } = needs;
  const redirectUri = `${config.issuer}${CALLBACK_PATH}`;
  // One cookie for each sign-in under way, so that two tabs do not take each other's answer.
  const prefix = `${config.secure ? '__Host-' : ''}postern_return_`;
  const cookieOf = (state: string): string => `${prefix}${state.slice(0, 8)}`;

  /** Each sign-in that is begun leaves a cookie: without an end to them any page could fill a browser's headers. */
  function forgetOldest(ctx: Ctx): void {
    const begun = (ctx.get('cookie').match(/[^;=\s]+(?==)/g) ?? []).filter((name) => name.startsWith(prefix));
    for (const name of begun.slice(0, Math.max(0, begun.length - MOST_AT_ONCE + 1))) {
      setCookie(ctx, config.secure, name, null);
    }
  }

  return {
    redirectUri,

    begin(ctx, returnTo, { maxAgeSeconds, prompt } = {}) {
      forgetOldest(ctx);
      const short = returnTo.length <= LONGEST_RETURN ? returnTo : '/account';
      const flow: Flow = {
        state: randomToken(16),
        verifier: randomToken(32),
        nonce: randomToken(16),
        returnTo: short,
      };
      const value = Buffer.from(JSON.stringify(flow)).toString('base64url');
      setCookie(ctx, config.secure, cookieOf(flow.state), value, FLOW_SECONDS);
      const request = new URLSearchParams({
        client_id: CONSOLE_CLIENT_ID,
        response_type: 'code',
        redirect_uri: redirectUri,
        scope: 'openid profile email roles',
        state: flow.state,
        nonce: flow.nonce,
        code_challenge: createHash('sha256').update(flow.verifier).digest('base64url'),
        code_challenge_method: 'S256',
        acr_values: acr,
        ...(maxAgeSeconds === undefined ? {} : { max_age: String(maxAgeSeconds) }),
        ...(prompt === undefined ? {} : { prompt }),
      });
      return `/oauth2/authorize?${request}`;
    },

    take(ctx, state) {
      if (!/^[\w-]{22}$/.test(state)) return undefined;
      const name = cookieOf(state);
      const value = ctx.cookies.get(name, { signed: false });
      if (!value) return undefined;
      setCookie(ctx, config.secure, name, null);
      try {
        const flow = JSON.parse(Buffer.from(value, 'base64url').toString('utf8')) as Partial<Flow>;
        if (typeof flow.verifier !== 'string' || typeof flow.nonce !== 'string' || typeof flow.state !== 'string') {
          return undefined;
        }
        const [kept, given] = [Buffer.from(flow.state), Buffer.from(state)];
        if (kept.length !== given.length || !timingSafeEqual(kept, given)) return undefined;
        return { ...flow, returnTo: returnPath(flow.returnTo, '/account') } as Flow;
      } catch {
        return undefined;
      }
    },
  };
}
