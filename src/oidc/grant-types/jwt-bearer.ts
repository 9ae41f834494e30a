import type { Middleware, ParameterizedContext } from 'koa';
import type Provider from 'oidc-provider';
import { errors } from 'oidc-provider';
import { AppError, unavailable } from '../../kernel/errors.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Database } from '../../platform/db/database.ts';
import { holdBody } from '../../platform/web/held-body.ts';
import { send } from '../../platform/web/plain-answer.ts';
import { refuseService } from '../audit-hook.ts';
import { requestOf } from '../request-of.ts';
import { grantedTo, type ServiceTokens } from '../service-token.ts';
import { PATHS } from '../settings.ts';
import { claimJti } from '../token-store.ts';
import { readBearerRequest } from './bearer-request.ts';
import { type ForeignToken, identityOf, readToken } from './foreign-token.ts';
import { whyNotGranted } from './not-granted.ts';
import { accept, TOLERANCE, type TrustDeps } from './trusted-account.ts';

/** RFC 7523 section 2.1. */
export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

interface Deps extends TrustDeps {
  db: Database;
  audit: Audit;
  serviceTokens: ServiceTokens;
  onToken: (grantType: string, result: 'success' | 'refused') => void;
  /** Told of each entry by which a token was issued. */
  onTrustUsed: (trustId: string) => void;
}

/** What the entry for a refusal is told beside its reason. */
interface Told {
  clientId?: string;
  issuer?: string;
  subject?: string;
}

/**
 * Tokens for workloads that hold no secret of Postern's: a token of their own platform proves who they are, and an entry
 * that an admin made says which service account that is. The library knows nothing of it; it stands in front.
 */
export function createJwtBearer(deps: Deps): Middleware {
  const { audit, serviceTokens, onToken, onTrustUsed } = deps;

  async function answer(ctx: ParameterizedContext, params: URLSearchParams, told: Told): Promise<void> {
    const asked = readBearerRequest(ctx, params);
    if (asked.clientId !== undefined) told.clientId = asked.clientId;
    const token = readToken(asked.assertion);
    if ('problem' in token) throw new errors.InvalidGrant(token.problem);
    const { sub, exp } = token.claims;
    told.issuer = token.issuer;
    if (typeof sub === 'string') told.subject = sub.slice(0, 300);

    const { record, trusts } = await accept(deps, token);
    const { metadata, facts } = record;
    const [trust] = trusts;
    if (asked.clientId !== undefined && asked.clientId !== metadata.client_id) {
      throw new errors.InvalidGrant('client_id is not that of the service account');
    }
    if (facts.settings.dpopBound || facts.settings.certificateBound || facts.settings.fapi) {
      throw new errors.InvalidRequest('this client needs bound tokens, which this grant does not issue');
    }
    const granted = grantedTo(record, asked);
    if (!granted) throw whyNotGranted(record, asked);
    if (trusts.some(({ singleUse }) => singleUse)) await useOnce(deps, token, Number(exp));

    const data = { trust: { id: trust.id, name: trust.name }, issuer: token.issuer, subject: told.subject };
    const found = await serviceTokens.answer(requestOf(ctx), record, granted, JWT_BEARER, data);
    if (!found) throw unavailable('signing_keys.unavailable');
    send(ctx, found);
    if (found.status === 200) for (const { id } of trusts) onTrustUsed(id);
  }

  async function refuse(ctx: ParameterizedContext, error: errors.OIDCProviderError, told: Told): Promise<void> {
    onToken(JWT_BEARER, 'refused');
    const { clientId, issuer, subject } = told;
    const request = requestOf(ctx);
    const detail = (error.error_detail ?? error.error_description ?? error.message).slice(0, 500);
    await audit.commit([
      {
        action: 'token.refuse',
        outcome: 'denied',
        reason: error.error,
        actor: { type: 'anonymous' },
        ...(clientId === undefined ? {} : { clientId }),
        ...(request ? { request } : {}),
        data: { detail, grant_type: JWT_BEARER, ...(issuer ? { issuer } : {}), ...(subject ? { subject } : {}) },
      },
    ]);
    const description = error.error_description ?? 'grant request is invalid';
    ctx.status = error.statusCode;
    ctx.set('Cache-Control', 'no-store');
    ctx.body = { error: error.error, error_description: description };
  }

  return async (ctx, next) => {
    if (ctx.method !== 'POST' || ctx.path !== PATHS.token || !ctx.is('application/x-www-form-urlencoded')) {
      return next();
    }
    const raw = await holdBody(ctx);
    // A body that is too long, and a doubled grant_type, is refused by the library like every other.
    if (raw === 'too_large') return next();
    const params = new URLSearchParams(raw.toString('utf8'));
    const [grantType, ...others] = params.getAll('grant_type');
    if (grantType !== JWT_BEARER || others.length > 0) return next();
    const told: Told = {};
    try {
      try {
        await answer(ctx, params, told);
      } catch (error) {
        if (!(error instanceof errors.OIDCProviderError)) throw error;
        await refuse(ctx, error, told);
      }
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      onToken(JWT_BEARER, 'refused');
      refuseService(ctx, error);
    }
  };
}

/** The grant stands in the metadata (RFC 8414) because the library knows its name; requests for it never get there. */
export function announceJwtBearer(provider: Provider): void {
  const refuse = async () => {
    throw new errors.InvalidRequest('malformed request');
  };
  provider.registerGrantType(JWT_BEARER, refuse, ['assertion', 'scope', 'resource']);
}

/** RFC 7523 section 3, item 7; remembered for as long as it could be taken again. */
async function useOnce({ db, clock }: Deps, token: ForeignToken, exp: number): Promise<void> {
  const until = new Date((Math.ceil(exp) + 2 * TOLERANCE) * 1000);
  const won = await claimJti(db, identityOf(token), token.issuer, until, clock.now());
  if (!won) throw new errors.InvalidGrant('the assertion was used before');
}
