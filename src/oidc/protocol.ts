import type { JSONWebKeySet } from 'jose';
import type Koa from 'koa';
import compose from 'koa-compose';
import type { Adapter, KoaContextWithOIDC } from 'oidc-provider';
import { type Clock, epochSeconds } from '../kernel/clock.ts';
import { AppError } from '../kernel/errors.ts';
import type { Audit } from '../platform/audit/audit.ts';
import type { Config } from '../platform/config/schema.ts';
import type { Database } from '../platform/db/database.ts';
import { DETAIL_TYPES_CHANGED } from '../platform/db/notify.ts';
import type { Log } from '../platform/observe/log.ts';
import type { Outgoing } from '../platform/outgoing/outgoing.ts';
import type { PlainEndpoints } from '../platform/web/front.ts';
import { holdBody } from '../platform/web/held-body.ts';
import { createAccessTokenSigners } from './access-token-signer.ts';
import { createAccessTokenVerifier } from './access-token-verifier.ts';
import { createAccountSource } from './account-source.ts';
import { installAuditHook } from './audit-hook.ts';
import { createMutualTls } from './client-auth/certificates.ts';
import type { KeySource } from './client-auth/keys-by-uri.ts';
import { createLastUse, recordKeyUse } from './client-auth/last-use.ts';
import { type ClientRecord, type ClientSource, createClientSource } from './client-source.ts';
import { isCrossSite } from './cross-site.ts';
import { createPlainEndpoints } from './direct/plain-endpoints.ts';
import type { KeyFetcher } from './grant-types/issuer-keys.ts';
import { announceJwtBearer } from './grant-types/jwt-bearer.ts';
import { registerTokenExchange } from './grant-types/token-exchange.ts';
import { createWorkloadGrant } from './grant-types/workload-grant.ts';
import { createInteractionReads } from './interaction-reads.ts';
import { createInteractions, type InteractionPort } from './interactions.ts';
import { override } from './internals.ts';
import { createReadyAnswers } from './ready-answers.ts';
import { createRegistrationEndpoints, type RegistrationDeps } from './registration/endpoints.ts';
import { replay } from './request-body.ts';
import type { BackchannelNeeds } from './requests/backchannel.ts';
import { type ApprovalPort, createApprovals } from './requests/backchannel-approvals.ts';
import { KIND as BACKCHANNEL, createBackchannelStore } from './requests/backchannel-store.ts';
import { readDetailTypes } from './requests/detail-types.ts';
import { correctMetadata } from './requests/listed-metadata.ts';
import { createPostedAuthorization } from './requests/posted-authorization.ts';
import { createPushedRequestStore } from './requests/pushed-requests.ts';
import { SwitchedProvider } from './requests/response-modes.ts';
import { leaveSchemeToDecide } from './sender/dpop.ts';
import { createServiceTokens } from './service-token.ts';
import { createSessionStore } from './session-store.ts';
import { INTERACTION_SECONDS, METHODS, PATHS, type ProviderPages, RESUME, settings } from './settings.ts';
import { followKeys } from './signing/follow-keys.ts';
import { publicOnly } from './signing/public-keys.ts';
import { recordJwts } from './signing/record-jwt.ts';
import { KEY_SET_SECONDS, rotateBy, type SigningKeys } from './signing-keys.ts';
import { createStructuredTokens } from './structured-tokens.ts';
import { createTokenReads } from './token-reads.ts';
import { createTokenRevocations } from './token-revocations.ts';
import { claimJti, createTokenStore } from './token-store.ts';

export interface Protocol {
  /** Serves /oauth2/… and /.well-known/…; calls the next middleware for every other path. */
  middleware: Koa.Middleware;
  /** What of it needs none of the layers around the middleware. */
  plain: PlainEndpoints;
  interactions: InteractionPort;
  clients: ClientSource;
  /** What waits for a person on another device (CIBA). */
  approvals: ApprovalPort;
  /** The provider's session that this request's cookie names, if it is alive. */
  sessionOf(ctx: Koa.Context): Promise<{ uid: string; accountId: string; acr: string; authTime: Date } | undefined>;
  close(): Promise<void>;
}

/** Seconds. */
const KEPT_BY_OTHERS = {
  [PATHS.jwks]: KEY_SET_SECONDS,
  '/.well-known/openid-configuration': 300,
  '/.well-known/oauth-authorization-server': 300,
};

const SIGN_OUT_CONFIRMED = `${PATHS.end_session}/confirm`;

