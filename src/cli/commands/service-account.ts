import type { Command, CommandContext, Input, Outcome } from '../command.ts';
import type { ServiceAccountView, Services } from '../services.ts';
import { CERTIFICATE_OPTIONS, certificateProblem, readCertificateOption } from './certificate-options.ts';
import { author, permissionProblem, table } from './shared-options.ts';

const account = { name: 'ID|NAME', required: true } as const;
const AUTH = ['secret', 'private_key_jwt', 'tls'];

export const serviceAccountCommands: readonly Command[] = [
  {
    noun: 'service-account',
    verb: 'create',
    summary: 'Make an account for a service. Its secret, where it has one, is printed once.',
    options: {
      name: { type: 'text', required: true, value: 'N', help: 'Name of the service, unique.' },
      description: { type: 'text', value: 'TEXT', help: 'What the service does.' },
      permission: { type: 'text', many: true, value: 'AUDIENCE#P', help: 'A permission of an API.' },
      owner: { type: 'text', value: 'TEAM', help: 'Name of the team that answers for it.' },
      contact: { type: 'text', value: 'TEXT', help: 'Whom to ask about it: an address, a channel, a page.' },
      auth: { type: 'text', value: AUTH.join('|'), help: 'How it proves itself; secret when left out.' },
      jwks: { type: 'text', value: 'FILE', help: 'Its public keys, a JWK Set, for --auth private_key_jwt.' },
      'jwks-uri': { type: 'text', value: 'URL', help: 'Where it publishes them instead (https).' },
      ...CERTIFICATE_OPTIONS,
    },
    check: (input) => permissionProblem(input.list('permission')) ?? authProblem(input),
    async run({ input, services, surroundings }) {
      const file = input.optional('jwks');
      const jwks = file === undefined ? undefined : await surroundings.readFile(file);
      const jwksUri = input.optional('jwks-uri');
      const certificate = await readCertificateOption(input, surroundings);
      const { serviceAccounts } = await services();
      const made = await serviceAccounts.create(
        {
          name: input.text('name'),
          description: input.optional('description') ?? '',
          permissions: input.list('permission'),
          ...given(input, 'owner', 'contact'),
          ...(jwks !== undefined || jwksUri !== undefined
            ? { auth: 'private_key_jwt', jwks, jwksUri }
            : (certificate ?? { auth: 'secret' })),
        },
        author(surroundings),
      );
      return credentialOutcome(made);
    },
  },
  {
    noun: 'service-account',
    verb: 'rotate-secret',
    summary: 'Make a new secret, printed once.',
    subject: account,
    options: {
      overlap: {
        type: 'text',
        value: 'SECONDS',
        help: 'How long the current one goes on working, up to 604800 (7 days); 0 when left out.',
      },
    },
    check: (input) => (/^\d{1,6}$/.test(input.optional('overlap') ?? '0') ? null : '--overlap must be 0 to 604800'),
    async run({ input, services, surroundings }) {
      const overlap = Number(input.optional('overlap') ?? 0);
      const { serviceAccounts } = await services();
      return credentialOutcome(await serviceAccounts.rotateSecret(input.subject ?? '', overlap, author(surroundings)));
    },
  },
  {
    noun: 'service-account',
    verb: 'list',
    summary: 'All service accounts, newest first.',
    options: {},
    async run({ services }) {
      const found: ServiceAccountView[] = [];
      for await (const view of (await services()).serviceAccounts.list()) found.push(view);
      return {
        json: { service_accounts: found.map(asJson) },
        text:
          found.length === 0
            ? ['There are no service accounts. Make one with: postern service-account create --name NAME']
            : table([
                ['NAME', 'CLIENT ID', 'STATUS', 'MADE'],
                ...found.map((view) => [view.name, view.clientId, statusOf(view), view.createdAt.toISOString()]),
              ]),
      };
    },
  },
  exchange(
    'allow',
    'Let it call an API on behalf of its callers (token exchange).',
    'may now',
    (all, id, audience, by) => all.allowExchange(id, audience, by),
  ),
  exchange('deny', 'Take that back; refused from this moment on.', 'may no longer', (all, id, audience, by) =>
    all.denyExchange(id, audience, by),
  ),
  change('disable', 'No tokens any more, from this moment.', 'disabled', (all, id, by) => all.disable(id, by)),
  change('enable', 'Let a disabled account get tokens again.', 'enabled', (all, id, by) => all.enable(id, by)),
  change('delete', 'Remove the account with its secrets and permissions.', 'deleted', (all, id, by) =>
    all.delete(id, by),
  ),
];

