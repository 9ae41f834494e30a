import type { Middleware, ParameterizedContext } from 'koa';
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { AppError } from '../kernel/errors.ts';
import type { Actor, Audit, AuditEvent } from '../platform/audit/audit.ts';
import type { Log } from '../platform/observe/log.ts';
import { send, unavailable } from '../platform/web/plain-answer.ts';
import type { PosternAccount } from './claims.ts';
import { factsOf } from './client-facts.ts';
import type { ClientFacts } from './client-source.ts';
import { type ExchangeNote, exchangeOf } from './exchange-note.ts';
import { TOKEN_EXCHANGE } from './grant-types/exchange-request.ts';
import { requestOf } from './request-of.ts';
import { openWrites, takeEnd, takeWrites } from './request-writes.ts';
import { CIBA } from './requests/backchannel-grant.ts';
import type { TokenRow } from './token-row.ts';

interface Failure {
  error?: string;
  error_detail?: string;
  message: string;
}

const BACKCHANNEL = 'backchannel_authentication';

const FAILURES = [
  'authorization.error',
  'grant.error',
  'introspection.error',
  'revocation.error',
  'pushed_authorization_request.error',
  'backchannel_authentication.error',
  'userinfo.error',
  'end_session.error',
  'end_session_confirm.error',
  'end_session_success.error',
  'discovery.error',
  'jwks.error',
  'registration_create.error',
  'registration_read.error',
  'registration_update.error',
  'registration_delete.error',
  'server_error',
];

/** Route of the library → the noun.verb of its success and of its refusal; null: not an event of its own. */
const ACTIONS: Record<string, { success: string | null; refusal: string }> = {
  token: { success: 'token.issue', refusal: 'token.refuse' },
  authorization: { success: 'authorization.grant', refusal: 'authorization.refuse' },
  resume: { success: 'authorization.grant', refusal: 'authorization.refuse' },
  pushed_authorization_request: { success: 'authorization.push', refusal: 'authorization.refuse' },
  backchannel_authentication: { success: 'approval.request', refusal: 'approval.refuse' },
  introspection: { success: null, refusal: 'token.introspect' },
  revocation: { success: 'token.revoke', refusal: 'token.revoke' },
  userinfo: { success: null, refusal: 'userinfo.refuse' },
  end_session: { success: null, refusal: 'session.sign_out' },
  end_session_confirm: { success: 'session.sign_out', refusal: 'session.sign_out' },
  // What was registered, changed or removed is told by whoever did it, in the same transaction.
  registration: { success: null, refusal: 'client.register' },
  client: { success: null, refusal: 'client.registration_read' },
  client_update: { success: null, refusal: 'client.registration_update' },
  client_delete: { success: null, refusal: 'client.registration_delete' },
};

/** Where people stand in their browsers: what went wrong is shown to them as a page, not sent to a program. */
const SEEN_BY_PEOPLE = new Set([
  'authorization',
  'resume',
  'end_session',
  'end_session_confirm',
  'end_session_success',
]);

/** Only known names become a label of a metric: a caller could send any number of others. */
const GRANT_TYPES = new Set(['authorization_code', 'refresh_token', 'client_credentials', TOKEN_EXCHANGE, CIBA]);

function actorOf(ctx: KoaContextWithOIDC, failed: boolean): Actor {
  const { client, session, entities, route } = ctx.oidc;
  const account = entities.Account as PosternAccount | undefined;
  // Whom a backchannel request is about does not know of it yet.
  if (account && route !== BACKCHANNEL) return { type: 'user', id: account.accountId, name: account.record.email };
  if (session?.accountId) return { type: 'user', id: session.accountId };
  // A client that did not authenticate is only somebody who gave its name: that stands in client_id.
  if (!client || failed) return { type: 'anonymous' };
  return clientActor(client.clientId, client.clientName, factsOf(client));
}

/** A client that proved itself, and acts for itself. */
export function clientActor(id: string, name: string | undefined, { serviceAccount }: ClientFacts): Actor {
  if (serviceAccount) return { type: 'service_account', ...serviceAccount };
  return { type: 'client', id, ...(name ? { name } : {}) };
}

/** For whom, by whom and from which token a service acts (RFC 8693). */
function exchangeData(exchange: ExchangeNote | undefined): Record<string, unknown> {
  if (!exchange) return {};
  const { subject, act, parentJti: parent } = exchange;
  return { subject: { type: subject.type, id: subject.id, name: subject.name }, act, parent };
}

function successData(ctx: KoaContextWithOIDC, rows: TokenRow[]): Record<string, unknown> {
  const { params } = ctx.oidc;
  const access = rows.find((row) => row.kind !== 'RefreshToken');
  return {
    ...(params?.grant_type ? { grant_type: params.grant_type } : {}),
    ...(access ? { scope: access.scopes.join(' '), audience: access.audience } : {}),
    ...(rows.length > 0 ? { tokens: rows.map(({ kind, jti }) => ({ kind, jti })) } : {}),
    ...exchangeData(exchangeOf(ctx)),
  };
}

