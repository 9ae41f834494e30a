/** Kinds of trust entries, by the platform that issues the workload's token. */
export const TRUST_PRESETS = ['kubernetes', 'github_actions', 'spiffe', 'custom'] as const;

export type TrustPreset = (typeof TRUST_PRESETS)[number];

/** Claim → the text that it must equal. See claimAt for how a claim is named. */
export type ClaimRules = Record<string, string>;

/** RFC 6901 section 3, without the empty pointer: it would name the whole set of claims. */
const POINTER = /^(?:\/(?:[^~/]|~[01])+)+$/;

/** Whether the name of a claim can be one: of a claim at the top, or a JSON Pointer to one inside others. */
export function isClaimPath(path: string): boolean {
  return path.startsWith('/') ? POINTER.test(path) : path !== '';
}

/**
 * The value of a claim. A name that begins with `/` is a JSON Pointer (RFC 6901): `/kubernetes.io/pod/name`. Any other
 * names a claim at the top, dots and slashes being part of it. Undefined where there is none.
 */
export function claimAt(claims: Record<string, unknown>, path: string): unknown {
  const names = path.startsWith('/')
    ? path
        .slice(1)
        .split('/')
        .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
    : [path];
  let value: unknown = claims;
  for (const name of names) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) {
      return undefined;
    }
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/**
 * Exact, letter by letter. A number equals its decimal text where it is a whole number that JSON brings over unchanged;
 * nothing else equals a text.
 */
export function equalsText(value: unknown, expected: string): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value) && String(value) === expected;
  return value === expected;
}
