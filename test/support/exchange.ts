import { type Agent, createAgent } from './browserless.ts';
import { asClient, getCode, postForm, redeem, type TokenAnswer } from './oauth.ts';
import {
  type Application,
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  createService,
  grantRole,
  type Person,
  type Service,
} from './people.ts';
import type { Postern } from './postern.ts';

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** Services in a row: each serves its own API and may call the next one's on behalf of its callers. */
export interface Chain {
  person: Person;
  application: Application;
  /** Audiences; `services[i]` serves `apis[i]`. */
  apis: string[];
  services: Service[];
  /** A new token of the person's for the first API, through the application and always the same browser. */
  personToken(origin?: string): Promise<string>;
}

export async function allow(postern: Postern, service: Service, audience: string): Promise<void> {
  await postern.parts.serviceAccounts.allowExchange(service.id, audience, BY_TEST);
}

export function serving(audience: string): string[] {
  return [`${audience}#introspect`];
}

export async function createChain(
  postern: Postern,
  length: number,
  options: { firstParty?: boolean; permissions?: string[]; ttl?: number } = {},
): Promise<Chain> {
  const { permissions = ['read', 'write'], firstParty = true, ttl } = options;
  const apis: string[] = [];
  for (let i = 0; i < length; i++) apis.push(await createApi(postern, [...permissions, 'introspect'], ttl));
  const all = (audience: string | undefined) => (audience ? permissions.map((name) => `${audience}#${name}`) : []);
  const services: Service[] = [];
  for (const [i, audience] of apis.entries()) {
    const next = apis[i + 1];
    const service = await createService(postern, [...serving(audience), ...all(next)]);
    if (next) await allow(postern, service, next);
    services.push(service);
  }
  const person = await createPerson(postern);
  await grantRole(postern, person, apis.flatMap(all));
  const [front = ''] = apis;
  const application = await createApplication(postern, {
    firstParty,
    permissions: firstParty ? all(front) : apis.flatMap(all),
  });
  const agents = new Map<string, Agent>();
  return {
    person,
    application,
    apis,
    services,
    async personToken(origin = postern.url) {
      const asked = { resource: front, scope: ['openid', ...permissions].join(' ') };
      const agent = agents.get(origin) ?? createAgent(origin);
      agents.set(origin, agent);
      const got = await getCode(agent, application, person, asked);
      const { body } = await redeem(origin, application, got);
      if (!body.access_token) throw new Error(JSON.stringify(body));
      return body.access_token;
    },
  };
}

/** `audience`: of the API that the new token is for. */
export function exchange(
  origin: string,
  caller: { clientId: string; secret: string },
  subjectToken: string,
  audience: string,
  extra: Record<string, string> = {},
): Promise<TokenAnswer> {
  return postForm(
    `${origin}/oauth2/token`,
    {
      grant_type: TOKEN_EXCHANGE,
      subject_token: subjectToken,
      subject_token_type: ACCESS_TOKEN,
      resource: audience,
      ...extra,
    },
    asClient(caller).headers,
  );
}
