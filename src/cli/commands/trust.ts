import type { TrustInput } from '../../features/workload-trusts/schema.ts';
import type { TrustRow } from '../../features/workload-trusts/store.ts';
import { TRUST_PRESETS } from '../../kernel/workload-trust.ts';
import type { Command, Input, Outcome } from '../command.ts';
import type { Services } from '../services.ts';
import { author, oneOf, table } from './shared-options.ts';

/** Options that only one preset knows, with those that it can't do without. */
const OF_PRESET: Record<string, { needs: string[]; knows: string[] }> = {
  kubernetes: { needs: ['issuer', 'namespace'], knows: ['account'] },
  github_actions: {
    needs: ['repository-id', 'repository-owner-id'],
    knows: ['environment', 'ref', 'job-workflow-ref'],
  },
  spiffe: { needs: ['issuer', 'spiffe-id'], knows: [] },
  custom: { needs: ['issuer', 'subject'], knows: [] },
};
const GITHUB_ISSUER = 'https://token.actions.githubusercontent.com';

export const trustCommands: readonly Command[] = [
  {
    noun: 'trust',
    verb: 'create',
    summary: 'Take a workload for a service account, by the token of its own platform.',
    options: {
      'service-account': { type: 'text', required: true, value: 'ID', help: 'The account: id, client id or name.' },
      preset: { type: 'text', required: true, oneOf: TRUST_PRESETS, value: TRUST_PRESETS.join('|'), help: 'Platform.' },
      name: { type: 'text', required: true, value: 'N', help: 'Name of the entry.' },
      issuer: { type: 'text', value: 'URL', help: 'The iss of its tokens. GitHub Actions: its own when left out.' },
      namespace: { type: 'text', value: 'N', help: 'Kubernetes: the namespace.' },
      account: { type: 'text', value: 'N', help: 'Kubernetes: the service account there; --name when left out.' },
      'repository-id': { type: 'text', value: 'DIGITS', help: 'GitHub Actions: the id of the repository.' },
      'repository-owner-id': { type: 'text', value: 'DIGITS', help: 'GitHub Actions: the id of its owner.' },
      environment: { type: 'text', value: 'N', help: 'GitHub Actions: only jobs of this environment.' },
      ref: { type: 'text', value: 'REF', help: 'GitHub Actions: only jobs for this ref.' },
      'job-workflow-ref': { type: 'text', value: 'REF', help: 'GitHub Actions: only jobs of this workflow.' },
      'spiffe-id': { type: 'text', value: 'URI', help: 'SPIFFE: the id of the workload.' },
      subject: { type: 'text', value: 'TEXT', help: 'Another platform: the sub of its tokens.' },
      claim: { type: 'text', many: true, value: 'NAME=TEXT', help: 'A further claim that must equal a text.' },
      'jwks-uri': { type: 'text', value: 'URL', help: 'Its keys, where the issuer does not publish them itself.' },
      jwks: { type: 'text', value: 'FILE', help: 'Its keys, a JWK Set or SPIFFE bundle.' },
      audience: { type: 'text', value: 'TEXT', help: "The aud of its tokens; Postern's issuer when left out." },
      'max-age': { type: 'text', value: 'SECONDS', help: 'Older tokens are refused.' },
      'single-use': { type: 'flag', help: 'Each token counts once.' },
      reusable: { type: 'flag', help: 'Each token counts until it expires.' },
    },
    check: optionProblem,
    async run({ input, services, surroundings }) {
      const file = input.optional('jwks');
      const jwks = file === undefined ? undefined : await surroundings.readFile(file);
      const { trusts } = await services();
      const made = await trusts.create(input.text('service-account'), readTrust(input, jwks), author(surroundings));
      return { json: asJson(made), text: [`Trusted workload ${made.name}: ${made.id}`] };
    },
  },
  {
    noun: 'trust',
    verb: 'list',
    summary: 'Trusted workloads, oldest first.',
    options: {
      'service-account': { type: 'text', value: 'ID', help: 'Only those of one account: id, client id or name.' },
    },
    async run({ input, services }) {
      const found = await (await services()).trusts.list(input.optional('service-account'));
      const rows = found.map((trust) => [trust.name, trust.id, trust.preset, trust.issuer, statusOf(trust)]);
      return {
        json: { trusts: found.map(asJson) },
        text:
          found.length === 0
            ? ['No workload is trusted. Trust one with: postern trust create']
            : table([['NAME', 'ID', 'PLATFORM', 'ISSUER', 'STATUS'], ...rows]),
      };
    },
  },
  change('disable', 'Take no token by this entry any more, from this moment.', 'disabled'),
  change('enable', 'Take tokens by a disabled entry again.', 'enabled'),
  change('delete', 'Remove the entry.', 'deleted'),
];

