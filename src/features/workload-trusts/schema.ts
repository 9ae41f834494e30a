import { z } from 'zod';
import { isPlainText } from '../../kernel/text.ts';
import { type ClaimRules, isClaimPath, TRUST_PRESETS, type TrustPreset } from '../../kernel/workload-trust.ts';
import { forJwtSvids } from '../../platform/crypto/foreign-key-set.ts';
import { type PublicKeySet, publicKeySet } from '../../platform/crypto/public-key-set.ts';
import { presetFields, readPreset } from './presets.ts';

/** Where the keys of an entry's issuer come from. */
export const KEY_SOURCES = ['discovery', 'jwks_uri', 'jwks'] as const;
export type KeySourceName = (typeof KEY_SOURCES)[number];

/** Seconds since a token's `iat`. */
export const MAX_AGE = {
  min: 60,
  max: 86_400,
  defaults: { custom: 600, github_actions: 600, kubernetes: 3_600, spiffe: 3_600 } satisfies Record<
    TrustPreset,
    number
  >,
};

/**
 * Workloads in Kubernetes and under SPIFFE read one token again and again until the next one is there; a build asks its
 * platform for a new one each time.
 */
export const SINGLE_USE: Record<TrustPreset, boolean> = {
  custom: true,
  github_actions: true,
  kubernetes: false,
  spiffe: false,
};

/** What an entry says, as it is stored. */
export interface TrustEntry {
  preset: TrustPreset;
  name: string;
  issuer: string;
  jwksUri: string | null;
  jwks: PublicKeySet | null;
  audience: string;
  claims: ClaimRules;
  maxAge: number;
  singleUse: boolean;
}

/** As a form or a command line gives it: a text that is empty counts as left out. */
export interface TrustInput {
  preset: TrustPreset;
  name: string;
  issuer: string;
  keys?: string | undefined;
  jwksUri?: string | undefined;
  /** A JWK Set (RFC 7517) or a SPIFFE trust bundle, as an object or as JSON text. */
  jwks?: unknown;
  /** Postern's issuer where left out. */
  audience?: string | undefined;
  /** Further rules, `name=text`, one a line. */
  claims?: string | undefined;
  maxAge?: string | number | undefined;
  singleUse?: boolean | undefined;
  namespace?: string | undefined;
  account?: string | undefined;
  repositoryId?: string | undefined;
  repositoryOwnerId?: string | undefined;
  environment?: string | undefined;
  ref?: string | undefined;
  jobWorkflowRef?: string | undefined;
  spiffeId?: string | undefined;
  subject?: string | undefined;
}

const MAX_URL = 500;
const MAX_RULES = 20;
const MAX_NAME = 200;
const MAX_TEXT = 1_000;
/** Decided elsewhere in the entry, or different in each token. */
const RESERVED = new Set(['iss', 'aud', 'exp', 'nbf', 'iat', 'jti']);
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

/** Compared letter by letter: it is kept as it was typed. Plain http never leaves this machine. */
function isHttpsUrl(text: string): boolean {
  const url = URL.parse(text);
  if (!url || !/^[\x21-\x7e]+$/.test(text) || url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname));
}

const optional = z.string().trim().max(MAX_TEXT, 'too_long').refine(isPlainText, 'plain_text').default('');
const httpsUrl = z.string().trim().min(1, 'required').max(MAX_URL, 'too_long').refine(isHttpsUrl, 'invalid_url');

const input = z.strictObject({
  preset: z.enum(TRUST_PRESETS, 'required'),
  name: z.string().trim().min(1, 'required').max(100, 'too_long').refine(isPlainText, 'plain_text'),
  issuer: httpsUrl.refine((text) => !/[?#]/.test(text), 'workload_trusts.issuer_query'),
  keys: z.enum(KEY_SOURCES).default('discovery'),
  jwksUri: z.string().trim().default(''),
  jwks: z.unknown().optional(),
  audience: optional,
  claims: z.string().max(20_000, 'too_long').default(''),
  maxAge: z.union([z.string(), z.number()]).default(''),
  singleUse: z.boolean().optional(),
  ...Object.fromEntries(Object.values(presetFields).flatMap((names) => names.map((name) => [name, optional]))),
});

type Context = z.core.$RefinementCtx;

function problem(context: Context, path: (string | number)[], message: string): void {
  context.addIssue({ code: 'custom', message, path });
}

/** `audience`: what an entry demands that names none. */
export function trustInput(audience: string): z.ZodType<TrustEntry> {
  return input.transform((given, context): TrustEntry => {
    const { preset, name, issuer } = given;
    const texts = given as unknown as Record<string, string>;
    const own = readPreset(preset, (field) => texts[field] ?? '', issuer);
    for (const [field, code] of Object.entries(own.problems)) problem(context, [field], code);
    const further = readRules(given.claims, new Set(Object.keys(own.claims)), context);
    const keys = readKeys(given, context);
    return {
      preset,
      name,
      issuer,
      ...keys,
      audience: given.audience || audience,
      claims: { ...own.claims, ...further },
      maxAge: readMaxAge(given.maxAge, MAX_AGE.defaults[preset], context),
      singleUse: given.singleUse ?? SINGLE_USE[preset],
    };
  });
}

/** Only what is chosen counts; what stands in the other fields is passed over. */
function readKeys(
  given: { preset: TrustPreset; keys: KeySourceName; jwksUri: string; jwks?: unknown },
  context: Context,
): Pick<TrustEntry, 'jwksUri' | 'jwks'> {
  const none = { jwksUri: null, jwks: null };
  if (given.keys === 'discovery') return none;
  if (given.preset === 'github_actions') {
    problem(context, ['keys'], 'workload_trusts.keys_discovery');
    return none;
  }
  const checked = given.keys === 'jwks_uri' ? httpsUrl.safeParse(given.jwksUri) : undefined;
  if (checked?.success) return { ...none, jwksUri: checked.data };
  if (checked) {
    problem(context, ['jwksUri'], checked.error.issues[0]?.message ?? 'invalid_url');
    return none;
  }
  const set = publicKeySet.safeParse(forJwtSvids(given.jwks ?? ''));
  if (set.success) return { ...none, jwks: set.data };
  for (const issue of set.error.issues)
    context.addIssue({ ...issue, path: ['jwks'] } as Parameters<Context['addIssue']>[0]);
  return none;
}

function readMaxAge(value: string | number, standard: number, context: Context): number {
  if (value === '') return standard;
  const seconds = Number(String(value).trim());
  const { min, max } = MAX_AGE;
  if (Number.isInteger(seconds) && seconds >= min && seconds <= max) return seconds;
  context.addIssue({ code: 'custom', message: 'workload_trusts.max_age', path: ['maxAge'], params: { min, max } });
  return standard;
}

function readRules(text: string, taken: Set<string>, context: Context): ClaimRules {
  const rules: ClaimRules = {};
  const lines = text.split(/\r?\n/);
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const at = line.indexOf('=');
    const name = line.slice(0, at).trim();
    const value = line.slice(at + 1).trim();
    const fail = (code: string) => problem(context, ['claims', index], `workload_trusts.${code}`);
    if (at < 1 || value === '' || !isClaimPath(name)) fail('claim_line');
    else if (name.length > MAX_NAME || value.length > MAX_TEXT || !isPlainText(line)) fail('claim_line');
    else if (RESERVED.has(name)) fail('claim_reserved');
    else if (taken.has(name) || Object.hasOwn(rules, name)) fail('claim_twice');
    else rules[name] = value;
  }
  if (Object.keys(rules).length > MAX_RULES) problem(context, ['claims'], 'too_many');
  return rules;
}