function eventOf(ctx: KoaContextWithOIDC, rows: TokenRow[], failure: Failure | undefined): AuditEvent | undefined {
  const { route, client, params } = ctx.oidc;
  const actions = ACTIONS[route ?? ''];
  if (!actions) return undefined;
  const request = requestOf(ctx);
  const named = client?.clientId ?? (typeof params?.client_id === 'string' ? params.client_id : undefined);
  const about = route === BACKCHANNEL ? (ctx.oidc.entities.Account as PosternAccount | undefined)?.record : undefined;
  const common = {
    ...(about ? { target: { type: 'user', id: about.id, name: about.email } } : {}),
    ...(named ? { clientId: named } : {}),
    ...(request ? { request } : {}),
    actor: actorOf(ctx, failure !== undefined),
  };
  if (failure) {
    const reason = failure.error ?? 'server_error';
    const detail = failure.error_detail ?? failure.message;
    const grantType = typeof params?.grant_type === 'string' ? { grant_type: params.grant_type.slice(0, 100) } : {};
    return {
      action: actions.refusal,
      outcome: 'denied',
      reason,
      data: { detail, ...grantType, ...exchangeData(exchangeOf(ctx)) },
      ...common,
    };
  }
  if (!actions.success) return undefined;
  // An authorization request that went on to a page is not decided yet.
  if (actions.success === 'authorization.grant' && !ctx.oidc.entities.AuthorizationCode) return undefined;
  // Only a revocation that met a token of the caller's changed anything.
  const { AccessToken, ClientCredentials, RefreshToken } = ctx.oidc.entities;
  const met = AccessToken ?? ClientCredentials ?? RefreshToken;
  if (route === 'revocation' && met?.clientId !== client?.clientId) return undefined;
  if (route === 'end_session_confirm' && !ctx.oidc.session?.accountId) return undefined;
  return { action: actions.success, outcome: 'success', data: successData(ctx, rows), ...common };
}

export function refuseService(ctx: ParameterizedContext, error: AppError): void {
  send(ctx, unavailable(error));
}

/**
 * Runs around the whole of the library. Before a reply leaves, its event and its token rows are durable in one commit;
 * when they can't be, no token leaves (503).
 */
export function installAuditHook(
  provider: Provider,
  deps: {
    audit: Audit;
    log: Log;
    onToken: (grantType: string, result: 'success' | 'refused') => void;
    onRefreshReuse: () => void;
    /** One that the request went on from, and that no session followed from. */
    endInteraction(id: string): Promise<void>;
  },
): void {
  const { audit, log, onToken, onRefreshReuse } = deps;
  const failures = new WeakMap<object, Failure>();
  for (const name of FAILURES) {
    provider.on(name as 'server_error', (ctx, error) => {
      failures.set(ctx, error as Failure);
    });
  }

  const hook: Middleware = async (ctx, next) => {
    openWrites(ctx);
    await next();
    const rows = takeWrites(ctx);
    const oidc = (ctx as unknown as Partial<KoaContextWithOIDC>).oidc;
    if (!oidc?.route) return;
    const failure = failures.get(ctx);
    if (failure instanceof AppError && (failure.status === 503 || failure.status === 429)) {
      if (SEEN_BY_PEOPLE.has(oidc.route)) throw failure;
      log.warn({ err: failure, code: failure.code }, 'a request was refused because a part is unavailable');
      refuseService(ctx, failure);
      return;
    }
    // RFC 9449 section 8: the first half of an exchange, and none is denied. A client that renews its token every few
    // minutes meets it each time, and anybody can.
    if (failure?.error === 'use_dpop_nonce') return;
    // The person has not decided yet, or is asked about too often: each request is polled every few seconds.
    if (failure?.error === 'authorization_pending' || failure?.error === 'slow_down') return;
    if (failure && !failure.error) log.error({ err: failure, route: oidc.route }, 'the protocol failed');
    if (oidc.route === 'token') {
      const grantType = String(oidc.params?.grant_type);
      onToken(GRANT_TYPES.has(grantType) ? grantType : 'other', failure ? 'refused' : 'success');
      if (failure?.error_detail === 'refresh token already used') onRefreshReuse();
    }
    const event = eventOf(ctx as unknown as KoaContextWithOIDC, rows, failure);
    try {
      // Also where nothing is decided: a request that begins anew does so in an interaction of its own.
      const interaction = takeEnd(ctx);
      if (interaction !== undefined) await deps.endInteraction(interaction);
      if (event) await audit.commit([event], failure ? [] : rows);
    } catch (error) {
      log.error({ err: error }, 'an audit event could not be written: nothing is answered without it');
      ctx.remove('Location');
      const refused = error instanceof AppError ? error : new AppError('audit.unavailable', { status: 503 });
      if (SEEN_BY_PEOPLE.has(oidc.route)) throw refused;
      refuseService(ctx, refused);
    }
  };
  provider.use(hook);
}
