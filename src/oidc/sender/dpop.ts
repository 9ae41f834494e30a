import type { ParameterizedContext } from 'koa';
import { type Configuration, errors } from 'oidc-provider';
import { proofProblem } from './dpop-proof.ts';

/**
 * DPoP (RFC 9449): tokens that only the holder of a key can use. `nonceKey`: 32 bytes that every process has.
 *
 * A nonce is always asked for (section 8). It limits a proof's life by our clock, and what was signed in advance is
 * worth nothing. The library asks whether it has to be there before it reads anything of the proof, at each endpoint
 * that takes one: so a proof that can't be any good ends here.
 */
export function dpop(nonceKey: Buffer, seconds: () => number): NonNullable<Configuration['features']>['dPoP'] {
  return {
    enabled: true,
    nonceSecret: nonceKey,
    allowReplay: false,
    requireNonce(ctx) {
      const problem = proofProblem(ctx.get('DPoP'), seconds());
      if (problem !== undefined) throw new errors.InvalidDpopProof(problem);
      return true;
    },
  };
}

/**
 * At userinfo the scheme says how a token is presented (RFC 9449 section 7.1). A proof beside the scheme Bearer has no
 * meaning: without it, a bound token is refused for what it is (section 7.2), and one that is not bound is served.
 */
export function leaveSchemeToDecide(ctx: Pick<ParameterizedContext, 'req'>): void {
  const { headers } = ctx.req;
  if (/^bearer /i.test(headers.authorization ?? '')) delete headers.dpop;
}
