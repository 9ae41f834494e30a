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

/** The aliases of JWTs whose signature was verified in this request: no other is ever resolved. */
const aliases = new WeakMap<object, string>();

export function allowAlias(ctx: object, alias: string): void {
  aliases.set(ctx, alias);
}

export function isAllowedAlias(ctx: object | undefined, alias: string): boolean {
  return ctx !== undefined && aliases.get(ctx) === alias;
}
