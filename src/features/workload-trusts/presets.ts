import type { ClaimRules, TrustPreset } from '../../kernel/workload-trust.ts';

/** The fields by which each preset says which workload is meant. */
export const presetFields = {
  kubernetes: ['namespace', 'account'],
  github_actions: ['repositoryId', 'repositoryOwnerId', 'environment', 'ref', 'jobWorkflowRef'],
  spiffe: ['spiffeId'],
  custom: ['subject'],
} as const satisfies Record<TrustPreset, readonly string[]>;

export const GITHUB_ISSUER = 'https://token.actions.githubusercontent.com';

const GITHUB_CLAIMS = {
  repositoryId: 'repository_id',
  repositoryOwnerId: 'repository_owner_id',
  environment: 'environment',
  ref: 'ref',
  jobWorkflowRef: 'job_workflow_ref',
} as const;

/** RFC 1123 label and subdomain, as Kubernetes names things. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const KUBERNETES_SUBJECT = /^system:serviceaccount:([^:]+):([^:]+)$/;
/** Ids are given once and for all; a name goes to whoever takes it next. */
const GITHUB_ID = /^[1-9]\d{0,15}$/;
/** SPIFFE-ID sections 2.1 and 2.2; a trust domain alone is no workload. */
const SPIFFE_ID = /^(?=.{1,2048}$)spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+$/;

export interface ReadPreset {
  claims: ClaimRules;
  /** Field → code. */
  problems: Record<string, string>;
}

/** The rules that a preset's own fields make. */
export function readPreset(preset: TrustPreset, field: (name: string) => string, issuer: string): ReadPreset {
  const problems: Record<string, string> = {};
  const claims: ClaimRules = {};
  function needs(name: string, pattern: RegExp, code: string): string {
    const value = field(name);
    if (value === '') problems[name] = 'required';
    else if (!pattern.test(value)) problems[name] = `workload_trusts.${code}`;
    return value;
  }
  if (preset === 'kubernetes') {
    const namespace = needs('namespace', LABEL, 'kubernetes_name');
    claims.sub = `system:serviceaccount:${namespace}:${needs('account', SUBDOMAIN, 'kubernetes_name')}`;
  } else if (preset === 'github_actions') {
    claims.repository_id = needs('repositoryId', GITHUB_ID, 'github_id');
    claims.repository_owner_id = needs('repositoryOwnerId', GITHUB_ID, 'github_id');
    for (const name of ['environment', 'ref', 'jobWorkflowRef'] as const) {
      if (field(name) !== '') claims[GITHUB_CLAIMS[name]] = field(name);
    }
  } else if (preset === 'spiffe') {
    claims.sub = needs('spiffeId', SPIFFE_ID, 'spiffe_id');
  } else {
    claims.sub = needs('subject', /^/, 'subject');
    // Its subject is made of names, which somebody else can have tomorrow.
    if (URL.parse(issuer)?.host === URL.parse(GITHUB_ISSUER)?.host) problems.issuer = 'workload_trusts.github_preset';
  }
  return { claims, problems };
}

/** The inverse: what the fields of a form show for an entry, `claims` being the further rules. */
export function fieldsOf(entry: { preset: TrustPreset; claims: ClaimRules }): Record<string, string> {
  const { sub = '', ...others } = entry.claims;
  if (entry.preset === 'kubernetes') {
    const [, namespace = '', account = ''] = KUBERNETES_SUBJECT.exec(sub) ?? [];
    return { namespace, account, claims: linesOf(others) };
  }
  if (entry.preset === 'spiffe') return { spiffeId: sub, claims: linesOf(others) };
  if (entry.preset === 'custom') return { subject: sub, claims: linesOf(others) };
  const further = { ...entry.claims };
  const fields: Record<string, string> = {};
  for (const [name, claim] of Object.entries(GITHUB_CLAIMS)) {
    fields[name] = further[claim] ?? '';
    delete further[claim];
  }
  return { ...fields, claims: linesOf(further) };
}

function linesOf(claims: ClaimRules): string {
  return Object.entries(claims)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');
}
