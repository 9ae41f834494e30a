import { type Clock, epochSeconds } from '../../kernel/clock.ts';
import { AppError } from '../../kernel/errors.ts';
import type { PlainEndpoint } from '../../platform/web/front.ts';
import { unavailable } from '../../platform/web/plain-answer.ts';
import type { LastUse } from '../client-auth/last-use.ts';
import type { ClientRecord, ClientSource } from '../client-source.ts';
import { grantedTo, type ServiceTokens } from '../service-token.ts';
import { type PlainForm, provenBySecret, readPlainForm } from './plain-client.ts';

/**
 * The plain form of the client credentials grant (RFC 6749 section 4.4), which services send all day: a generated
 * secret, a token for one API. It needs nothing of the library's state, so it is answered here, at a fraction of the
 * cost, when every part of the request is in order. Whatever is not, or asks for more, goes on to the library with its
 * body as it came: refusals have one place. A differential test holds both to the same answers, rows and events.
 */
export function createDirectClientCredentials(deps: {
  clock: Clock;
  clients: ClientSource;
  serviceTokens: ServiceTokens;
  lastUse: Pick<LastUse, 'secret'>;
  onToken: (grantType: string, result: 'success' | 'refused') => void;
}): PlainEndpoint {
  const { clock, clients, serviceTokens, lastUse, onToken } = deps;

  return async ({ req, body, request }) => {
    const form = readPlainForm(req, body, NAMES);
    const asked = form && askedFor(form);
    if (!asked) return undefined;
    let client: ClientRecord | undefined;
    try {
      client = await clients.find(form.clientId);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      onToken('client_credentials', 'refused');
      return unavailable(error);
    }
    const digest = client && isPlain(client) ? provenBySecret(client, form.secret, epochSeconds(clock)) : undefined;
    if (!client || digest === undefined) return undefined;
    lastUse.secret(form.clientId, digest);
    const granted = grantedTo(client, asked);
    return granted && serviceTokens.answer(request, client, granted, 'client_credentials');
  };
}

const NAMES = new Set(['grant_type', 'scope', 'resource']);
/** RFC 6749 section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;

function askedFor({ params }: PlainForm): { scopes: string[] | undefined; resource: string | undefined } | undefined {
  if (params.get('grant_type') !== 'client_credentials') return undefined;
  const scope = params.get('scope');
  if (scope !== undefined && (scope.length > 1024 || !SCOPE.test(scope))) return undefined;
  return { scopes: scope?.split(' '), resource: params.get('resource') };
}

/** A service whose tokens are bound to no key. */
function isPlain({ facts }: ClientRecord): boolean {
  return facts.type === 'service' && !facts.settings.certificateBound && !facts.settings.dpopBound;
}