export interface ProtocolDeps {
  config: Config;
  db: Database;
  audit: Audit;
  clock: Clock;
  log: Log;
  keys: SigningKeys;
  cookieKeys: string[];
  dpopNonceKey: Buffer;
  builtInClients: ClientRecord[];
  pages: ProviderPages;
  /** Counts requests at the token endpoint by client_id. */
  clientLimit: { take(key: string): Promise<void> };
  onToken: (grantType: string, result: 'success' | 'refused') => void;
  onRefreshReuse: () => void;
  /** Fetches what others publish, such as the keys of workloads' issuers. */
  outgoing: KeyFetcher & Pick<Outgoing, 'fetch'>;
  /** Who is asked on another device, and how they are told (CIBA). */
  backchannel: BackchannelNeeds;
  /** Keys that clients publish. */
  clientKeys: KeySource;
  /** Undefined: nothing registers itself (RFC 7591). */
  registration: RegistrationDeps | undefined;
  /** Told which keys sign, and until when each should, whenever that changes. */
  onKeys: (keys: { kid: string; rotateBy: Date }[]) => void;
}

/**
 * The protocol: one library instance, its storage, and what runs around it. When signing keys change the instance is
 * built anew and swapped; requests and sign-ins under way end in the one that they began in or in the new one alike,
 * because all state is in the database.
 */
