import type { FoundTogether } from '../token-reads.ts';

const KINDS = new Set(['AccessToken', 'ClientCredentials']);

/** Whether an access token works, by what stands behind it, at `now` (seconds since the epoch). */
export function isLive({ row, grant, session }: FoundTogether, now: number): boolean {
  if (!KINDS.has(row.kind) || row.consumed !== null || row.exp <= now) return false;
  // A grant is its client's: an exchanged token (RFC 8693) ends with one that is another client's.
  const grantId = row.parent_jti === null ? (row.grant_id ?? undefined) : undefined;
  if (grantId !== undefined) {
    const its = grant?.payload;
    if (!its || Number(its.exp) <= now || its.clientId !== row.client_id || its.accountId !== row.user_id) return false;
  }
  if (row.payload?.expiresWithSession !== true) return true;
  const its = session?.payload;
  return its?.accountId === row.user_id && its?.authorizations?.[row.client_id ?? '']?.grantId === grantId;
}
