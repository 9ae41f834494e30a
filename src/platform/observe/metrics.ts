import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** What is measured, by the names that dashboards rely on. Labels never carry a person or an address. */
export interface Metrics {
  httpRequestDuration: Histogram<'method' | 'route' | 'status'>;
  signIns: Counter<'method' | 'result'>;
  tokensIssued: Counter<'grant_type' | 'result'>;
  rateLimited: Counter<'limiter'>;
  refreshReuse: Counter;
  auditCommitSeconds: Histogram;
  /** Seconds since the epoch. */
  signingKeyExpiry: Gauge<'kid'>;
  passwordHashQueue: Gauge;
  /** Exposition format, with its content type. */
  render(): Promise<{ type: string; text: string }>;
}

export interface MetricsOptions {
  /** Jobs that wait for or run on the password hasher, asked when metrics are read. */
  passwordHashQueue?: () => number;
}

export function createMetrics({ passwordHashQueue }: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  return {
    httpRequestDuration: new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Time until an HTTP answer was ready',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    signIns: new Counter({
      name: 'postern_sign_ins_total',
      help: 'Tries to sign in, by method and result',
      labelNames: ['method', 'result'],
      registers,
    }),
    tokensIssued: new Counter({
      name: 'postern_tokens_issued_total',
      help: 'Token requests, by grant type and result',
      labelNames: ['grant_type', 'result'],
      registers,
    }),
    rateLimited: new Counter({
      name: 'postern_rate_limited_total',
      help: 'Requests and tries refused by a limit',
      labelNames: ['limiter'],
      registers,
    }),
    refreshReuse: new Counter({
      name: 'postern_refresh_reuse_total',
      help: 'Refresh tokens presented again after their rotation',
      registers,
    }),
    auditCommitSeconds: new Histogram({
      name: 'postern_audit_commit_seconds',
      help: 'Time until audit events were durable',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
      registers,
    }),
    signingKeyExpiry: new Gauge({
      name: 'postern_signing_key_expiry_timestamp_seconds',
      help: 'When a signing key is due for rotation, in seconds since the epoch',
      labelNames: ['kid'],
      registers,
    }),
    passwordHashQueue: new Gauge({
      name: 'postern_password_hash_queue',
      help: 'Password hashing jobs that wait or run',
      registers,
      collect() {
        if (passwordHashQueue) this.set(passwordHashQueue());
      },
    }),
    render: async () => ({ type: registry.contentType, text: await registry.metrics() }),
  };
}
