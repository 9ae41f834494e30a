import type Provider from 'oidc-provider';
import type { AdapterPayload } from 'oidc-provider';
import { AppError } from '../kernel/errors.ts';
import type { Ctx } from '../platform/web/context.ts';
import type { AccountSource } from './account-source.ts';
import { CLAIMS } from './claims.ts';
import type { ClientSource } from './client-source.ts';
import type { Beside, InteractionReads } from './interaction-reads.ts';
import { type Detail, type DetailInWords, type DetailTypeMap, inWords, parseDetails } from './requests/detail-types.ts';
import type { TokenRow } from './token-row.ts';
import { interactionRow } from './token-store.ts';

export interface AskedPermissions {
  audience: string;
  apiName: string;
  permissions: { name: string; description: string }[];
}

/** One authorization request that waits for its person. */
export interface Interaction {
  uid: string;
  prompt: 'login' | 'consent';
  reasons: string[];
  client: { id: string; name: string; firstParty: boolean; type: string };
  /** The person of the browser's session, where there is one. */
  accountId: string | undefined;
  /** The session behind accountId, kept when the person's others are ended. */
  sessionUid: string | undefined;
  loginHint: string | undefined;
  missingScopes: string[];
  missingPermissions: AskedPermissions[];
  /** Authorization details (RFC 9396): as they are read, and as they were sent. */
  details: DetailInWords[];
  rawDetails: Detail[];
  redirectHost: string;
  expiresAt: Date;
}

interface Login {
  accountId: string;
  amr: string[];
  acr: string;
  at: Date;
}

export interface InteractionPort {
  /** Throws AppError `interaction.expired` (410) where this browser has no such interaction. */
  current(ctx: Ctx): Promise<Interaction>;
  /** The same, with a row of the caller's (as JSON) that is read in the same statement; null where there is none. */
  currentWith(ctx: Ctx, beside: Beside): Promise<{ interaction: Interaction; beside: unknown }>;
  /** What `saveLogin` writes: who signed in, and how. */
  loginRow(interaction: Interaction, login: Login): Promise<TokenRow>;
  /** Answers with a redirect back into the authorization request. */
  goOn(ctx: Ctx): Promise<void>;
  /** The person allowed what was asked for, and that is remembered. */
  finishConsent(ctx: Ctx, interaction: Interaction): Promise<void>;
  abort(ctx: Ctx, interaction: Interaction, error: 'access_denied'): Promise<void>;
}

/** As the library's models make what they give to the adapter. */
interface Storable {
  getValueAndPayload(): Promise<{ payload: AdapterPayload }>;
}

/**
 * Saves who signed in, as a part of the statement that ends the sign-in: reads a loginRow as JSON from `row`, and runs
 * where `condition` holds.
 */
export const saveLogin = (row: string, condition: string): string =>
  `UPDATE token t SET payload = r.payload, user_id = r.user_id
    FROM json_populate_record(NULL::token, ${row}::json) r
    WHERE t.id_hash = r.id_hash AND t.revoked_at IS NULL AND ${condition}`;

const KNOWN_SCOPES = new Set([...Object.keys(CLAIMS), 'offline_access']);

/** Where the answer goes to, for people. Behind a scheme of an application's own, what looks like a host is none. */
function placeOf(redirectUri: string): string {
  return /^https?:/i.test(redirectUri) ? (URL.parse(redirectUri)?.host ?? redirectUri) : redirectUri;
}