export async function createProtocol(deps: ProtocolDeps): Promise<Protocol> {
  const { config, db, audit, clock, log, keys } = deps;
  const clients = await createClientSource({ db, clock, builtIn: deps.builtInClients });
  const accounts = createAccountSource(db);
  const sessions = createSessionStore({ db, clock });
  const reads = createTokenReads({ db, clock });
  const tokens = createTokenStore({ db, audit, reads });
  const pushedRequests = createPushedRequestStore(tokens('PushedAuthorizationRequest'), {
    keepSeconds: INTERACTION_SECONDS,
    claimJti: (clientId, jti, exp) =>
      claimJti(db, `request|${clientId}|${jti}`, clientId, new Date(exp * 1000), clock.now()),
  });

  const backchannelRequests = createBackchannelStore(tokens(BACKCHANNEL), { db, clock });
  const lastUse = createLastUse({ db, clock, log });
  const mutualTls = createMutualTls({
    header: config.clientCertificateHeader,
    authorities: config.clientAuthorities,
    origin: config.mtlsIssuerUrl,
    now: () => clock.now(),
    onUnreadable: (reason) => log.warn({ reason }, 'the certificate header of a trusted proxy was ignored'),
  });

  const seconds = () => epochSeconds(clock);
  const registration = deps.registration && createRegistrationEndpoints(PATHS.registration, seconds, deps.registration);

  function adapter(kind: string): Adapter {
    const registered = registration?.adapter(kind);
    if (registered) return registered;
    if (kind === 'PushedAuthorizationRequest') return pushedRequests;
    if (kind === BACKCHANNEL) return backchannelRequests;
    return kind === 'Session' ? sessions.adapter : tokens(kind);
  }

  async function build() {
    const jwks = await keys.jwks();
    const detailTypes = await readDetailTypes(db);
    const signers = createAccessTokenSigners(jwks.keys);
    const signing = (await keys.list()).filter((key) => key.status === 'active');
    deps.onKeys(
      signing.map(({ kid, activatedAt, createdAt }) => ({ kid, rotateBy: rotateBy(activatedAt ?? createdAt) })),
    );
    const provider = new SwitchedProvider(
      config.issuer,
      settings({
        config,
        jwks,
        cookieKeys: deps.cookieKeys,
        dpopNonceKey: deps.dpopNonceKey,
        adapter,
        accounts,
        pages: deps.pages,
        mutualTls,
        registration,
        detailTypes,
        backchannel: deps.backchannel,
        fetch: (url, options) => deps.outgoing.fetch(url, options),
        now: () => clock.now(),
        recordJwt: recordJwts(signers),
      }),
    );
    override(provider, {
      db,
      clock,
      clients,
      sessions,
      clientLimit: deps.clientLimit,
      lastUse,
      keySource: deps.clientKeys,
      mutualTls: mutualTls.enabled,
    });
    provider.proxy = true;
    announceJwtBearer(provider);
    const published: JSONWebKeySet = { keys: jwks.keys.map(publicOnly) as JSONWebKeySet['keys'] };
    const verify = createAccessTokenVerifier({
      issuer: config.issuer,
      publicKeys: published,
      now: () => clock.now(),
    });
    registerTokenExchange(provider, { issuer: config.issuer, db, clock, clients, verify });
    const ready = createReadyAnswers(KEPT_BY_OTHERS);
    provider.use(ready.middleware);
    provider.use(correctMetadata);
    provider.use(createStructuredTokens({ verify, paths: [PATHS.introspection, PATHS.revocation] }));
    provider.use(recordKeyUse(lastUse));
    installAuditHook(provider, { ...deps, endInteraction: sessions.endInteraction });
    return { provider, ready, verify, detailTypes, run: compose(provider.middleware), signers };
  }

  const instance = await followKeys({ db, log, also: [DETAIL_TYPES_CHANGED], build });
  const { current } = instance;

  const serviceTokens = createServiceTokens({
    issuer: config.issuer,
    clock,
    audit,
    // The key of an API's new algorithm may have been made a moment ago, by another process.
    signer: (alg) => current().signers.get(alg) ?? instance.renew().then(() => current().signers.get(alg)),
    clientLimit: deps.clientLimit,
    lastUse,
    onToken: deps.onToken,
  });
  const workloads = await createWorkloadGrant({
    issuer: config.issuer,
    db,
    clock,
    log,
    audit,
    clients,
    serviceTokens,
    outgoing: deps.outgoing,
    onToken: deps.onToken,
    onTrustUsed: lastUse.trust,
  });
  const asked = {
    provider: () => current().provider,
    clients,
    accounts,
    detailTypes: () => current().detailTypes,
  };
  const posted = createPostedAuthorization(PATHS.authorization);
  const mtlsHost = config.mtlsIssuerUrl;
  const middleware: Koa.Middleware = async (ctx, next) => {
    if (!ctx.path.startsWith('/oauth2/') && !ctx.path.startsWith('/.well-known/')) return next();
    // Exact paths only: the library's router would take other letter cases and a slash at the end too, and what stands
    // in front of it here goes by the path.
    const registers = registration?.methods(ctx.path);
    const methods = METHODS[ctx.path] ?? (RESUME.test(ctx.path) ? ['GET'] : registers);
    if (!methods) return next();
    if (!methods.includes(ctx.method === 'HEAD' ? 'GET' : ctx.method)) {
      ctx.set('Allow', methods.join(', '));
      throw new AppError('method_not_allowed', { status: 405 });
    }
    // The library stores what it is asked for as JSON, and PostgreSQL's can't hold NUL.
    if (/%00/.test(ctx.querystring)) throw new AppError('malformed_input', { status: 400, detail: 'NUL' });
    // Leaving is a form like any other: it is taken from our own page only.
    if (ctx.path === SIGN_OUT_CONFIRMED && isCrossSite(ctx, config.issuer)) throw new AppError('csrf', { status: 403 });
    if (ctx.method === 'POST' && ctx.path === PATHS.authorization) return posted(ctx, next);
    const body = ctx.method === 'POST' || ctx.method === 'PUT' ? await holdBody(ctx) : undefined;
    if (body !== undefined) replay(ctx, body);
    // A token comes in the header alone: forms (RFC 6750 section 2.2) end up where headers do not. No body is read here.
    if (ctx.path === PATHS.userinfo) {
      delete ctx.req.headers['content-type'];
      leaveSchemeToDecide(ctx);
    }
    // The library builds its URLs from the request; ours come from the configured addresses alone.
    const { protocol, host } = ctx.get('x-forwarded-host') === mtlsHost?.host ? mtlsHost : config.issuerUrl;
    Object.defineProperties(ctx.request, {
      protocol: { value: protocol.slice(0, -1), configurable: true },
      host: { value: host, configurable: true },
    });
    ctx.cookies.secure = config.secure;
    const library = () => current().run(ctx as unknown as KoaContextWithOIDC, next);
    await instance.settled();
    if (registration && registers) return registration.middleware(ctx, library, body);
    await workloads.middleware(ctx, library);
  };

  const plain = createPlainEndpoints({
    issuer: config.issuer,
    clock,
    clients,
    reads,
    revocations: createTokenRevocations({ db, clock, audit }),
    serviceTokens,
    verifier: () => current().verify,
    lastUse,
    onToken: deps.onToken,
    documents: { answer: (request) => current().ready.answer(request), paths: Object.keys(KEPT_BY_OTHERS) },
  });

  return {
    middleware,
    plain,
    clients,
    interactions: createInteractions({ ...asked, reads: createInteractionReads(db) }),
    approvals: createApprovals({ ...asked, db, clock }),
    async sessionOf(ctx) {
      const session = await current().provider.Session.get(ctx as unknown as KoaContextWithOIDC);
      const { uid, accountId, acr, loginTs } = session;
      if (!accountId || loginTs === undefined) return undefined;
      return { uid, accountId, acr: acr ?? '', authTime: new Date(loginTs * 1000) };
    },
    async close() {
      await instance.close();
      await clients.close();
      await workloads.close();
      await lastUse.close();
    },
  };
}
