import type { TrustPreset } from '../../kernel/workload-trust.ts';

const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
/** Where the guide mounts the projected token. */
const PROJECTED = '/var/run/secrets/postern/token';

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** A shell command that a workload gets its first token with; `scope` and `resource` where there is a choice of them. */
export function tryIt(of: {
  preset: TrustPreset;
  issuer: string;
  audience: string;
  resource: string | undefined;
}): string {
  const { preset, issuer, audience, resource } = of;
  const assertion = preset === 'kubernetes' ? `assertion@${PROJECTED}` : '"assertion=$TOKEN"';
  const request = [
    `curl -sS -d grant_type=${GRANT}`,
    `--data-urlencode ${assertion}`,
    ...(resource === undefined ? [] : [`--data-urlencode ${quoted(`resource=${resource}`)}`]),
    `${issuer}/oauth2/token`,
  ].join(' ');
  if (preset === 'github_actions') {
    const url = `"$ACTIONS_ID_TOKEN_REQUEST_URL&audience=${encodeURIComponent(audience)}"`;
    const asked = `curl -sS -H "Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" ${url}`;
    return `TOKEN=$(${asked} | jq -r .value); ${request}`;
  }
  if (preset === 'spiffe') {
    const asked = `spire-agent api fetch jwt -audience ${quoted(audience)} -output json`;
    return `TOKEN=$(${asked} | jq -r '.[0].svids[0].svid'); ${request}`;
  }
  return request;
}
