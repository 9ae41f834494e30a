import { apiAdminPages } from '../features/access/admin-pages.ts';
import { roleAdminPages } from '../features/access/role-pages.ts';
import { userAdminRoutes } from '../features/accounts/admin-pages.ts';
import { createAdmin } from '../features/admin/module.ts';
import { createApprovals } from '../features/approvals/module.ts';
import { auditRoutes } from '../features/audit-trail/routes.ts';
import { applicationAdminPages } from '../features/clients/admin-pages.ts';
import type { ConsentService } from '../features/consent/service.ts';
import type { Console } from '../features/console/module.ts';
import { createMyAccount } from '../features/my-account/module.ts';
import { registrationAdminPages } from '../features/registration/admin-pages.ts';
import { serviceAccountAdminPages } from '../features/service-accounts/admin-pages.ts';
import { signingKeyAdminPages } from '../features/signing-keys/admin-pages.ts';
import { teamAdminPages } from '../features/teams/admin-pages.ts';
import { tokenAdminPages } from '../features/tokens/admin-pages.ts';
import { workloadTrustAdminPages } from '../features/workload-trusts/admin-pages.ts';
import type { Protocol } from '../oidc/protocol.ts';
import { PATHS } from '../oidc/settings.ts';
import type { Route } from '../platform/web/route.ts';
import type { Views } from '../platform/web/views.ts';
import type { Foundation } from './foundation.ts';
import type { Parts } from './parts.ts';

/** /account and /admin: the pages behind the console's guards. */
export function consolePages(
  foundation: Foundation,
  parts: Parts,
  web: {
    views: Views;
    console: Console;
    consents: Pick<ConsentService, 'list' | 'withdraw'>;
    approvals: Protocol['approvals'];
  },
): Route[] {
  const { config, db, clock, audit, log, envelope } = foundation;
  const { access, accounts, applications, credentials, events, i18n, limits, mail, sessions, teams, tokens, users } =
    parts;
  const { views, consents, approvals } = web;
  const { admin, person, fresh } = web.console;
  const { issuer } = config;
  const allPermissions = () => access.apis.allPermissions();
  /** Roles for service accounts and teams; the built-in one is for people. */
  const suggested = async () => (await access.roles.offered({ builtIn: false })).roles;

  const overview = createAdmin({
    db,
    clock,
    views,
    admin,
    events,
    installation: {
      embedded: config.databaseUrl === undefined,
      mails: config.smtpUrl !== undefined,
      secure: config.secure,
    },
  });
  const myAccount = createMyAccount({
    db,
    audit,
    clock,
    log,
    views,
    guards: { person, fresh },
    accounts: { byId: accounts.byId, cancelLinks: accounts.links.cancelLinks },
    credentials,
    envelope,
    sessions,
    consents,
    teams: { of: (userId) => teams.members.teamsOf({ userId }) },
    limits,
    mail,
    mailText: i18n.translator(i18n.fallback),
  });

  return [
    ...overview.routes,
    ...userAdminRoutes({ views, users, roles: { offered: () => access.roles.offered({ builtIn: true }) }, admin }),
    ...serviceAccountAdminPages({
      serviceAccounts: parts.serviceAccounts,
      views,
      admin,
      issuer,
      allPermissions,
      certificates: {
        read: config.clientCertificateHeader !== undefined,
        authorities: config.clientAuthorities.length > 0,
      },
      roles: { ...access.roles, suggested, teamsOf: teams.members.teamsOf },
      trustsOf: parts.workloadTrusts.list,
      lastLeak: parts.leakedSecrets.lastOf,
      readKeys: parts.clientKeys.read,
    }),
    ...workloadTrustAdminPages({
      trusts: parts.workloadTrusts,
      views,
      admin,
      issuer,
      account: parts.serviceAccounts.byId,
    }),
    ...applicationAdminPages({
      applications,
      views,
      admin,
      issuer,
      lastLeak: parts.leakedSecrets.lastOf,
      allPermissions,
      registrations: parts.registration.registrations,
    }),
    ...registrationAdminPages({
      tokens: parts.registration.tokens,
      views,
      admin,
      endpoint: config.registration === 'off' ? undefined : `${issuer}${PATHS.registration}`,
      allPermissions,
    }),
    ...apiAdminPages({ apis: access.apis, detailTypes: access.detailTypes, views, admin }),
    ...roleAdminPages({ roles: access.roles, apis: access.apis, views, admin }),
    ...teamAdminPages({ teams, views, admin, roles: { ...access.roles, suggested } }),
    ...tokenAdminPages({ tokens, views, admin }),
    ...signingKeyAdminPages({ keys: parts.signingKeys, views, admin }),
    ...auditRoutes({ views, events, admin }),
    ...myAccount.routes,
    ...createApprovals({ db, clock, audit, views, guards: { person, fresh }, approvals, consents: parts.consents })
      .routes,
  ];
}
