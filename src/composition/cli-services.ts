import type { Services } from '../cli/services.ts';
import type { TrustRow } from '../features/workload-trusts/store.ts';
import { AppError } from '../kernel/errors.ts';
import type { Foundation } from './foundation.ts';
import type { Parts } from './parts.ts';

/** What the command line may do: the same use cases as the pages, named as its commands name things. */
export function createCliServices(foundation: Foundation, parts: Parts): Services {
  const { access, applications, serviceAccounts, teams, workloadTrusts } = parts;
  const initialTokens = parts.registration.tokens;

  async function named(text: string) {
    const found = await serviceAccounts.find(text);
    if (!found) throw new AppError('not_found', { status: 404 });
    return found;
  }

  async function teamId(text: string): Promise<string> {
    const id = await teams.find(text);
    if (id === null) throw new AppError('teams.not_found', { status: 404 });
    return id;
  }

  /** As it is after the change; as it was, where the change removed it. */
  async function trustAfter(id: string, change: () => Promise<unknown>): Promise<TrustRow> {
    const before = await workloadTrusts.byId(id);
    if (!before) throw new AppError('workload_trusts.not_found', { status: 404 });
    await change();
    return (await workloadTrusts.byId(id)) ?? before;
  }

  async function again(id: string) {
    const { clientId, name, createdAt, disabledAt } = await named(id);
    return { id, clientId, name, createdAt, disabledAt };
  }

  return {
    setupLink: parts.setupLink,
    users: parts.users,
    events: parts.events,
    tokens: parts.tokens,
    keys: parts.signingKeys,

    apis: {
      create: (input, by) => access.apis.create(input, by),
      addDetailType: (audience, input, by) => access.detailTypes.addTo(audience, input, by),
    },

    roles: {
      async create(input, by) {
        const { id, name } = await access.roles.create(input, by);
        return { id, name, permissions: input.permissions, includes: input.includes };
      },
      async assignToServiceAccount(role, account, by, expires) {
        await access.roles.assign(role, { serviceAccountId: (await named(account)).id }, by, { expires });
      },
      async assignToTeam(role, team, by, expires) {
        await access.roles.assign(role, { teamId: await teamId(team) }, by, { expires });
      },
    },

    teams: {
      create: (input, by) => teams.create(input, by),
      async add(team, member, by) {
        const id = await teamId(team);
        const text =
          'user' in member
            ? (await parts.users.show(await parts.users.find(member.user))).user.email
            : (await named(member.serviceAccount)).clientId;
        return teams.members.add(id, text, by);
      },
      async *list() {
        let after: string | undefined;
        do {
          const page = await teams.list({ after });
          yield* page.items;
          after = page.next;
        } while (after !== undefined);
      },
    },

    serviceAccounts: {
      async create(input, by) {
        const { id, clientId, secret } = await serviceAccounts.create(input, by);
        return { id, clientId, ...(secret === undefined ? {} : { clientSecret: secret }) };
      },
      async rotateSecret(account, overlap, by) {
        const { id, clientId } = await named(account);
        const { secret } = await serviceAccounts.rotateSecret(id, overlap, by);
        return { id, clientId, clientSecret: secret };
      },
      allowExchange: async (account, audience, by) =>
        serviceAccounts.allowExchange((await named(account)).id, audience, by),
      denyExchange: async (account, audience, by) =>
        serviceAccounts.denyExchange((await named(account)).id, audience, by),
      async setProtocol(account, switches, by) {
        const { id, clientId } = await named(account);
        await serviceAccounts.setProtocol(id, switches, by);
        return { id, clientId, settings: (await named(id)).protocol.settings };
      },
      async *list() {
        let after: string | undefined;
        do {
          const page = await serviceAccounts.list({ after });
          for (const { id, clientId, name, createdAt, disabledAt } of page.items) {
            yield { id, clientId, name, createdAt, disabledAt };
          }
          after = page.next ?? undefined;
        } while (after !== undefined);
      },
      async disable(account, by) {
        const { id } = await named(account);
        await serviceAccounts.disable(id, by);
        return again(id);
      },
      async enable(account, by) {
        const { id } = await named(account);
        await serviceAccounts.enable(id, by);
        return again(id);
      },
      async delete(account, by) {
        const { id, clientId, name, createdAt, disabledAt } = await named(account);
        await serviceAccounts.remove(id, by);
        return { id, clientId, name, createdAt, disabledAt };
      },
    },

    trusts: {
      create: async (account, input, by) => workloadTrusts.create((await named(account)).id, input, by),
      list: async (account) => workloadTrusts.list(account === undefined ? undefined : (await named(account)).id),
      disable: (id, by) => trustAfter(id, () => workloadTrusts.disable(id, by)),
      enable: (id, by) => trustAfter(id, () => workloadTrusts.enable(id, by)),
      delete: (id, by) => trustAfter(id, () => workloadTrusts.remove(id, by)),
    },

    registrationTokens: {
      async create(input, by) {
        const made = await initialTokens.create(input, by);
        return { ...made, state: initialTokens.stateOf(made) };
      },
      async *list() {
        let after: string | undefined;
        do {
          const page = await initialTokens.list({ after });
          for (const token of page.items) yield { ...token, state: initialTokens.stateOf(token) };
          after = page.next;
        } while (after !== undefined);
      },
      async revoke(id, by) {
        const token = await initialTokens.revoke(id, by);
        return { ...token, state: initialTokens.stateOf(token) };
      },
    },

    clients: {
      async create(input, by) {
        const { clientId, secret } = await applications.create(input, by);
        return { clientId, ...(secret === undefined ? {} : { clientSecret: secret }) };
      },
      async set(clientId, { auth, jwks, switches }, by) {
        const proves = auth === 'private_key_jwt';
        if (jwks !== undefined) {
          await applications.useKeys(clientId, { jwks, use: proves ? 'authentication' : 'requests' }, by);
        }
        const secret = auth === 'secret' ? (await applications.useSecret(clientId, by)).secret : undefined;
        if (Object.keys(switches).length > 0) await applications.setProtocol(clientId, switches, by);
        const { settings } = await applications.protocolOf(clientId);
        return { clientId, settings, ...(secret === undefined ? {} : { clientSecret: secret }) };
      },
    },

    async close() {
      await foundation.close();
    },
  };
}
