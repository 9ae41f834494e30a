import type { Config } from '../../platform/config/schema.ts';
import { type Finding, fail, ok, reason, warn } from './finding.ts';

const NAME = 'issuer';
const TIMEOUT_MS = 4_000;

/** Whether what clients will be told is what answers there. A server that is stopped is only a warning. */
export async function checkIssuer(
  config: Pick<Config, 'issuer' | 'issuerUrl' | 'secure' | 'port'>,
): Promise<Finding[]> {
  return [checkPort(config), await checkAnswer(config)];
}

function checkPort({
  issuer,
  issuerUrl,
  secure,
  port,
}: Pick<Config, 'issuer' | 'issuerUrl' | 'secure' | 'port'>): Finding {
  if (port === 0) return warn(NAME, 'any free port is used, so the issuer changes with each start', 'PORT');
  const issuerPort = Number(issuerUrl.port) || (secure ? 443 : 80);
  if (!secure && issuerPort !== port) {
    const message = `${issuer} names port ${issuerPort}, but Postern listens on ${port}: make them equal unless something forwards between them`;
    return warn(NAME, message, 'POSTERN_ISSUER');
  }
  if (secure && issuerPort === port) {
    const message = `${issuer} is https and names port ${port}, where Postern itself speaks plain http: a proxy must end TLS on another port`;
    return fail(NAME, message, 'PORT');
  }
  return ok(NAME, `${issuer}, listening on port ${port}`);
}

async function checkAnswer({ issuer }: Pick<Config, 'issuer'>): Promise<Finding> {
  const url = `${issuer}/.well-known/openid-configuration`;
  let response: Response;
  try {
    response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    return warn(
      'reachable',
      `nothing answers at ${issuer} (${reason(error)}): fine while Postern is stopped`,
      'POSTERN_ISSUER',
    );
  }
  if (response.status === 421) {
    return fail('reachable', `${issuer} answers that it serves another host name`, 'POSTERN_ISSUER');
  }
  const metadata: unknown = await response.json().catch(() => null);
  const found = typeof metadata === 'object' && metadata !== null && 'issuer' in metadata ? metadata.issuer : undefined;
  if (response.status !== 200 || found === undefined) {
    return fail(
      'reachable',
      `${url} answers ${response.status} and no metadata: something else is there`,
      'POSTERN_ISSUER',
    );
  }
  if (found !== issuer) {
    return fail('reachable', `the server at ${issuer} calls itself ${String(found)}`, 'POSTERN_ISSUER');
  }
  return ok('reachable', `${issuer} answers and calls itself so`);
}
