import type { Access } from '../features/access/module.ts';
import { createUserAdmin, type UserAdmin } from '../features/accounts/admin-service.ts';
import type { Accounts } from '../features/accounts/module.ts';
import type { Events } from '../features/audit-trail/module.ts';
import type { ConsentStore } from '../features/consent/store.ts';
import type { Credentials } from '../features/credentials/module.ts';
import type { Teams } from '../features/teams/module.ts';
import type { Tokens } from '../features/tokens/service.ts';
import type { SessionPort } from '../oidc/sessions.ts';
import type { AttemptLimits } from '../platform/limits/sign-in-limits.ts';
import type { Mailer } from '../platform/mail/mailer.ts';
import type { Translate } from '../platform/web/i18n.ts';
import type { Foundation } from './foundation.ts';

interface Joined {
  accounts: Accounts;
  credentials: Credentials;
  sessions: SessionPort;
  access: Access;
  teams: Teams;
  tokens: Tokens;
  events: Events;
  limits: AttemptLimits;
  mail: Mailer;
  consents: ConsentStore;
}

/** Administering people takes from most other parts: joined here, for the pages and the command line alike. */
export function joinUserAdmin(foundation: Foundation, parts: Joined, mailText: Translate): UserAdmin {
  const { db, audit, clock, log, config } = foundation;
  const { accounts, credentials, sessions, access, teams, tokens, events, mail } = parts;
  const { roles } = access;
  return createUserAdmin({
    db,
    audit,
    clock,
    log,
    issuer: config.issuer,
    accounts,
    credentials,
    sessions,
    roles: {
      offered: () => roles.offered({ builtIn: true }),
      assignIn: (tx, role, userId, origin) => roles.assignIn(tx, role, { userId }, origin),
      assign: (role, userId, origin, terms) => roles.assign(role, { userId }, origin, terms),
      heldBy: (userId) => roles.heldBy({ userId }),
      unassign: (role, userId, origin) => roles.unassign(role, { userId }, origin),
      assertNotLastAdmin: roles.assertNotLastAdmin,
    },
    teams: { of: (userId) => teams.members.teamsOf({ userId }) },
    limits: parts.limits,
    tokens,
    consents: parts.consents,
    events,
    mail: { delivers: config.smtpUrl !== undefined, send: (message) => mail.send(message) },
    mailText,
  });
}
