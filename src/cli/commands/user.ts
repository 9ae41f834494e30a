import type { UserAdmin, UserExport, UserListItem } from '../../features/accounts/admin-service.ts';
import type { ChangeBy } from '../../platform/audit/change.ts';
import { type Command, type CommandContext, type Outcome, UsageError } from '../command.ts';
import { author, table } from './shared-options.ts';

const person = { name: 'E-MAIL|ID', required: true } as const;
const STATUSES = ['invited', 'active', 'disabled'] as const;

export const userCommands: readonly Command[] = [
  {
    noun: 'user',
    verb: 'create',
    summary: 'Make an account, with a password or with an invite link that is printed once.',
    options: {
      email: { type: 'text', required: true, value: 'E', help: 'What the person signs in with.' },
      name: { type: 'text', value: 'N', help: 'What others read; the part before the @ when left out.' },
      role: { type: 'text', many: true, value: 'R', help: 'Role to give; admin lets the person administer Postern.' },
      'password-stdin': { type: 'flag', help: 'Read the first password from standard input.' },
      invite: { type: 'flag', help: 'Print a link with which the person chooses a password.' },
    },
    check: (input) =>
      input.flag('password-stdin') === input.flag('invite') ? 'give either --password-stdin or --invite' : null,
    run: createUser,
  },
  {
    noun: 'user',
    verb: 'list',
    summary: 'All accounts, newest first.',
    options: {
      search: { type: 'text', value: 'TEXT', help: 'Part of a name or an e-mail address.' },
      status: { type: 'text', oneOf: STATUSES, help: 'Only accounts in this state.' },
    },
    async run({ input, services }) {
      const { users } = await services();
      const status = STATUSES.find((candidate) => candidate === input.optional('status'));
      const found: UserListItem[] = [];
      let after: string | undefined;
      do {
        const page = await users.list({ search: input.optional('search'), status, after });
        found.push(...page.items);
        after = page.next;
      } while (after !== undefined);
      return {
        json: { users: found.map((user) => ({ ...account(user), roles: user.roles })) },
        text:
          found.length === 0
            ? ['No account matches.']
            : table([
                ['E-MAIL', 'NAME', 'STATUS', 'ROLES', 'ID'],
                ...found.map((user) => [user.email, user.name, user.status, user.roles.join(','), user.id]),
              ]),
      };
    },
  },
  {
    noun: 'user',
    verb: 'show',
    summary: 'One account with its roles, factors and sessions.',
    subject: person,
    options: {},
    async run({ input, services }) {
      const { users } = await services();
      const { user, roles, teams, factors, sessions, invite, lock } = await users.show(
        await users.find(input.subject ?? ''),
      );
      return {
        json: {
          ...account(user),
          roles,
          teams: teams.map(({ name }) => name),
          factors: factorsJson(factors),
          sessions: sessions.map(sessionJson),
          lock: lock && { closed: lock.closed, until: lock.until?.toISOString() ?? null },
          invite_expires_at: invite?.expiresAt.toISOString() ?? null,
        },
        text: table([
          ['e-mail', user.email],
          ['name', user.name],
          ['id', user.id],
          ['status', user.status],
          ['roles', roles.join(', ') || 'none'],
          ['teams', teams.map(({ name }) => name).join(', ') || 'none'],
          ['authenticator', factors.totp ? `since ${factors.totp.createdAt.toISOString()}` : 'none'],
          ['recovery codes', `${factors.recoveryLeft} left`],
          ['sessions', String(sessions.length)],
          ['last sign-in', user.lastSignInAt?.toISOString() ?? 'never'],
          ...(lock ? [['sign-in', lock.closed ? 'closed' : `waits until ${lock.until?.toISOString()}`]] : []),
          ...(invite ? [['invite until', invite.expiresAt.toISOString()]] : []),
        ]),
      };
    },
  },
  change('disable', 'Lock an account: its sessions and tokens end at once.', 'disabled', (users, id, by) =>
    users.disable(id, by),
  ),
  change('enable', 'Let a disabled account sign in again.', 'enabled', (users, id, by) => users.enable(id, by)),
  change('unlock', 'Forget failed tries, so that the person can sign in at once.', 'unlocked', (users, id, by) =>
    users.unlock(id, by),
  ),
  change(
    'reset-factors',
    'Take the second factor away; the next sign-in sets up a new one.',
    'has no second factor any more and sets up a new one at the next sign-in',
    (users, id, by) => users.resetFactors(id, by),
  ),
  change('delete', 'Remove an account for good, with all that belongs to it.', 'deleted', async (users, id, by) => {
    await users.delete(id, by);
  }),
  {
    noun: 'user',
    verb: 'export',
    summary: 'Everything that is kept about a person, as one JSON document.',
    subject: person,
    options: {},
    async run({ input, services, surroundings }) {
      const { users } = await services();
      const exported = exportJson(await users.export(await users.find(input.subject ?? ''), author(surroundings)));
      return { json: exported, text: [JSON.stringify(exported, null, 2)] };
    },
  },
];

