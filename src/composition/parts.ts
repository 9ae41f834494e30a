import { createAccess } from '../features/access/module.ts';
import { adminAddresses } from '../features/accounts/admin-address-store.ts';
import { createAccounts } from '../features/accounts/module.ts';
import { createEvents } from '../features/audit-trail/module.ts';
import { createClients } from '../features/clients/module.ts';
import { createConsentStore } from '../features/consent/store.ts';
import { createCredentials } from '../features/credentials/module.ts';
import { createLeakedSecrets } from '../features/leaked-secrets/module.ts';
import { createRegistration } from '../features/registration/module.ts';
import { createServiceAccounts } from '../features/service-accounts/module.ts';
import { createSigningKeyAdmin } from '../features/signing-keys/module.ts';
import { createTeams } from '../features/teams/module.ts';
import { createTokens } from '../features/tokens/module.ts';
import { createWorkloadTrusts } from '../features/workload-trusts/module.ts';
import { createSessions } from '../oidc/sessions.ts';
import { createSigningKeys } from '../oidc/signing-keys.ts';
import { createPasswordHasher } from '../platform/crypto/password-hash.ts';
import { createAttemptLimits } from '../platform/limits/sign-in-limits.ts';
import { createMailer } from '../platform/mail/mailer.ts';
import { createKeysByUri } from '../platform/outgoing/keys-by-uri.ts';
import { createI18n } from '../platform/web/i18n.ts';
import type { Foundation } from './foundation.ts';
import { LOCALES } from './places.ts';
import { joinUserAdmin } from './user-admin.ts';

/** How long the setup link works; a new one is made by the next start or by `postern setup-link`. */
const SETUP_LINK_SECONDS = 24 * 3600;

/** What the product can do, without its pages: the same for the server and for the command line. */
export type Parts = Awaited<ReturnType<typeof createParts>>;

export async function createParts(foundation: Foundation) {
  const { config, db, clock, log, envelope, secrets, audit } = foundation;
  const hasher = createPasswordHasher({ pepper: secrets.pepper });
  const sessions = createSessions({ db, clock, builtInName: 'Postern' });
  const keys = await createSigningKeys({ db, envelope, audit, clock });
  const accounts = createAccounts({
    db,
    audit,
    clock,
    envelope,
    endSessions: (tx, userId) => sessions.endAll(tx, userId),
  });
  const credentials = createCredentials({ db, clock, log, envelope, hasher, recoveryKey: secrets.recoveryKey });
  const limits = createAttemptLimits({ db, clock, key: secrets.counterKey });
  const access = createAccess({ db, audit, clock, signingKey: keys.need });
  const teams = createTeams({ db, audit, clock });
  const tokens = createTokens({ db, audit, clock });
  const clients = createClients({
    db,
    audit,
    clock,
    permissionIds: access.apis.permissionIds,
    revokeTokens: tokens.revokeOfClient,
    parts: {
      certificates: config.clientCertificateHeader !== undefined,
      backchannelAuthentication: true,
      authorizationDetailTypes: access.detailTypes.names,
      signingKey: keys.need,
    },
  });
  const registration = createRegistration({
    db,
    audit,
    clock,
    clients: clients.registered,
    permissionIds: access.apis.permissionIds,
    addressProblem: foundation.outgoing.problem,
  });
  const serviceAccounts = createServiceAccounts({
    db,
    audit,
    clock,
    clients: clients.registry,
    ownerTeamId: teams.ownerId,
    protocol: clients.protocol,
    permissionIds: access.apis.permissionIds,
    addressProblem: foundation.outgoing.problem,
    revokeTokens: tokens.revokeOfClient,
  });
  const workloadTrusts = createWorkloadTrusts({ db, audit, clock, issuer: config.issuer });
  const events = createEvents({ db, clock, audit });
  const mail = createMailer({ config, log });
  const i18n = createI18n({ dir: LOCALES });
  const clientKeys = createKeysByUri({ outgoing: foundation.outgoing, clock });
  const leakedSecrets = createLeakedSecrets({
    db,
    audit,
    clock,
    log,
    mail,
    mailText: i18n.translator(i18n.fallback),
    issuer: config.issuer,
    revokeTokens: tokens.revokeOfClient,
    adminAddresses: () => adminAddresses(db, clock.now()),
  });

  const joined = {
    i18n,
    hasher,
    sessions,
    keys,
    signingKeys: createSigningKeyAdmin(keys),
    accounts,
    credentials,
    limits,
    access,
    teams,
    tokens,
    applications: clients.applications,
    registration,
    serviceAccounts,
    workloadTrusts,
    leakedSecrets,
    clientKeys,
    events,
    mail,
    consents: createConsentStore(db),
  };

  return {
    ...joined,
    users: joinUserAdmin(foundation, joined, i18n.translator(i18n.fallback)),
    /** The absolute address of the setup page; null once there is an admin. */
    async setupLink(): Promise<string | null> {
      const token = await accounts.links.ensureSetupLink(SETUP_LINK_SECONDS);
      return token === null ? null : `${config.issuer}/setup?token=${token}`;
    },
  };
}
