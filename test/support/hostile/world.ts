import { assertion, claimsOf, createSigner, epoch, pairOf, type Signer } from '../assertions.ts';
import { type Agent, createAgent } from '../browserless.ts';
import { createAuthority, issue } from '../certificates.ts';
import { type Chain, createChain } from '../exchange.ts';
import { clientCredentials, getCode, redeem } from '../oauth.ts';
import { type Application, BY_TEST, createApi, createApplication, createService, type Service } from '../people.ts';
import { type Postern, startPostern } from '../postern.ts';
import { everythingTold } from '../told.ts';
import { now, startIssuer, type WorkloadIssuer } from '../workload-issuer.ts';

/** Who sends good requests of each kind, and strangers whose values do not belong into them. */
export interface World {
  postern: Postern;
  agent: Agent;
  chain: Chain;
  /** One with a stranger to it for codes, and two for refresh tokens: a replay of a code ends them. */
  applications: [Application, Application, Application, Application];
  /** Runs in the browser. */
  spa: Application;
  /** Of each pair the second is a stranger to the first. */
  services: [Service, Service];
  signers: [Signer, Signer];
  /** Proves itself by `certificate`, as a proxy hands it on. */
  byCertificate: string;
  selfSigned: string;
  certificates: Record<'authority' | 'registered' | 'foreign' | 'expired', string>;
  /** May `read` and `write`; nobody here holds anything on the other. */
  api: string;
  strangeApi: string;
  issuers: [WorkloadIssuer, WorkloadIssuer];
  workload(changes?: Record<string, unknown>, by?: WorkloadIssuer): Promise<string>;
  close(): Promise<void>;
}

const byteSequence = (der: Buffer) => `:${der.toString('base64')}:`;

export async function createWorld(): Promise<World> {
  const issuers = await Promise.all([startIssuer('ES256'), startIssuer('ES256')] as const);
  const ca = createAuthority();
  const postern = await startPostern({
    env: {
      POSTERN_OUTGOING_ALLOW: issuers.map(({ host }) => host).join(),
      POSTERN_TRUSTED_PROXIES: '127.0.0.1',
      POSTERN_CLIENT_CERTIFICATE_HEADER: 'rfc9440',
      POSTERN_CLIENT_CA: ca.pem,
    },
  });
  const api = await createApi(postern, ['read', 'write', 'delete', 'introspect']);
  const strangeApi = await createApi(postern, ['read', 'strange']);
  const all = [`${api}#read`, `${api}#write`];
  const chain = await createChain(postern, 2);
  const service = async () => createService(postern, all);
  const application = async (type: 'web' | 'spa' = 'web') =>
    createApplication(postern, { type, permissions: chain.apis.map((one) => `${one}#read`) });
  const services: World['services'] = [await service(), await createService(postern, [`${strangeApi}#strange`])];
  const { workloadTrusts, serviceAccounts } = postern.parts;
  const [own] = services;
  const [issuer] = issuers;
  const entry = { preset: 'custom', name: 'worker', issuer: issuer.url, subject: 'worker', singleUse: false } as const;
  await workloadTrusts.create(own.id, entry, BY_TEST);

  const spiffe = { kind: 'uri', value: 'spiffe://example.org/billing' } as const;
  const registered = issue({ name: [['CN', 'registered']] });
  const account = async (name: string, certificateKind: string, certificate: string) => {
    const auth = 'certificate' as const;
    const wanted = { name, permissions: all, auth, certificateKind, certificate };
    return (await serviceAccounts.create(wanted, BY_TEST)).clientId;
  };
  const byCertificate = await account('by name', 'san_uri', spiffe.value);
  const selfSigned = await account('by certificate', 'self_signed', registered.pem);
  const signed = (extra: object) => byteSequence(issue({ name: [], alternatives: [spiffe], ...extra }, ca).der);
  await everythingTold(postern);
  const agent = createAgent(postern.url);
  await getCode(agent, chain.application, chain.person);
  return {
    postern,
    agent,
    chain,
    applications: [await application(), await application(), await application(), await application()],
    spa: await application('spa'),
    services,
    signers: [await createSigner(postern, all[0] ?? ''), await createSigner(postern, `${strangeApi}#strange`)],
    byCertificate,
    selfSigned,
    certificates: {
      authority: signed({}),
      registered: byteSequence(registered.der),
      foreign: byteSequence(issue({ name: [], alternatives: [spiffe] }, createAuthority('Stranger')).der),
      expired: signed({ from: -7200, to: -3600 }),
    },
    api,
    strangeApi,
    issuers,
    workload(changes = {}, by = issuer) {
      const at = now();
      const claims = { iss: by.url, sub: 'worker', aud: postern.url, jti: crypto.randomUUID(), iat: at, exp: at + 300 };
      return by.sign({ ...claims, ...changes });
    },
    async close() {
      await postern.close();
      await Promise.all(issuers.map((one) => one.close()));
    },
  };
}

/** What a token endpoint answered to a person's application: a code that was exchanged. */
export async function tokensOf(
  { postern, agent, chain }: World,
  application: Application,
  extra: Record<string, string> = {},
): Promise<Record<'access_token' | 'refresh_token' | 'id_token', string>> {
  const got = await getCode(agent, application, chain.person, extra);
  const { status, body } = await redeem(postern.url, application, got);
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body as Record<'access_token' | 'refresh_token' | 'id_token', string>;
}

export async function serviceToken({ postern }: World, service: Service, resource?: string): Promise<string> {
  const { body } = await clientCredentials(postern.url, service, resource === undefined ? {} : { resource });
  if (!body.access_token) throw new Error(JSON.stringify(body));
  return body.access_token;
}

/** Assertions that are in order but for one thing. */
export function badAssertions({ signers }: World): Record<string, () => Promise<string>> {
  const [own, stranger] = signers;
  return {
    expired: () => assertion(own, { iat: epoch() - 400, exp: epoch() - 300 }),
    'for another audience': () => assertion(own, { aud: 'https://attacker.example' }),
    'of somebody else': () => assertion(stranger, {}),
    'in the name of another': () => assertion({ ...stranger, clientId: own.clientId }, {}),
    'with an unknown key': async () => assertion({ ...own, ...(await pairOf('ES256')) }),
    'without a jti': () => assertion(own, { jti: undefined }),
    'not yet': () => assertion(own, { nbf: epoch() + 300 }),
    'of no time': () => assertion(own, Object.fromEntries(Object.keys(claimsOf(own)).map((name) => [name, null]))),
  };
}
