import { afterEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createHealth } from './health.ts';
import { type Management, startManagement } from './management.ts';
import { createMetrics } from './metrics.ts';

const log = pino({ level: 'silent' });
let management: Management | undefined;
afterEach(() => management?.close());

async function start(checks: Record<string, () => Promise<void>>) {
  const metrics = createMetrics({ passwordHashQueue: () => 3 });
  const failures: string[] = [];
  const health = createHealth({ checks, onFailure: (name) => failures.push(name) });
  management = await startManagement({ port: 0, host: '127.0.0.1', metrics, health, log });
  const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${management?.port}${path}`, init);
  return { metrics, health, failures, get };
}

test('serves every metric of the contract, by its name and labels', async () => {
  const { metrics, get } = await start({});
  metrics.httpRequestDuration.observe({ method: 'GET', route: '/setup', status: '200' }, 0.01);
  metrics.signIns.inc({ method: 'password', result: 'failure' });
  metrics.tokensIssued.inc({ grant_type: 'client_credentials', result: 'success' });
  metrics.rateLimited.inc({ limiter: 'sign_in_account' });
  metrics.refreshReuse.inc();
  metrics.auditCommitSeconds.observe(0.002);
  metrics.signingKeyExpiry.set({ kid: 'k1' }, 1_800_000_000);
  const response = await get('/metrics');
  expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
  const text = await response.text();
  for (const line of [
    'http_request_duration_seconds_count{method="GET",route="/setup",status="200"} 1',
    'postern_sign_ins_total{method="password",result="failure"} 1',
    'postern_tokens_issued_total{grant_type="client_credentials",result="success"} 1',
    'postern_rate_limited_total{limiter="sign_in_account"} 1',
    'postern_refresh_reuse_total 1',
    'postern_audit_commit_seconds_count 1',
    'postern_signing_key_expiry_timestamp_seconds{kid="k1"} 1800000000',
    'postern_password_hash_queue 3',
  ]) {
    expect(text).toContain(line);
  }
});

test('healthz speaks for the process, readyz for what it needs, without the reasons', async () => {
  let broken = false;
  const { get, failures } = await start({
    database: async () => {
      if (broken) throw new Error('password authentication failed for user postern');
    },
    keys: async () => undefined,
  });
  expect(await (await get('/readyz')).json()).toEqual({ status: 'ready', failing: [] });
  broken = true;
  await new Promise((resolve) => setTimeout(resolve, 600));
  const response = await get('/readyz');
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({ status: 'not ready', failing: ['database'] });
  expect(failures).toEqual(['database']);
  expect((await get('/healthz')).status).toBe(200);
});

test('S93 a check that hangs has failed', async () => {
  const { health } = await start({ database: () => new Promise(() => undefined) });
  expect(await health.ready()).toEqual({ ready: false, failing: ['database'] });
});

test('draining is not ready', async () => {
  const { health, get } = await start({});
  health.drain();
  expect((await get('/readyz')).status).toBe(503);
});

test('S98 changes nothing and knows nothing else', async () => {
  const { get } = await start({});
  expect((await get('/other')).status).toBe(404);
  const refused = await get('/metrics', { method: 'POST' });
  expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});

test('a port that is taken is said at once', async () => {
  const { metrics, health } = await start({});
  const port = management?.port ?? 0;
  await expect(startManagement({ port, host: '127.0.0.1', metrics, health, log })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
});