function change(verb: 'disable' | 'enable' | 'delete', summary: string, done: string): Command {
  return {
    noun: 'trust',
    verb,
    summary,
    subject: { name: 'ID', required: true },
    options: {},
    async run({ input, services, surroundings }): Promise<Outcome> {
      const { trusts }: Pick<Services, 'trusts'> = await services();
      const trust = await trusts[verb](input.subject ?? '', author(surroundings));
      return { json: asJson(trust), text: [`Trusted workload ${trust.name} ${done}`] };
    },
  };
}

function optionProblem(input: Input): string | null {
  const preset = input.text('preset');
  const own = OF_PRESET[preset] ?? { needs: [], knows: [] };
  const missing = own.needs.find((name) => input.optional(name) === undefined);
  if (missing !== undefined) return `--preset ${preset} needs --${missing}`;
  for (const [other, { needs, knows }] of Object.entries(OF_PRESET)) {
    const foreign = [...needs, ...knows].find((name) => name !== 'issuer' && input.optional(name) !== undefined);
    if (other !== preset && foreign !== undefined) return `--${foreign} goes with --preset ${other}`;
  }
  if (input.optional('jwks') !== undefined && input.optional('jwks-uri') !== undefined) {
    return '--jwks and --jwks-uri exclude each other';
  }
  return input.flag('single-use') && input.flag('reusable') ? '--single-use and --reusable exclude each other' : null;
}

function readTrust(input: Input, jwks: string | undefined): TrustInput {
  const preset = oneOf(TRUST_PRESETS, input.text('preset'));
  const name = input.text('name');
  const jwksUri = input.optional('jwks-uri');
  return {
    preset,
    name,
    issuer: input.optional('issuer') ?? GITHUB_ISSUER,
    namespace: input.optional('namespace'),
    account: input.optional('account') ?? (preset === 'kubernetes' ? name : undefined),
    repositoryId: input.optional('repository-id'),
    repositoryOwnerId: input.optional('repository-owner-id'),
    environment: input.optional('environment'),
    ref: input.optional('ref'),
    jobWorkflowRef: input.optional('job-workflow-ref'),
    spiffeId: input.optional('spiffe-id'),
    subject: input.optional('subject'),
    claims: input.list('claim').join('\n'),
    keys: jwks !== undefined ? 'jwks' : jwksUri !== undefined ? 'jwks_uri' : 'discovery',
    jwks,
    jwksUri,
    audience: input.optional('audience'),
    maxAge: input.optional('max-age'),
    singleUse: input.flag('single-use') ? true : input.flag('reusable') ? false : undefined,
  };
}

function asJson(trust: TrustRow) {
  return {
    id: trust.id,
    service_account_id: trust.serviceAccountId,
    name: trust.name,
    preset: trust.preset,
    issuer: trust.issuer,
    audience: trust.audience,
    claims: trust.claims,
    max_age: trust.maxAge,
    single_use: trust.singleUse,
    status: statusOf(trust),
    last_used_at: trust.lastUsedAt?.toISOString() ?? null,
  };
}

function statusOf(trust: TrustRow): 'active' | 'disabled' {
  return trust.disabledAt === null ? 'active' : 'disabled';
}
