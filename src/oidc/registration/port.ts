import type { RequestInfo } from '../../kernel/request-info.ts';
import type { ClientSecretMade } from '../../platform/crypto/secrets.ts';

/** Client metadata by the names of RFC 7591 section 2. */
export type Metadata = Record<string, unknown>;

/** RFC 7591 section 3.2.2. */
export interface Refusal {
  error: string;
  description: string;
}

/** What a request says that was let in by a token, held against that token's policy. */
interface Described {
  /** The request's metadata, as it will be registered. */
  metadata: Metadata;
}

interface Made {
  clientId: string;
  /** The registration access token that is good from now on. */
  accessToken: string;
  secret: ClientSecretMade | undefined;
  request: RequestInfo | undefined;
}

/** Registering with one initial access token. */
export interface Registering {
  describe(given: Metadata): (Described & { complete(made: Made): Promise<Metadata | undefined> }) | Refusal;
}

/** Managing one client with its registration access token. */
export interface Managing {
  clientId: string;
  read(): Promise<Metadata | undefined>;
  describe(given: Metadata): (Described & { complete(made: Made): Promise<Metadata | Refusal | undefined> }) | Refusal;
  /** False where the token was replaced meanwhile. */
  remove(request: RequestInfo | undefined): Promise<boolean>;
}

/**
 * What the endpoints of dynamic registration need of the rest: each change is one transaction with its audit event.
 * `complete` answers the client's metadata as it stands then, or undefined where the token is good no more.
 */
export interface RegistrationPort {
  newClientId(): string;
  /** Undefined: no such token, or it has ended. */
  withInitialToken(token: string): Promise<Registering | undefined>;
  withAccessToken(token: string): Promise<Managing | undefined>;
}
