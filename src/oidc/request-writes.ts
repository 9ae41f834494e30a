import type { TokenRow } from './token-row.ts';

/**
 * Tokens that a request issued, kept until the audit step commits them together with their event and only then lets
 * the answer leave.
 */
const pending = new WeakMap<object, TokenRow[]>();

export function openWrites(ctx: object): void {
  pending.set(ctx, []);
}

/** False where nobody will commit: the caller then writes by itself. */
export function deferWrite(ctx: object | undefined, row: TokenRow): boolean {
  const rows = ctx ? pending.get(ctx) : undefined;
  rows?.push(row);
  return rows !== undefined;
}

export function takeWrites(ctx: object): TokenRow[] {
  const rows = pending.get(ctx) ?? [];
  pending.delete(ctx);
  return rows;
}

/** A new grant of a session becomes durable together with it: see SessionStore.save. */
const newGrants = new WeakMap<object, TokenRow | 'expected'>();

export function expectNewGrant(ctx: object): void {
  newGrants.set(ctx, 'expected');
}

/** False where none is expected: the caller then writes by itself. */
export function deferGrant(ctx: object | undefined, row: TokenRow): boolean {
  if (ctx === undefined || newGrants.get(ctx) !== 'expected') return false;
  newGrants.set(ctx, row);
  return true;
}

export function takeGrant(ctx: object | undefined): TokenRow | undefined {
  const row = ctx && newGrants.get(ctx);
  if (ctx) newGrants.delete(ctx);
  return row === 'expected' ? undefined : row;
}

/** The interaction that a request goes on from ends with the session that it begins or renews: see SessionStore.save. */
const ending = new WeakMap<object, string>();

/** False where nobody will end it: the caller then does. */
export function deferEnd(ctx: object | undefined, interactionId: string): boolean {
  if (ctx === undefined || !pending.has(ctx)) return false;
  ending.set(ctx, interactionId);
  return true;
}

export function takeEnd(ctx: object | undefined): string | undefined {
  const id = ctx && ending.get(ctx);
  if (ctx) ending.delete(ctx);
  return id;
}

/** The aliases of JWTs whose signature was verified in this request: no other is ever resolved. */
const aliases = new WeakMap<object, string>();

export function allowAlias(ctx: object, alias: string): void {
  aliases.set(ctx, alias);
}

export function isAllowedAlias(ctx: object | undefined, alias: string): boolean {
  return ctx !== undefined && aliases.get(ctx) === alias;
}
