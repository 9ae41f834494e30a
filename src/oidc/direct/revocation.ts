import { type Clock, epochSeconds } from '../../kernel/clock.ts';
import { AppError } from '../../kernel/errors.ts';
import type { PlainEndpoint } from '../../platform/web/front.ts';
import { type PlainAnswer, unavailable } from '../../platform/web/plain-answer.ts';
import type { AccessTokenVerifier } from '../access-token-verifier.ts';
import { clientActor } from '../audit-hook.ts';
import type { LastUse } from '../client-auth/last-use.ts';
import type { ClientSource } from '../client-source.ts';
import { knownAs } from '../structured-tokens.ts';
import type { TokenRevocations } from '../token-revocations.ts';
import { openToPages, provenBySecret, readPlainForm } from './plain-client.ts';

/**
 * Ends an access token (RFC 7009) of a client with a generated secret. Refresh tokens, which take others along, and
 * whatever else is not plain are the library's; a differential test holds both to the same answers, rows and events.
 */
export function createDirectRevocation(deps: {
  clock: Clock;
  clients: ClientSource;
  revocations: TokenRevocations;
  /** The verifier of the present keys. */
  verifier: () => AccessTokenVerifier;
  lastUse: Pick<LastUse, 'secret'>;
}): PlainEndpoint {
  const { clock, clients, revocations, verifier, lastUse } = deps;

  return async ({ req, body, request }) => {
    const form = readPlainForm(req, body, NAMES);
    const token = form?.params.get('token');
    if (!form || token === undefined) return undefined;
    const { clientId, secret } = form;
    try {
      const client = await clients.find(clientId);
      const digest = client && provenBySecret(client, secret, epochSeconds(clock));
      if (!client || digest === undefined) return undefined;
      lastUse.secret(clientId, digest);
      const known = await knownAs(token, verifier());
      if (!known) return DONE;
      const actor = clientActor(clientId, client.metadata.client_name, client.facts);
      const event = { action: 'token.revoke', outcome: 'success', actor, clientId, request, data: {} } as const;
      return (await revocations.revoke({ ...known, clientId, event })) === 'undecided' ? undefined : DONE;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return unavailable(error, OPEN);
    }
  };
}

const NAMES = new Set(['token', 'token_type_hint']);
const OPEN = openToPages('WWW-Authenticate');
/** Whatever the token was (RFC 7009 section 2.2); of no bytes, and said to be text as the library says it. */
const DONE: PlainAnswer = {
  status: 200,
  headers: ['Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'no-store', ...OPEN],
};
