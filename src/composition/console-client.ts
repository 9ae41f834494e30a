import { CALLBACK_PATH, CONSOLE_CLIENT_ID } from '../features/console/needs.ts';
import type { ClientRecord } from '../oidc/client-source.ts';
import type { Config } from '../platform/config/schema.ts';

/** Postern's own pages as a client of Postern: public, first-party, there before any data is. */
export function consoleClient(config: Config): ClientRecord {
  return {
    metadata: {
      client_id: CONSOLE_CLIENT_ID,
      client_name: 'Postern',
      token_endpoint_auth_method: 'none',
      application_type: 'web',
      redirect_uris: [`${config.issuer}${CALLBACK_PATH}`],
      post_logout_redirect_uris: [],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      scope: 'openid profile email roles',
    },
    facts: { type: 'web', firstParty: true, permissions: [], roles: [], groups: [], settings: {}, exchange: [] },
  };
}
