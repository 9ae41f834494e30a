import { normalizeEmail } from '../features/accounts/service.ts';
import { createConsents } from '../features/consent/module.ts';
import { createConsole } from '../features/console/module.ts';
import { type Needs as ConsoleNeeds, SIGN_IN_PATH } from '../features/console/needs.ts';
import { createInvitation } from '../features/invitation/module.ts';
import { leakedSecretRoutes } from '../features/leaked-secrets/routes.ts';
import { createSetup } from '../features/setup/module.ts';
import { createDevices } from '../features/sign-in/devices.ts';
import { createSignIn } from '../features/sign-in/module.ts';
import { createTicketCookie } from '../features/sign-in/ticket.ts';
import { saveLogin } from '../oidc/interactions.ts';
import { ACR_TWO_FACTORS } from '../oidc/policy.ts';
import type { Protocol } from '../oidc/protocol.ts';
import { hmac } from '../platform/crypto/digest.ts';
import { createRequestLimit } from '../platform/limits/request-limits.ts';
import type { Metrics } from '../platform/observe/metrics.ts';
import type { Route } from '../platform/web/route.ts';
import type { Views } from '../platform/web/views.ts';
import { consolePages } from './console-pages.ts';
import type { Foundation } from './foundation.ts';
import type { Parts } from './parts.ts';

/** One address may report so many leaked secrets: a scanner finds few at a time. */
const LEAK_REPORTS = { points: 60, seconds: 60 };

/** Every page of the product: its routes, with each feature given what it needs of the others. */
export function createPages(
  foundation: Foundation,
  parts: Parts,
  web: { views: Views; metrics: Metrics; protocol: Protocol; redeem: ConsoleNeeds['redeem'] },
): Route[] {
  const { config, db, clock, log, audit, envelope, secrets } = foundation;
  const { accounts, credentials, limits, sessions, mail, i18n } = parts;
  const { views, metrics, protocol, redeem } = web;
  const { interactions } = protocol;
  const { links } = accounts;

  limits.onLimited((limiter) => metrics.rateLimited.inc({ limiter }));
  const ticket = createTicketCookie({ secure: config.secure });
  const startSignIn = (path: string) => `${SIGN_IN_PATH}?return_to=${encodeURIComponent(path)}`;

  const consents = createConsents({ db, clock, audit, views, accounts, interactions });
  const signIn = createSignIn({
    db,
    clock,
    audit,
    envelope,
    views,
    limits,
    normalizeEmail,
    accounts,
    links,
    credentials,
    interactions,
    saveLogin,
    endSessions: (tx, userId, except) => sessions.endAll(tx, userId, except),
    denyConsent: consents.deny,
    mail,
    mailText: i18n.translator(i18n.fallback),
    log,
    ticket,
    devices: createDevices({ key: secrets.counterKey, secure: config.secure }),
    pseudonym: (login) => hmac(secrets.counterKey, `login|${login}`).toString('base64url').slice(0, 16),
    count: (method, result) => metrics.signIns.inc({ method, result }),
    signOutPath: '/oauth2/logout',
  });
  const leakLimit = createRequestLimit({
    ...LEAK_REPORTS,
    name: 'leaked_secrets',
    onLimited: (limiter) => metrics.rateLimited.inc({ limiter }),
  });
  const setup = createSetup({ db, audit, views, accounts, links, credentials, ticket, startSignIn });
  const invitation = createInvitation({ db, audit, views, accounts, links, credentials, ticket, startSignIn });
  const console = createConsole({
    db,
    clock,
    audit,
    config,
    acr: ACR_TWO_FACTORS,
    sessionOf: (ctx) => protocol.sessionOf(ctx as Parameters<Protocol['sessionOf']>[0]),
    redeem,
  });

  return [
    ...signIn.routes,
    ...consents.routes,
    ...setup.routes,
    ...invitation.routes,
    ...leakedSecretRoutes({ leakedSecrets: parts.leakedSecrets, limit: leakLimit }),
    ...console.routes,
    ...consolePages(foundation, parts, { views, console, consents, approvals: protocol.approvals }),
  ];
}
