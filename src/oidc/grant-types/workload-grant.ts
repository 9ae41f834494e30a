import type { Middleware } from 'koa';
import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Database } from '../../platform/db/database.ts';
import type { Log } from '../../platform/observe/log.ts';
import type { ClientSource } from '../client-source.ts';
import type { ServiceTokens } from '../service-token.ts';
import { createIssuerKeys, type KeyFetcher } from './issuer-keys.ts';
import { createJwtBearer } from './jwt-bearer.ts';
import { createTrustSource } from './trust-source.ts';

export interface WorkloadGrant {
  /** Answers JWT-bearer requests (RFC 7523 section 2.1) and calls the next middleware for every other. */
  middleware: Middleware;
  close(): Promise<void>;
}

/** The grant for workloads without a secret, with what it keeps in memory: entries by issuer, and issuers' keys. */
export async function createWorkloadGrant(deps: {
  issuer: string;
  db: Database;
  clock: Clock;
  log: Log;
  audit: Audit;
  clients: ClientSource;
  serviceTokens: ServiceTokens;
  outgoing: KeyFetcher;
  onToken: (grantType: string, result: 'success' | 'refused') => void;
  /** Told of each trust entry by which a token was issued. */
  onTrustUsed: (trustId: string) => void;
}): Promise<WorkloadGrant> {
  const { db, clock, log, outgoing, ...others } = deps;
  const trusts = await createTrustSource(db);
  const keys = createIssuerKeys({ outgoing, clock, log });
  return { middleware: createJwtBearer({ db, clock, trusts, keys, ...others }), close: trusts.close };
}
