import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import type { RequestInfo } from '../../kernel/request-info.ts';
import { createProxies } from './proxies.ts';

/** Who sends a request, as far as its connection and the configured proxies tell. */
export interface RequestOrigin {
  request: RequestInfo;
  /** Whether its peer is a configured proxy: only then do forwarded headers count. */
  fromProxy: boolean;
}

const REQUEST_ID = /^[\w.-]{8,80}$/;

export function createRequestOrigins(config: {
  trustedProxies: string[];
  clock: Clock;
}): (req: IncomingMessage) => RequestOrigin {
  const { clock } = config;
  const proxies = createProxies(config.trustedProxies);
  return (req) => {
    const { headers } = req;
    const fromProxy = proxies.trustsPeer(req);
    const given = fromProxy ? REQUEST_ID.exec(String(headers['x-request-id'] ?? ''))?.[0] : undefined;
    return {
      request: {
        id: given ?? newId(clock.now().getTime()),
        address: proxies.clientAddress(req),
        userAgent: (headers['user-agent'] ?? '').slice(0, 512),
      },
      fromProxy,
    };
  };
}
