/**
 * The rule of scope as plain set algebra, written without a look at the product:
 *
 *   scope = requested ∩ what the client may ever ask for on the API ∩ what the subject's roles carry ∩ consent
 *           ∩ the scope of the grant, or of the token, that stands behind the request
 *
 * Nothing left is `invalid_scope`; an API on which the client may ask for nothing is `invalid_target`.
 */

/** A permission as `<audience>#<name>`. */
export type Ref = string;

export interface Subject {
  /** Name of the role → whether its time is over. */
  roles: Map<string, 'lasts' | 'over'>;
  teams: Set<string>;
}

export interface ServiceModel extends Subject {
  direct: Set<Ref>;
}

export interface ApplicationModel {
  allowed: Set<Ref>;
  oidc: Set<string>;
  firstParty: boolean;
}

export interface WorldModel {
  apis: Map<string, Set<string>>;
  roles: Map<string, { permissions: Set<Ref>; includes: Set<string> }>;
  teams: Map<string, { parent: string | undefined; roles: Map<string, 'lasts' | 'over'> }>;
}

export type Expected = { audience: string; scope: Set<string> } | { error: string };

export const both = <T>(a: ReadonlySet<T>, b: ReadonlySet<T>): Set<T> =>
  new Set([...a].filter((value) => b.has(value)));
const all = <T>(sets: Iterable<ReadonlySet<T>>): Set<T> => new Set([...sets].flatMap((set) => [...set]));

function lasting(roles: Map<string, 'lasts' | 'over'>): string[] {
  return [...roles].filter(([, state]) => state === 'lasts').map(([name]) => name);
}

/** With everything that can be reached from there. */
function reached(from: Iterable<string>, step: (name: string) => Iterable<string>): Set<string> {
  const found = new Set<string>();
  const open = [...from];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    open.push(...step(name));
  }
  return found;
}

export function teamsOf(world: WorldModel, subject: Subject): Set<string> {
  return reached(subject.teams, (name) => [world.teams.get(name)?.parent ?? []].flat());
}

export function rolesOf(world: WorldModel, subject: Subject): Set<string> {
  const byTeam = [...teamsOf(world, subject)].flatMap((name) => lasting(world.teams.get(name)?.roles ?? new Map()));
  return reached([...lasting(subject.roles), ...byTeam], (name) => world.roles.get(name)?.includes ?? []);
}

/** What the subject's roles carry. */
export function held(world: WorldModel, subject: Subject): Set<Ref> {
  return all([...rolesOf(world, subject)].map((name) => world.roles.get(name)?.permissions ?? new Set<Ref>()));
}

/** Names of those that are on the API, as long as the API still has them. */
export function on(world: WorldModel, audience: string, refs: ReadonlySet<Ref>): Set<string> {
  const names = [...refs].filter((ref) => ref.startsWith(`${audience}#`)).map((ref) => ref.slice(audience.length + 1));
  return both(new Set(names), world.apis.get(audience) ?? new Set());
}

export function answer(audience: string, scope: Set<string>): Expected {
  return scope.size === 0 ? { error: 'invalid_scope' } : { audience, scope };
}

export interface Asked {
  /** Undefined: the parameter is left out. */
  scope: Set<string> | undefined;
  resource: string | undefined;
}

/** What a service account holds, given to it directly or carried by its roles. */
export function ofService(world: WorldModel, service: ServiceModel): Set<Ref> {
  return all([service.direct, held(world, service)]);
}

/**
 * client_credentials, and a workload's token taken for a service account: the client's own service account is the
 * subject, and nobody's consent is asked.
 */
export function forService(world: WorldModel, service: ServiceModel, asked: Asked): Expected {
  const mine = ofService(world, service);
  const wanted = (audience: string) => {
    const names = on(world, audience, mine);
    return asked.scope ? both(names, asked.scope) : names;
  };
  if (asked.resource !== undefined) {
    if (on(world, asked.resource, mine).size === 0) return { error: 'invalid_target' };
    return answer(asked.resource, wanted(asked.resource));
  }
  const meant = [...world.apis.keys()].filter((audience) => wanted(audience).size > 0);
  const [only] = meant;
  if (only === undefined) return { error: 'invalid_scope' };
  return meant.length > 1 ? { error: 'invalid_target' } : answer(only, wanted(only));
}

/** authorization_code: a person, through an application. `consented`: undefined where consent is not asked. */
export function forPerson(
  world: WorldModel,
  application: ApplicationModel,
  person: Subject,
  asked: { scope: Set<string>; resource: string },
  consented: ReadonlySet<string> | undefined,
): Expected {
  const { resource: audience } = asked;
  const oidc = both(asked.scope, OIDC);
  if (![...oidc].every((name) => application.oidc.has(name))) return { error: 'invalid_scope' };
  const allowed = on(world, audience, application.allowed);
  if (allowed.size === 0) return { error: 'invalid_target' };
  const scope = both(both(asked.scope, allowed), on(world, audience, held(world, person)));
  // Nothing is taken from a consent to less: the person is asked again, which prompt=none does not allow.
  const needed = [...oidc, ...[...scope].map((name) => `${audience}#${name}`)];
  if (consented && !needed.every((name) => consented.has(name))) return { error: 'consent_required' };
  return answer(audience, scope);
}

/** refresh_token: what was granted then, as far as client and person still have it, and as far as it is asked for. */
export function forRefresh(
  world: WorldModel,
  application: ApplicationModel,
  person: Subject,
  granted: { audience: string; scope: ReadonlySet<string>; oidc: ReadonlySet<string> },
  asked: ReadonlySet<string> | undefined,
): Expected {
  const { audience } = granted;
  if (asked && ![...asked].every((name) => granted.scope.has(name) || granted.oidc.has(name))) {
    return { error: 'invalid_scope' };
  }
  const allowed = on(world, audience, application.allowed);
  if (allowed.size === 0) return { error: 'invalid_target' };
  const now = both(allowed, on(world, audience, held(world, person)));
  return answer(audience, both(both(granted.scope, asked ?? granted.scope), now));
}

/**
 * Token exchange: `caller` serves the API of the subject token, or may not use it. `held`: what the subject holds
 * itself; `consented`: undefined where nobody is asked.
 */
export function forExchange(
  world: WorldModel,
  caller: ServiceModel & { exchanges: ReadonlySet<string> },
  subject: {
    held: ReadonlySet<Ref>;
    consented: ReadonlySet<Ref> | undefined;
    audience: string;
    scope: ReadonlySet<string>;
  },
  asked: { scope: ReadonlySet<string> | undefined; resource: string },
): Expected {
  const mine = ofService(world, caller);
  if (!on(world, subject.audience, mine).has('introspect')) return { error: 'invalid_request' };
  const { resource: audience } = asked;
  const names = on(world, audience, mine);
  if (!caller.exchanges.has(audience) || names.size === 0) return { error: 'invalid_target' };
  const limits = [
    on(world, audience, subject.held),
    subject.scope,
    asked.scope,
    subject.consented && on(world, audience, subject.consented),
  ];
  return answer(
    audience,
    limits.reduce<Set<string>>((left, limit) => (limit ? both(left, limit) : left), names),
  );
}

export const OIDC: ReadonlySet<string> = new Set(['openid', 'profile', 'email', 'roles', 'groups', 'offline_access']);
