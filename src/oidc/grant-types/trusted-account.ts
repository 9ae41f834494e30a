import { compactVerify } from 'jose';
import { errors } from 'oidc-provider';
import type { Clock } from '../../kernel/clock.ts';
import { epochSeconds } from '../../kernel/clock.ts';
import { AppError } from '../../kernel/errors.ts';
import type { PublicKey } from '../../platform/crypto/public-key-set.ts';
import type { ClientRecord, ClientSource } from '../client-source.ts';
import { type ForeignToken, misfit, timeProblem } from './foreign-token.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import type { TrustSource, WorkloadTrust } from './trust-source.ts';

/** How far the clock of an issuer may be ahead of, or behind, ours; seconds. */
export const TOLERANCE = 10;

/** Reasons of entries that do not fit, in an event. */
const MOST_REASONS = 5;

export interface TrustDeps {
  /** Our own: its tokens are no proof of anything here. */
  issuer: string;
  clock: Clock;
  clients: ClientSource;
  trusts: TrustSource;
  keys: IssuerKeys;
}

export interface Accepted {
  record: ClientRecord;
  /** All of one service account. */
  trusts: [WorkloadTrust, ...WorkloadTrust[]];
}

/**
 * The one service account that the token stands for, and the entries that say so.
 * @throws InvalidGrant; AppError 503 where it can't be decided
 */
export async function accept(deps: TrustDeps, token: ForeignToken): Promise<Accepted> {
  const { clock, clients, trusts } = deps;
  const refuse = (detail: string) => new errors.InvalidGrant(detail);
  if (token.issuer === deps.issuer) throw refuse('the assertion is a token of Postern itself');
  const now = epochSeconds(clock);
  const known = await trusts.of(token.issuer);
  if (known.length === 0) throw refuse('no workload trust has this issuer');
  const time = timeProblem(token, now, TOLERANCE);
  if (time !== undefined) throw refuse(time);

  const reasons: string[] = [];
  const fitting: WorkloadTrust[] = [];
  for (const trust of known) {
    const reason = misfit(trust, token, now, TOLERANCE);
    if (reason === undefined) fitting.push(trust);
    else if (reasons.length < MOST_REASONS) reasons.push(`${trust.name}: ${reason}`);
  }
  if (fitting.length === 0) throw refuse(`no workload trust fits (${reasons.join('; ')})`);

  const signed = await signedFor(deps.keys, token, fitting);
  const records = new Map<string, ClientRecord>();
  for (const { clientId } of signed) {
    const record = records.get(clientId) ?? (await clients.find(clientId));
    if (record?.facts.type === 'service') records.set(clientId, record);
  }
  const [only, ...more] = records.values();
  if (more.length > 0) throw refuse('ambiguous: workload trusts of several service accounts fit');
  if (!only) throw refuse(signed.length > 0 ? 'the service account is disabled' : 'the signature can not be verified');
  const [first, ...others] = signed.filter(({ clientId }) => clientId === only.metadata.client_id);
  if (!first) throw refuse('the signature can not be verified');
  return { record: only, trusts: [first, ...others] };
}

/**
 * Those of the entries with whose keys the signature was made. Where the keys of some can't be had, the answer has to
 * be the same without them.
 */
async function signedFor(keys: IssuerKeys, token: ForeignToken, trusts: WorkloadTrust[]): Promise<WorkloadTrust[]> {
  const signed: WorkloadTrust[] = [];
  const unknown: { trust: WorkloadTrust; error: AppError }[] = [];
  const verified = new Map<string, Promise<boolean>>();
  for (const trust of trusts) {
    const { issuer, jwksUri } = trust;
    const verify = async () => verifies(token, trust.keys ?? (await keys.of({ issuer, jwksUri }, token.kid)));
    const name = trust.keys ? `given ${trust.id}` : `at ${jwksUri ?? ''}`;
    const result = verified.get(name) ?? verify();
    verified.set(name, result);
    try {
      if (await result) signed.push(trust);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      unknown.push({ trust, error });
    }
  }
  const [first] = signed;
  const missed = unknown.find(({ trust }) => trust.clientId !== first?.clientId);
  if (missed) throw missed.error;
  return signed;
}

/** By the key that the token names; by the only one that fits where it names none. */
async function verifies({ compact, alg, kid }: ForeignToken, keys: PublicKey[]): Promise<boolean> {
  const fitting = keys.filter((key) => makes(key, alg) && (kid === undefined || key.kid === kid));
  const [key] = fitting;
  if (!key || fitting.length > 1) return false;
  try {
    await compactVerify(compact, key, { algorithms: [alg] });
    return true;
  } catch {
    return false;
  }
}

function makes(key: PublicKey, alg: string): boolean {
  if (key.alg !== undefined) return key.alg === alg;
  if (key.kty === 'RSA') return alg === 'RS256' || alg === 'PS256';
  if (key.kty === 'OKP') return alg === 'EdDSA' || alg === 'Ed25519';
  return alg === (key.crv === 'P-256' ? 'ES256' : 'ES384');
}
