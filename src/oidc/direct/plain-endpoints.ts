import type { Clock } from '../../kernel/clock.ts';
import type { PlainEndpoint, PlainEndpoints } from '../../platform/web/front.ts';
import type { AccessTokenVerifier } from '../access-token-verifier.ts';
import type { LastUse } from '../client-auth/last-use.ts';
import type { ClientSource } from '../client-source.ts';
import type { ServiceTokens } from '../service-token.ts';
import { PATHS } from '../settings.ts';
import type { TokenReads } from '../token-reads.ts';
import type { TokenRevocations } from '../token-revocations.ts';
import { createDirectClientCredentials } from './client-credentials.ts';
import { createDirectIntrospection } from './introspection.ts';
import { createDirectRevocation } from './revocation.ts';
import { createDirectUserinfo } from './userinfo.ts';

/** What is answered before the library, where the whole of a request is plain. */
export function createPlainEndpoints(deps: {
  issuer: string;
  clock: Clock;
  clients: ClientSource;
  reads: TokenReads;
  revocations: TokenRevocations;
  serviceTokens: ServiceTokens;
  /** The verifier of the present keys. */
  verifier: () => AccessTokenVerifier;
  lastUse: Pick<LastUse, 'secret'>;
  onToken: (grantType: string, result: 'success' | 'refused') => void;
  /** Documents that are the same for everybody: what answers them, and where they stand. */
  documents: { answer: PlainEndpoint; paths: string[] };
}): PlainEndpoints {
  const userinfo = createDirectUserinfo(deps);
  return new Map([
    ...deps.documents.paths.map((path) => [`GET ${path}`, deps.documents.answer] as const),
    [`POST ${PATHS.token}`, createDirectClientCredentials(deps)],
    [`POST ${PATHS.introspection}`, createDirectIntrospection(deps)],
    [`POST ${PATHS.revocation}`, createDirectRevocation(deps)],
    [`GET ${PATHS.userinfo}`, userinfo],
    [`POST ${PATHS.userinfo}`, userinfo],
  ]);
}