type Accounts = Services['serviceAccounts'];

function change(
  verb: string,
  summary: string,
  done: string,
  work: (accounts: Accounts, id: string, by: ReturnType<typeof author>) => Promise<ServiceAccountView>,
): Command {
  return {
    noun: 'service-account',
    verb,
    summary,
    subject: account,
    options: {},
    run: ({ input, services, surroundings }: Pick<CommandContext, 'services' | 'surroundings'> & { input: Input }) =>
      services().then(async ({ serviceAccounts }): Promise<Outcome> => {
        const view = await work(serviceAccounts, input.subject ?? '', author(surroundings));
        return { json: asJson(view), text: [`Service account ${view.name} ${done}`] };
      }),
  };
}

function exchange(
  verb: string,
  summary: string,
  done: string,
  work: (accounts: Accounts, id: string, audience: string, by: ReturnType<typeof author>) => Promise<boolean>,
): Command {
  return {
    noun: 'service-account',
    verb: `${verb}-exchange`,
    summary,
    subject: account,
    options: { audience: { type: 'text', required: true, value: 'URI', help: 'Audience of the API.' } },
    async run({ input, services, surroundings }) {
      const { serviceAccounts } = await services();
      const audience = input.text('audience');
      const name = input.subject ?? '';
      const changed = await work(serviceAccounts, name, audience, author(surroundings));
      const text = changed ? `${name} ${done} call ${audience} on behalf of its callers` : 'It was so already';
      return { json: { audience, changed }, text: [text] };
    },
  };
}

/** Those of the options that were given, by their names. */
function given<Name extends string>(input: Input, ...names: Name[]): { [name in Name]?: string } {
  const values = names.map((name) => [name, input.optional(name)] as const).filter(([, value]) => value !== undefined);
  return Object.fromEntries(values) as { [name in Name]?: string };
}

function authProblem(input: Input): string | null {
  const auth = input.optional('auth') ?? 'secret';
  const [set, uri] = [input.optional('jwks') !== undefined, input.optional('jwks-uri') !== undefined];
  if (!AUTH.includes(auth)) return `--auth must be one of ${AUTH.join(', ')}`;
  if (auth === 'private_key_jwt' && !set && !uri) return '--auth private_key_jwt needs --jwks FILE or --jwks-uri URL';
  if (set && uri) return 'give --jwks or --jwks-uri, not both';
  if (auth !== 'private_key_jwt' && set) return '--jwks goes with --auth private_key_jwt';
  if (auth !== 'private_key_jwt' && uri) return '--jwks-uri goes with --auth private_key_jwt';
  return certificateProblem(input, auth);
}

function credentialOutcome(made: { id: string; clientId: string; clientSecret?: string }): Outcome {
  const secret = made.clientSecret;
  return {
    json: { id: made.id, client_id: made.clientId, ...(secret === undefined ? {} : { client_secret: secret }) },
    text: [`client_id: ${made.clientId}`, ...(secret === undefined ? [] : [`client_secret: ${secret}`])],
    notes: secret === undefined ? [] : ['Keep the secret now: it is not shown again.'],
  };
}

function asJson(view: ServiceAccountView) {
  return {
    id: view.id,
    client_id: view.clientId,
    name: view.name,
    status: statusOf(view),
    created_at: view.createdAt.toISOString(),
  };
}

function statusOf(view: ServiceAccountView): 'active' | 'disabled' {
  return view.disabledAt === null ? 'active' : 'disabled';
}
