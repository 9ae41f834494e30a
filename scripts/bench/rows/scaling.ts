import type { Server } from '../arena.ts';
import { fillRows } from '../growth.ts';
import type { Job } from '../load/job.ts';
import { measure } from '../measure.ts';
import { rowOf } from '../report.ts';
import { post, tokenRequest } from '../stage.ts';
import { CONNECTIONS, type Measure } from './row.ts';

const FEW_ROWS = 1_000;
const FEW_CLIENTS = 10;

/** client_credentials with two processes against one, all cores open to everybody. */
export const twoWorkers: Measure = async (stage, effort, name) => {
  const { arena } = stage;
  const guard = await stage.floor();
  await arena.keepApart(false);
  const two = await arena.product({ workers: 2 });
  const one = await arena.product({ workers: 1, pinned: false });
  try {
    const requests = arena.data.services.slice(0, FEW_CLIENTS).map((service) => tokenRequest(service));
    const job =
      ({ origin }: Server) =>
      (seconds: number): Job => {
        const plan = { type: 'rotate' as const, requests };
        return { kind: 'closed', origin, connections: CONNECTIONS, seconds, plan };
      };
    const measured = await measure(
      arena,
      guard,
      [
        { name: 'product', server: two, job: job(two) },
        { name: 'one process', server: one, job: job(one) },
      ],
      effort,
    );
    return { ...rowOf(name, measured, 'one process'), note: 'load and PostgreSQL share the cores with the processes' };
  } finally {
    await two.stop();
    await one.stop();
    await arena.keepApart(true);
  }
};

/** A token, and then a question about it: what writes and what reads, with few and with many rows. */
export const growthRows: Measure = async (stage, effort, name) => {
  const { arena } = stage;
  const guard = await stage.floor();
  const clientIds = arena.data.services.map(({ clientId }) => clientId);
  const servers: Server[] = [];
  try {
    for (const [database, rows] of [
      ['postern_many', effort.rows],
      ['postern_few', FEW_ROWS],
    ] as const) {
      const url = await arena.copyOfData(database);
      await fillRows(url, rows, clientIds);
      servers.push(await arena.product({ databaseUrl: url }));
    }
    const [many, few] = servers;
    if (!many || !few) throw new Error('both have been started');
    const pairs = arena.data.services.slice(0, FEW_CLIENTS).map((service) => ({
      first: tokenRequest(service),
      second: post('/oauth2/introspect', service, { token: '{item}' }, true),
    }));
    const job =
      ({ origin }: Server) =>
      (seconds: number): Job => {
        const plan = { type: 'pair' as const, pairs, next: 'access_token' };
        return { kind: 'closed', origin, connections: CONNECTIONS, seconds, plan };
      };
    const measured = await measure(
      arena,
      guard,
      [
        { name: 'product', server: many, job: job(many) },
        { name: 'few', server: few, job: job(few) },
      ],
      effort,
    );
    const note = `${effort.rows.toLocaleString('en')} token and event rows against ${FEW_ROWS.toLocaleString('en')}`;
    return { ...rowOf(name, measured, 'few'), note };
  } finally {
    for (const server of servers) await server.stop();
  }
};

/** The same server asked by all of its clients in turn, and by ten of them. */
export const growthClients: Measure = async (stage, effort, name) => {
  const [product, guard] = [await stage.product(), await stage.floor()];
  const { services } = stage.arena.data;
  const job =
    (count: number) =>
    (seconds: number): Job => {
      const requests = services.slice(0, count).map((service) => tokenRequest(service));
      const plan = { type: 'rotate' as const, requests };
      return { kind: 'closed', origin: product.origin, connections: CONNECTIONS, seconds, plan };
    };
  const measured = await measure(
    stage.arena,
    guard,
    [
      { name: 'product', server: product, job: job(services.length) },
      { name: 'few', server: product, job: job(FEW_CLIENTS) },
    ],
    effort,
  );
  const note = `${services.length.toLocaleString('en')} clients against ${FEW_CLIENTS}`;
  return { ...rowOf(name, measured, 'few'), note };
};
