import { newId } from '../../src/kernel/ids.ts';
import { CLIENT_CHANGED } from '../../src/platform/db/notify.ts';
import {
  type Application,
  BY_TEST,
  createApplication,
  createPerson,
  createService,
  type Person,
  type Service,
} from './people.ts';
import type { Postern } from './postern.ts';
import type { Random } from './random.ts';
import type { ApplicationModel, Ref, ServiceModel, Subject, WorldModel } from './scope-model.ts';

/** Of few names, so that the same one stands on several APIs and means another thing on each. */
export const NAMES = ['read', 'write', 'count', 'admin', 'introspect'];

export interface ServiceOfWorld extends ServiceModel {
  made: Service;
  /** Audiences of the APIs that it may exchange tokens for. */
  exchanges: Set<string>;
  /** `sub` of the workload that is taken for it. */
  workload: string;
}

/** A random installation, made in the product and described for the model at once. */
export interface ScopeWorld extends WorldModel {
  services: ServiceOfWorld[];
  applications: (ApplicationModel & { made: Application })[];
  people: (Subject & { made: Person })[];
  /** Takes a role from somebody (this person, where one is given) or gives one, or a permission from an application. */
  change(random: Random, person?: Subject & { made: Person }): Promise<void>;
  consent(person: Subject & { made: Person }, application: { made: Application }, scopes: string[]): Promise<void>;
}

/** Whose tokens are taken for service accounts. */
export interface Platform {
  issuer: string;
  /** A JWK Set. */
  jwks: object;
}

