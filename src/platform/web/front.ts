import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Clock } from '../../kernel/clock.ts';
import { AppError } from '../../kernel/errors.ts';
import type { RequestInfo } from '../../kernel/request-info.ts';
import type { Config } from '../config/schema.ts';
import { type Admission, busy } from '../limits/admission.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { createRequestRecord } from './access-log.ts';
import { plainHeaders } from './headers.ts';
import { type HeldBody, holdBody } from './held-body.ts';
import { createHosts, type PartialHost } from './hosts.ts';
import { type PlainAnswer, unavailable } from './plain-answer.ts';
import { createRequestOrigins } from './request-origin.ts';

/** What a program asks for all day. */
export interface PlainRequest {
  req: IncomingMessage;
  /** Without a query: a request with one is not plain. */
  path: string;
  body: HeldBody;
  request: RequestInfo;
  fromProxy: boolean;
}

/** Undefined: this request asks for more; the whole of the product answers it. It must have had no effect then. */
export type PlainEndpoint = (request: PlainRequest) => PlainAnswer | undefined | Promise<PlainAnswer | undefined>;

/** By method and path: `POST /oauth2/token`. */
export type PlainEndpoints = ReadonlyMap<string, PlainEndpoint>;

export interface FrontOptions {
  config: Pick<Config, 'issuerUrl' | 'secure' | 'allowedHosts' | 'trustedProxies'>;
  clock: Clock;
  log: Log;
  metrics: Pick<Metrics, 'httpRequestDuration'>;
  admission: Admission;
  endpoints: PlainEndpoints;
  partialHost?: PartialHost;
  /** The whole product. It finds the request as it came; a body that was read is held for it. */
  otherwise: RequestListener;
}

/**
 * Answers what programs ask for all day without the layers that pages need: half of the cost of a token lay in those.
 * The rules are the same, and so are their parts: host, client address, limits, headers, log and metrics. Whatever is
 * not plain in every respect goes on to the whole product.
 */
export function createFront(options: FrontOptions): RequestListener {
  const { config, clock, log, metrics, admission, endpoints, otherwise } = options;
  const hosts = createHosts(config, options.partialHost);
  const originOf = createRequestOrigins({ trustedProxies: config.trustedProxies, clock });
  const record = createRequestRecord({ log, metrics });
  const common = plainHeaders(config);
  const refusal = unavailable(busy());

  async function answer(endpoint: PlainEndpoint, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const started = performance.now();
    const { request, fromProxy } = originOf(req);
    const path = req.url ?? '';
    if (!hosts.served(req, path, fromProxy)) return otherwise(req, res);
    let found: PlainAnswer | undefined;
    try {
      const body = req.method === 'POST' ? await holdBody({ req }) : Buffer.alloc(0);
      const admitted = admission.tryAdmit(async () => endpoint({ req, path, body, request, fromProxy }));
      found = admitted === undefined ? refusal : await admitted;
    } catch (error) {
      found = failed(error);
    }
    if (!found) return otherwise(req, res);
    const { status, headers = [], body = '' } = found;
    const bytes = Buffer.byteLength(body);
    // A 304 speaks of an answer that it does not hold (RFC 9110 section 8.6).
    const length = status === 304 ? [] : ['Content-Length', String(bytes)];
    res.writeHead(status, [...common, 'X-Request-Id', request.id, ...length, ...headers]);
    // The same bytes for ASCII, and Node need not look at each.
    res.end(body, bytes === body.length ? 'latin1' : 'utf8');
    const quiet = found === refusal;
    record({ method: req.method ?? '', path, status, request, quiet, seconds: (performance.now() - started) / 1000 });
  }

  /** Undefined for what the whole product has an answer to. */
  function failed(error: unknown): PlainAnswer | undefined {
    if (error instanceof AppError) return undefined;
    log.error({ err: error }, 'a plain request failed');
    return unavailable(new AppError('internal', { status: 500 }));
  }

  return (req, res) => {
    const endpoint = endpoints.get(`${req.method} ${req.url}`);
    const hasUnreadBody = req.method === 'GET' && (req.headers['content-length'] || req.headers['transfer-encoding']);
    if (!endpoint || hasUnreadBody) return otherwise(req, res);
    void answer(endpoint, req, res);
  };
}