export function createInteractions(deps: {
  provider: () => Provider;
  clients: ClientSource;
  accounts: AccountSource;
  detailTypes: () => DetailTypeMap;
  reads: InteractionReads;
}): InteractionPort {
  const { provider, clients, accounts, detailTypes, reads } = deps;

  type Details = Awaited<ReturnType<Provider['interactionDetails']>>;
  const stored = new WeakMap<Interaction, Details>();
  /** Read once in each request. */
  const known = new WeakMap<Ctx, Details>();

  async function details(ctx: Ctx): Promise<Details> {
    const before = known.get(ctx);
    if (before) return before;
    try {
      const found = await provider().interactionDetails(ctx.req, ctx.res);
      known.set(ctx, found);
      return found;
    } catch (error) {
      if (error instanceof Error && error.name === 'SessionNotFound') {
        throw new AppError('interaction.expired', { status: 410 });
      }
      throw error;
    }
  }

  /** As Provider.interactionResult does, which would read the interaction once more. */
  async function finish(ctx: Ctx, result: NonNullable<Details['result']>): Promise<void> {
    const interaction = await details(ctx);
    interaction.result = 'error' in result ? result : { ...interaction.lastSubmission, ...result };
    await interaction.save(interaction.exp - Math.floor(Date.now() / 1000));
    redirect(ctx, interaction);
  }

  function redirect(ctx: Ctx, interaction: Details): void {
    ctx.status = 303;
    ctx.redirect(interaction.returnTo);
    // Koa's redirect sets 302 unless a redirect status stands already.
    ctx.status = 303;
  }

  const uidInPath = (ctx: Ctx): string => /^\/interaction\/([^/]+)/.exec(ctx.path)?.[1] ?? '';

  const port: InteractionPort = {
    async current(ctx) {
      const found = await details(ctx);
      if (uidInPath(ctx) !== found.uid) throw new AppError('interaction.expired', { status: 410 });
      const { params, prompt, session } = found;
      const client = await clients.find(String(params.client_id));
      // A client that was disabled while its person was signing in.
      if (!client) throw new AppError('interaction.expired', { status: 410 });

      const scopes = String(params.scope ?? '').split(' ');
      const resources = [params.resource ?? []].flat().map(String);
      const rawDetails = parseDetails(params.authorization_details);
      const account = session?.accountId
        ? await accounts.find(session.accountId, client.metadata.client_id)
        : undefined;
      const missingPermissions = resources.flatMap((audience) => {
        const asked = client.facts.permissions.filter(
          (permission) =>
            permission.audience === audience &&
            scopes.includes(permission.name) &&
            (account?.permissions.includes(`${audience}#${permission.name}`) ?? false),
        );
        const [first] = asked;
        return first ? [{ audience, apiName: first.apiName, permissions: asked }] : [];
      });
      const interaction: Interaction = {
        uid: found.uid,
        prompt: prompt.name === 'consent' ? 'consent' : 'login',
        reasons: prompt.reasons,
        client: {
          id: client.metadata.client_id,
          name: client.metadata.client_name ?? client.metadata.client_id,
          firstParty: client.facts.firstParty,
          type: client.facts.type,
        },
        accountId: session?.accountId,
        sessionUid: session?.uid,
        loginHint: typeof params.login_hint === 'string' ? params.login_hint : undefined,
        missingScopes: scopes.filter((scope) => KNOWN_SCOPES.has(scope)),
        missingPermissions,
        details: inWords(detailTypes(), rawDetails),
        rawDetails,
        redirectHost: placeOf(String(params.redirect_uri)),
        expiresAt: new Date(found.exp * 1000),
      };
      stored.set(interaction, found);
      return interaction;
    },

    async currentWith(ctx, beside) {
      const { result, beside: row } = await reads.beside(beside, uidInPath(ctx), () => port.current(ctx));
      return { interaction: result, beside: row };
    },

    async loginRow(shown, { accountId, amr, acr, at }) {
      const interaction = stored.get(shown);
      if (!interaction) throw new Error('an interaction that was not read here');
      const login = { accountId, amr, acr, ts: Math.floor(at.getTime() / 1000), remember: true };
      interaction.result = { ...interaction.lastSubmission, login };
      const { payload } = await (interaction as unknown as Storable).getValueAndPayload();
      return interactionRow(interaction.uid, payload);
    },

    goOn: async (ctx) => redirect(ctx, await details(ctx)),

    async finishConsent(ctx) {
      await finish(ctx, { consent: {} });
    },

    async abort(ctx, _interaction, error) {
      await finish(ctx, { error, error_description: 'the person declined' });
    },
  };
  return port;
}