async function createUser({ input, services, surroundings }: CommandContext): Promise<Outcome> {
  const email = input.text('email');
  const person = { email, name: input.optional('name') ?? email.split('@')[0] ?? email, roles: input.list('role') };
  const by = author(surroundings);
  if (input.flag('invite')) {
    const { user, inviteUrl, mailed } = await (await services()).users.invite(person, by);
    const sent = mailed ? [`It was also mailed to ${user.email}.`] : [];
    return {
      json: { id: user.id, email: user.email, invite_url: inviteUrl },
      text: [inviteUrl],
      notes: ['The link works once, for three days, and is not shown again.', ...sent],
    };
  }
  // One line end belongs to the pipe (echo, a file), not to the password.
  const password = (await surroundings.readInput()).replace(/\r?\n$/, '');
  if (password === '') throw new UsageError('standard input holds no password');
  const user = await (await services()).users.createWithPassword(person, password, by);
  return { json: { id: user.id, email: user.email }, text: [`Account ${user.email} made (${user.id})`] };
}

function change(
  verb: string,
  summary: string,
  done: string,
  work: (users: UserAdmin, id: string, by: ChangeBy) => Promise<void>,
): Command {
  return {
    noun: 'user',
    verb,
    summary,
    subject: person,
    options: {},
    async run({ input, services, surroundings }) {
      const { users } = await services();
      const subject = input.subject ?? '';
      const id = await users.find(subject);
      await work(users, id, author(surroundings));
      return { json: { id, done: verb }, text: [`${subject} ${done}`] };
    },
  };
}

function account(user: UserExport['user']) {
  return {
    id: user.id,
    email: user.email,
    name: user.name,
    status: user.status,
    created_at: user.createdAt.toISOString(),
    last_sign_in_at: user.lastSignInAt?.toISOString() ?? null,
  };
}

function factorsJson(factors: UserExport['factors']) {
  return {
    totp: factors.totp && {
      created_at: factors.totp.createdAt.toISOString(),
      last_used_at: factors.totp.lastUsedAt?.toISOString() ?? null,
    },
    recovery_codes_left: factors.recoveryLeft,
  };
}

function sessionJson(session: UserExport['sessions'][number]) {
  return {
    id: session.uid,
    address: session.address,
    user_agent: session.userAgent,
    applications: session.clients,
    created_at: session.createdAt.toISOString(),
    last_seen_at: session.lastSeenAt.toISOString(),
    expires_at: session.expiresAt.toISOString(),
  };
}

function exportJson(exported: UserExport) {
  return {
    user: account(exported.user),
    roles: exported.roles,
    teams: exported.teams.map(({ name }) => name),
    factors: factorsJson(exported.factors),
    sessions: exported.sessions.map(sessionJson),
    consents: exported.consents.map((consent) => ({
      client_id: consent.clientId,
      client_name: consent.clientName,
      scopes: consent.scopes,
      created_at: consent.createdAt.toISOString(),
      updated_at: consent.updatedAt.toISOString(),
    })),
    tokens: exported.tokens.map((token) => ({
      jti: token.jti,
      kind: token.kind,
      client_id: token.client?.id ?? null,
      scopes: token.scopes,
      audience: token.audience ?? null,
      created_at: token.createdAt.toISOString(),
      expires_at: token.expiresAt.toISOString(),
    })),
    events: exported.events.map((event) => ({
      id: event.id,
      time: event.time.toISOString(),
      action: event.action,
      outcome: event.outcome,
      reason: event.reason,
      actor: event.actorName,
      address: event.address,
    })),
  };
}