export async function createScopeWorld(
  postern: Postern,
  random: Random,
  name: string,
  platform: Platform,
): Promise<ScopeWorld> {
  const { access, applications, serviceAccounts, workloadTrusts } = postern.parts;
  const { prisma } = postern.db;
  const state = () => (random.chance(0.15) ? ('over' as const) : ('lasts' as const));
  const upTo = (count: number, what: string) => Array.from({ length: count }, (_, n) => `${name}-${what}${n}`);

  const apis: WorldModel['apis'] = new Map();
  for (const [n, api] of upTo(3, 'api').entries()) {
    const names = random.some(NAMES, 0.7);
    const audience = `https://${api}.example.com`;
    apis.set(audience, new Set(names));
    const tokenFormat = n === 1 ? ('opaque' as const) : ('jwt' as const);
    await access.apis.create({ audience, tokenFormat, permissions: names.map((one) => ({ name: one })) }, BY_TEST);
  }
  const refs: Ref[] = [...apis].flatMap(([audience, names]) => [...names].map((one) => `${audience}#${one}`));

  // A role includes only such as were made before: there is no cycle.
  const roles: WorldModel['roles'] = new Map();
  for (const role of upTo(6, 'role')) {
    const [permissions, includes] = [random.some(refs, 0.2), random.some([...roles.keys()], 0.3)];
    roles.set(role, { permissions: new Set(permissions), includes: new Set(includes) });
    await access.roles.create({ name: role, permissions, includes }, BY_TEST);
  }
  const someRoles = () => new Map(random.some([...roles.keys()], 0.2).map((role) => [role, state()]));

  const idOfRole = new Map((await prisma.role.findMany()).map((row) => [row.name, row.id]));
  async function assign(holder: object, held: Map<string, 'lasts' | 'over'>): Promise<void> {
    const at = new Date();
    const rows = [...held].map(([role, lasts]) => ({
      id: newId(),
      roleId: idOfRole.get(role) ?? '',
      grantedBy: 'test',
      createdAt: at,
      expiresAt: lasts === 'over' ? new Date(at.getTime() - 1000) : null,
      ...holder,
    }));
    await prisma.assignment.createMany({ data: rows });
  }

  const teams: WorldModel['teams'] = new Map();
  const idOfTeam = new Map<string, string>();
  const above = new Map<string, string[]>();
  for (const team of upTo(4, 'team')) {
    const parent = teams.size > 0 && random.chance(0.7) ? random.pick([...teams.keys()]) : undefined;
    const id = newId();
    const at = new Date();
    const parentId = parent === undefined ? null : (idOfTeam.get(parent) ?? null);
    await prisma.team.create({ data: { id, name: team, parentId, createdAt: at, updatedAt: at } });
    const reaches = [id, ...(above.get(parent ?? '') ?? [])];
    await prisma.teamReach.createMany({ data: reaches.map((reachesId) => ({ teamId: id, reachesId })) });
    idOfTeam.set(team, id);
    above.set(team, reaches);
    teams.set(team, { parent, roles: someRoles() });
    await assign({ teamId: id }, teams.get(team)?.roles ?? new Map());
  }
  async function subject(holder: { userId: string } | { serviceAccountId: string }): Promise<Subject> {
    const made: Subject = { roles: someRoles(), teams: new Set(random.some([...teams.keys()], 0.3)) };
    await assign(holder, made.roles);
    const common = { ...holder, addedBy: 'test', createdAt: new Date() };
    await prisma.teamMember.createMany({
      data: [...made.teams].map((team) => ({ id: newId(), teamId: idOfTeam.get(team) ?? '', ...common })),
    });
    return made;
  }

  const services: ScopeWorld['services'] = [];
  for (let n = 0; n < 4; n++) {
    const direct = random.some(refs, 0.25);
    const made = await createService(postern, direct);
    const exchanges = new Set(random.some([...apis.keys()], 0.6));
    for (const audience of exchanges) await serviceAccounts.allowExchange(made.id, audience, BY_TEST);
    const workload = `${name}-workload${n}`;
    const trusted = { ...platform, name: workload, preset: 'custom', keys: 'jwks', subject: workload } as const;
    await workloadTrusts.create(made.id, trusted, BY_TEST);
    services.push({
      made,
      direct: new Set(direct),
      exchanges,
      workload,
      ...(await subject({ serviceAccountId: made.id })),
    });
  }
  const apps: ScopeWorld['applications'] = [];
  for (let n = 0; n < 3; n++) {
    const allowed = random.some(refs, 0.7);
    const firstParty = n !== 1;
    const scopes = [
      'openid',
      'offline_access',
      ...random.some(['profile', 'email', 'roles', 'groups'] as const, 0.5),
    ] as ('openid' | 'profile')[];
    const made = await createApplication(postern, { permissions: allowed, firstParty, scopes });
    apps.push({ made, firstParty, allowed: new Set(allowed), oidc: new Set(scopes) });
  }
  const people: ScopeWorld['people'] = [];
  for (let n = 0; n < 3; n++) {
    const made = await createPerson(postern);
    people.push({ made, ...(await subject({ userId: made.id })) });
  }
  // Rows that were made behind the product's back.
  await postern.db.notify(CLIENT_CHANGED, '*');

  async function changeRole(random: Random, who: Subject & { made: Person }): Promise<void> {
    const userId = who.made.id;
    const direct = [...who.roles.keys()];
    const role = random.pick(direct.length > 0 && random.chance(0.6) ? direct : [...roles.keys()]);
    const lasts = who.roles.get(role);
    if (lasts === 'lasts') {
      await access.roles.unassign(role, { userId }, BY_TEST);
      who.roles.delete(role);
    } else if (lasts === undefined) {
      await access.roles.assign(role, { userId }, BY_TEST);
      who.roles.set(role, 'lasts');
    }
  }

  async function changeApplication(random: Random): Promise<void> {
    const app = random.pick(apps);
    const kept = random.some([...app.allowed], 0.9);
    app.allowed = new Set(kept);
    const { redirectUri, postLogoutRedirectUri, clientId } = app.made;
    const changed = {
      name: `${name} again`,
      redirectUris: [redirectUri],
      postLogoutRedirectUris: [postLogoutRedirectUri],
      scopes: [...app.oidc],
      permissions: kept,
      firstParty: app.firstParty,
    };
    await applications.update(clientId, changed, BY_TEST);
  }

  return {
    apis,
    roles,
    teams,
    services,
    applications: apps,
    people,
    change: (choices, person) =>
      person || choices.chance(0.75) ? changeRole(choices, person ?? choices.pick(people)) : changeApplication(choices),
    async consent(person, { made: { clientId } }, scopes) {
      const at = new Date();
      const row = { userId: person.made.id, clientId, createdAt: at, updatedAt: at };
      const userId_clientId = { userId: row.userId, clientId };
      await prisma.consent.upsert({ where: { userId_clientId }, create: { ...row, scopes }, update: { scopes } });
    },
  };
}
