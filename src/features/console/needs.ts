import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Config } from '../../platform/config/schema.ts';
import type { Database } from '../../platform/db/database.ts';
import type { Ctx } from '../../platform/web/context.ts';

/** The client_id of Postern's own pages: a public first-party client with PKCE. */
export const CONSOLE_CLIENT_ID = 'postern-console';
/** Begins a sign-in that ends at `return_to`, whoever is signed in already. */
export const SIGN_IN_PATH = '/console/sign-in';
export const CALLBACK_PATH = '/console/callback';

/** What the provider's session says of the browser that came back. */
export interface ProviderSession {
  uid: string;
  accountId: string;
  acr: string;
  authTime: Date;
}

export interface Needs {
  db: Database;
  clock: Clock;
  audit: Audit;
  config: Pick<Config, 'issuer' | 'secure' | 'sessionIdleSeconds' | 'sessionAbsoluteSeconds'>;
  /** The authentication context that the pages ask for and insist on. */
  acr: string;
  sessionOf(ctx: Ctx): Promise<ProviderSession | undefined>;
  /** Redeems a code at our own token endpoint; returns the ID token's claims, undefined when it is refused. */
  redeem(
    ctx: Ctx,
    input: { code: string; verifier: string; redirectUri: string; clientId: string },
  ): Promise<{ sub: string; nonce: string | undefined } | undefined>;
}
