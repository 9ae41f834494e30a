import type { Middleware } from 'koa';
import Provider, { type Adapter, type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { AppError } from '../../kernel/errors.ts';
import { sha256 } from '../../platform/crypto/digest.ts';
import { type ClientSecretMade, generateClientSecret } from '../../platform/crypto/secrets.ts';
import { addressGroup } from '../../platform/limits/address.ts';
import { tooDeep } from '../../platform/web/body.ts';
import type { HeldBody } from '../../platform/web/held-body.ts';
import { refuseService } from '../audit-hook.ts';
import { matchingDigest } from '../internals.ts';
import { replay } from '../request-body.ts';
import { requestOf } from '../request-of.ts';
import type { Managing, Metadata, Refusal, Registering, RegistrationPort } from './port.ts';

export interface RegistrationDeps {
  port: RegistrationPort;
  /** Counts requests by the caller's address, and by the token that it brings. */
  addressLimit: { take(key: string): Promise<void> };
  tokenLimit: { take(key: string): Promise<void> };
}

export interface RegistrationEndpoints {
  /** For the library's settings. */
  features: Pick<NonNullable<Configuration['features']>, 'registration' | 'registrationManagement'>;
  /** Undefined for kinds that are stored elsewhere. */
  adapter(kind: string): Adapter | undefined;
  /** What an address answers to; undefined: it is none of registration. */
  methods(path: string): string[] | undefined;
  /** Runs around the library, on those addresses. */
  middleware(ctx: Parameters<Middleware>[0], library: () => Promise<void>, body: HeldBody | undefined): Promise<void>;
}

/** What one request has come to so far. The library takes a change through its adapters in several steps. */
interface Under {
  /** The metadata that was sent. */
  given: Metadata;
  registering?: Registering;
  managing?: Managing;
  complete?: (made: Parameters<Completing>[0]) => ReturnType<Completing>;
  secret?: ClientSecretMade;
  clientId?: string;
  answer?: Metadata;
}

type Completing = Exclude<ReturnType<Managing['describe']>, Refusal>['complete'];

const POLICY = 'postern';
const CLIENT = /^[\w-]{1,100}$/;
/** RFC 7592 section 2.2: what a request to change must not hold; client_id it must. The library looks at them. */
const OF_MANAGEMENT = [
  'client_id',
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
];

/**
 * Dynamic registration (RFC 7591) and its management (RFC 7592): the library's endpoints over the registry. A change is
 * one transaction, which runs when the last of the library's steps is reached: the registration access token's.
 */
export function createRegistrationEndpoints(
  path: string,
  now: () => number,
  deps: RegistrationDeps,
): RegistrationEndpoints {
  const { port, addressLimit, tokenLimit } = deps;
  const requests = new WeakMap<object, Under>();

  function under(): Under {
    const found = Provider.ctx && requests.get(Provider.ctx);
    if (!found) throw new Error('a client was to be registered outside of a request');
    return found;
  }

  /** In place of the library's own reading of the metadata: holds it against the policy of the token. */
  function apply(ctx: KoaContextWithOIDC, properties: Metadata): void {
    const request = under();
    const { given, registering, managing } = request;
    if (given.client_secret !== undefined) refuseOtherSecret(ctx, given.client_secret);
    const described = (managing ?? registering)?.describe(given);
    if (!described) throw new errors.InvalidToken('no token that registers');
    if ('error' in described) throw refusal(described);
    request.complete = described.complete;
    const kept = ['client_id', 'client_id_issued_at', 'client_secret', 'client_secret_expires_at'];
    for (const name of Object.keys(properties)) if (!kept.includes(name)) delete properties[name];
    Object.assign(properties, described.metadata);
  }

  /** RFC 7592 section 2.2: a secret that is sent has to be the one in use. Nobody chooses one (RFC 7591 section 2). */
  function refuseOtherSecret(ctx: KoaContextWithOIDC, secret: unknown): void {
    const stored = ctx.oidc.route === 'client_update' ? ctx.oidc.client?.clientSecret : undefined;
    const matches = typeof secret === 'string' && matchingDigest(stored, secret, now()) !== undefined;
    if (!matches) throw refusal({ error: 'invalid_client_metadata', description: 'client_secret can not be chosen' });
  }

  const registrationAccessToken: Partial<Adapter> = {
    async find(token) {
      await tokenLimit.take(sha256(token).toString('base64url'));
      const managing = await port.withAccessToken(token);
      if (!managing) return undefined;
      under().managing = managing;
      return { jti: token, kind: 'RegistrationAccessToken', clientId: managing.clientId, policies: [POLICY] };
    },
    async upsert(accessToken) {
      const request = under();
      const { complete, secret, clientId = '' } = request;
      const made = { clientId, accessToken, secret, request: Provider.ctx && requestOf(Provider.ctx) };
      const done = await complete?.(made);
      if (!done) throw new errors.InvalidToken('the token was used up, replaced or revoked meanwhile');
      if (isRefusal(done)) throw refusal(done);
      request.answer = done;
    },
    // One that is replaced goes in the same statement; one that met another client stays with its own.
    async destroy() {},
  };

  const initialAccessToken: Partial<Adapter> = {
    async find(token) {
      await tokenLimit.take(sha256(token).toString('base64url'));
      const registering = await port.withInitialToken(token);
      if (!registering) return undefined;
      under().registering = registering;
      return { jti: token, kind: 'InitialAccessToken', policies: [POLICY] };
    },
  };

  const client: Partial<Adapter> = {
    async upsert(clientId) {
      under().clientId = clientId;
    },
    async destroy() {
      const removed = await under().managing?.remove(Provider.ctx && requestOf(Provider.ctx));
      if (!removed) throw new errors.InvalidToken('the token was replaced meanwhile');
    },
  };

  const adapters: Record<string, Partial<Adapter>> = {
    Client: client,
    InitialAccessToken: initialAccessToken,
    RegistrationAccessToken: registrationAccessToken,
  };

  /** The answer tells what is registered, and a secret only when it was made just now. */
  async function answer(ctx: Parameters<Middleware>[0], request: Under): Promise<void> {
    const library = ctx.body as Metadata | undefined;
    if (ctx.status >= 300 || library?.registration_access_token === undefined) return;
    const metadata = request.answer ?? (await request.managing?.read());
    const { secret } = request;
    const shown = secret && metadata?.token_endpoint_auth_method === 'client_secret_basic';
    ctx.body = {
      ...metadata,
      ...(shown ? { client_secret: secret.secret, client_secret_expires_at: 0 } : {}),
      registration_client_uri: library.registration_client_uri,
      registration_access_token: library.registration_access_token,
    };
  }

  return {
    features: {
      registration: {
        enabled: true,
        initialAccessToken: true,
        issueRegistrationAccessToken: true,
        idFactory: () => port.newClientId(),
        secretFactory() {
          const secret = generateClientSecret();
          under().secret = secret;
          return secret.secret;
        },
        policies: { [POLICY]: (ctx, properties) => apply(ctx, properties as Metadata) },
      },
      registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
    },

    adapter: (kind) => adapters[kind] as Adapter | undefined,

    methods(at) {
      if (at === path) return ['POST'];
      const id = at.startsWith(`${path}/`) ? at.slice(path.length + 1) : '';
      return CLIENT.test(id) ? ['GET', 'PUT', 'DELETE'] : undefined;
    },

    async middleware(ctx, library, body) {
      try {
        await addressLimit.take(addressGroup(requestOf(ctx)?.address ?? ''));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        return refuseService(ctx, error);
      }
      const request: Under = { given: {} };
      requests.set(ctx, request);
      if (body !== undefined) {
        const given = ctx.is('application/json') ? readObject(body) : body;
        if (Buffer.isBuffer(given) || given === 'too_large') replay(ctx, given);
        else {
          request.given = given;
          replay(ctx, Buffer.from(JSON.stringify(forLibrary(given))));
        }
      }
      await library();
      await answer(ctx, request);
    },
  };
}

/** RFC 7592 section 2.2: what is null or empty is as if it were left out. What is no object goes on to be refused. */
function readObject(body: HeldBody): Metadata | HeldBody {
  if (body === 'too_large') return body;
  const text = body.toString('utf8');
  if (tooDeep(text)) return Buffer.from('[]');
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return body;
    return Object.fromEntries(Object.entries(value).filter(([, given]) => given !== null && given !== ''));
  } catch {
    return body;
  }
}

/** As much as the library decides by before the policy is asked; the rest could be of any type. */
function forLibrary(given: Metadata): Metadata {
  const { token_endpoint_auth_method: method, application_type: type } = given;
  const needed = OF_MANAGEMENT.filter((name) => given[name] !== undefined).map((name) => [name, given[name]]);
  const usual = type === 'native' ? 'none' : 'client_secret_basic';
  // One that is no text is refused with the rest of the metadata.
  return { ...Object.fromEntries(needed), token_endpoint_auth_method: typeof method === 'string' ? method : usual };
}

function isRefusal(done: Metadata | Refusal): done is Refusal {
  return typeof done.error === 'string';
}

function refusal({ error, description }: Refusal): Error {
  // RFC 6749 section 5.2: what a description may hold.
  const shown = description.replaceAll(/[^\x20-\x7e]|["\\]/g, '?').slice(0, 500);
  // The detail is what the audit log keeps.
  return Object.assign(new errors.CustomOIDCProviderError(error, shown), { error_detail: shown });
}
