import type { Whose } from '../../features/tokens/revoke-all.ts';
import { TOKEN_KINDS, TOKEN_STATES, type TokenKind } from '../../features/tokens/schema.ts';
import type { TokenFilter } from '../../features/tokens/service.ts';
import type { TokenView } from '../../features/tokens/store.ts';
import type { Command, Input, OptionSpec } from '../command.ts';
import { author, table } from './shared-options.ts';

const DEFAULT_LIMIT = 100;
const MOST = 10_000;

const owner = {
  client: { type: 'text', value: 'ID', help: 'Client id of an application or a service.' },
  user: { type: 'text', value: 'E', help: 'E-mail address or id of a person.' },
  audience: { type: 'text', value: 'URI', help: 'Audience of an API.' },
} as const satisfies Record<string, OptionSpec>;

export const tokenCommands: readonly Command[] = [
  {
    noun: 'token',
    verb: 'list',
    summary: 'Tokens that were issued, newest first. Their values are kept nowhere.',
    options: {
      ...owner,
      'service-account': { type: 'text', value: 'ID', help: 'Id, client id or name of a service account.' },
      kind: { type: 'text', oneOf: TOKEN_KINDS, help: 'Only tokens of this kind.' },
      state: { type: 'text', oneOf: TOKEN_STATES, help: 'Only tokens in this state.' },
      limit: { type: 'text', value: 'N', help: `At most so many; ${DEFAULT_LIMIT} when left out.` },
    },
    check: (input) =>
      limitOf(input) === undefined ? `--limit must be a whole number from 1 to ${MOST.toLocaleString('en')}` : null,
    async run({ input, services }) {
      const { tokens } = await services();
      const limit = limitOf(input) ?? DEFAULT_LIMIT;
      const filter = filterOf(input);
      const found: TokenView[] = [];
      let after: string | undefined;
      do {
        const page = await tokens.list({ ...filter, after });
        found.push(...page.items);
        after = page.next;
      } while (after !== undefined && found.length < limit);
      const shown = found.slice(0, limit);
      return {
        json: { tokens: shown.map(asJson) },
        text:
          shown.length === 0
            ? ['No token matches.']
            : table([
                ['ISSUED', 'KIND', 'STATE', 'ISSUED TO', 'AUDIENCE', 'SCOPE', 'ID'],
                ...shown.map((token) => [
                  token.createdAt.toISOString(),
                  token.kind,
                  token.state,
                  token.user?.email ?? token.serviceAccount?.name ?? token.client?.id ?? '-',
                  token.audience ?? '-',
                  token.scopes.join(' ') || '-',
                  token.jti,
                ]),
              ]),
      };
    },
  },
  {
    noun: 'token',
    verb: 'revoke',
    summary: 'End all tokens of a client or a person, with their refresh tokens, or all access tokens for an API.',
    options: owner,
    check: (input) => (whoseOf(input) ? null : 'give one of --client, --user and --audience'),
    async run({ input, services, surroundings }) {
      const { tokens } = await services();
      const whose = whoseOf(input);
      if (!whose) throw new Error('the options were not checked');
      const revoked = await tokens.revokeAll(whose, author(surroundings));
      const { type, id, name } = revoked.owner;
      return {
        json: { [type === 'api' ? 'audience' : type]: id, tokens: revoked.tokens },
        text: [`${revoked.tokens} token(s) ${type === 'api' ? 'for' : 'of'} ${name} revoked`],
      };
    },
  },
];

function limitOf(input: Input): number | undefined {
  const given = input.optional('limit');
  if (given === undefined) return DEFAULT_LIMIT;
  const limit = /^\d{1,6}$/.test(given) ? Number(given) : 0;
  return limit >= 1 && limit <= MOST ? limit : undefined;
}

function filterOf(input: Input): TokenFilter {
  return {
    clientId: input.optional('client'),
    user: input.optional('user'),
    audience: input.optional('audience'),
    serviceAccount: input.optional('service-account'),
    kind: TOKEN_KINDS.find((kind: TokenKind) => kind === input.optional('kind')),
    state: TOKEN_STATES.find((state) => state === input.optional('state')),
  };
}

function whoseOf(input: Input): Whose | undefined {
  const [client, user, audience] = [input.optional('client'), input.optional('user'), input.optional('audience')];
  if ([client, user, audience].filter((value) => value !== undefined).length !== 1) return undefined;
  if (client !== undefined) return { client };
  return user !== undefined ? { user } : { audience: audience ?? '' };
}

function asJson(token: TokenView) {
  return {
    jti: token.jti,
    kind: token.kind,
    format: token.format,
    state: token.state,
    user: token.user?.email ?? null,
    service_account: token.serviceAccount?.name ?? null,
    client_id: token.client?.id ?? null,
    scopes: token.scopes,
    audience: token.audience ?? null,
    created_at: token.createdAt.toISOString(),
    expires_at: token.expiresAt.toISOString(),
    revoked_at: token.revokedAt?.toISOString() ?? null,
  };
}
