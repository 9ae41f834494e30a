import { decodeJwt } from 'jose';
import type { Agent } from './browserless.ts';
import { exchange } from './exchange.ts';
import { authorizePath, codeRequest, introspect, postForm, redeem, refresh, type TokenAnswer } from './oauth.ts';
import type { Application, Service } from './people.ts';
import type { Asked, Expected } from './scope-model.ts';
import { bear } from './workload-issuer.ts';

/** What came of a request for a token, in the words of the model. */
export interface Got {
  outcome: Expected;
  /** `scope` of the reply: it has to say the same as the token (RFC 6749 section 5.1). */
  told: Set<string>;
  answer: TokenAnswer | undefined;
}

const words = (text: unknown): Set<string> => new Set(typeof text === 'string' ? text.split(' ').filter(Boolean) : []);

export async function outcomeOf(
  origin: string,
  reader: { clientId: string; secret: string },
  answer: TokenAnswer,
): Promise<Got> {
  const { access_token: token, error, scope } = answer.body;
  if (token === undefined) return { outcome: { error: error ?? `status ${answer.status}` }, told: new Set(), answer };
  const claims = token.includes('.') ? decodeJwt(token) : await introspect(origin, reader, token);
  return { outcome: { audience: String(claims.aud), scope: words(claims.scope) }, told: words(scope), answer };
}

export const parametersOf = ({ scope, resource }: Asked): Record<string, string> => ({
  ...(scope && scope.size > 0 ? { scope: [...scope].join(' ') } : {}),
  ...(resource === undefined ? {} : { resource }),
});

/** `direct`: the way that our own code answers; otherwise the library does. */
export async function askAsService(origin: string, service: Service, asked: Asked, direct: boolean): Promise<Got> {
  const headers = { authorization: service.basic, ...(direct ? {} : { 'content-encoding': 'identity' }) };
  const form = { grant_type: 'client_credentials', ...parametersOf(asked) };
  return outcomeOf(origin, service, await postForm(`${origin}/oauth2/token`, form, headers));
}

/** RFC 7523 section 2.1: `assertion` is a token of the platform that the service runs on. */
export async function askAsWorkload(origin: string, service: Service, assertion: string, asked: Asked): Promise<Got> {
  return outcomeOf(origin, service, await bear(origin, assertion, parametersOf(asked)));
}

/** RFC 8693: a service that was called asks for a token of the next API. */
export async function askOnBehalf(
  origin: string,
  caller: Service,
  subjectToken: string,
  asked: { scope: Set<string> | undefined; resource: string },
): Promise<Got> {
  const { resource, ...extra } = parametersOf(asked);
  return outcomeOf(origin, caller, await exchange(origin, caller, subjectToken, resource ?? '', extra));
}

/** Without a page: the browser is signed in, and a question to the person would be an error. */
export async function askAsPerson(
  origin: string,
  agent: Agent,
  application: Application,
  asked: { scope: Set<string>; resource: string },
): Promise<Got> {
  const scope = [...asked.scope].join(' ');
  const { params, verifier } = codeRequest(application, { scope, resource: asked.resource, prompt: 'none' });
  const page = await agent.get(authorizePath(params));
  const code = page.leaves?.searchParams.get('code');
  if (!code) {
    const error = page.leaves?.searchParams.get('error') ?? `status ${page.status}`;
    return { outcome: { error }, told: new Set(), answer: undefined };
  }
  return outcomeOf(origin, application, await redeem(origin, application, { code, verifier }));
}

export async function askAgain(
  origin: string,
  application: Application,
  refreshToken: string,
  asked: ReadonlySet<string> | undefined,
): Promise<Got> {
  const extra: Record<string, string> = asked ? { scope: [...asked].join(' ') } : {};
  return outcomeOf(origin, application, await refresh(origin, application, refreshToken, extra));
}
