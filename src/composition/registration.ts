import type { RegistrationDeps } from '../oidc/registration/endpoints.ts';
import type { Config } from '../platform/config/schema.ts';
import { createRequestLimit } from '../platform/limits/request-limits.ts';
import type { Parts } from './parts.ts';

/** An application registers once and changes now and then: what asks more often is guessing, or broken. */
const FROM_ADDRESS = { points: 120, seconds: 60 };
const WITH_TOKEN = { points: 60, seconds: 60 };

/** What the protocol's registration endpoints need; undefined where they are switched off. */
export function registrationDeps(
  config: Pick<Config, 'registration'>,
  parts: Pick<Parts, 'registration'>,
  onLimited: (limiter: string) => void,
): RegistrationDeps | undefined {
  if (config.registration === 'off') return undefined;
  return {
    port: parts.registration.registrations,
    addressLimit: createRequestLimit({ ...FROM_ADDRESS, name: 'registration', onLimited }),
    tokenLimit: createRequestLimit({ ...WITH_TOKEN, name: 'registration_token', onLimited }),
  };
}
