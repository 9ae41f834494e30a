import type { Server } from '../arena.ts';
import { fillRows } from '../growth.ts';
import { clientCredentials, tokenAndIntrospection } from '../loads.ts';
import { measure } from '../measure.ts';
import { rowOf } from '../report.ts';
import { contestant, type Measure } from './row.ts';

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
    const load = clientCredentials();
    const contestants = [
      await contestant('product', stage, two, load),
      await contestant('one process', stage, one, load),
    ];
    const measured = await measure(arena, guard, contestants, effort);
    return { ...rowOf(name, measured, 'one process'), note: 'load and PostgreSQL share the cores with the processes' };
  } finally {
    await two.stop();
    await one.stop();
    await arena.keepApart(true);
  }
};

/** Two servers, on a database with many rows and on one with few. */
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
    const contestants = [
      await contestant('product', stage, many, tokenAndIntrospection),
      await contestant('few', stage, few, tokenAndIntrospection),
    ];
    const measured = await measure(arena, guard, contestants, effort);
    const note = `${effort.rows.toLocaleString('en')} token and event rows against ${FEW_ROWS.toLocaleString('en')}`;
    return { ...rowOf(name, measured, 'few'), note };
  } finally {
    for (const server of servers) await server.stop();
  }
};

/** The same server asked by all of its clients in turn, and by ten of them. */
export const growthClients: Measure = async (stage, effort, name) => {
  const [product, guard] = [await stage.product(), await stage.floor()];
  const clients = stage.arena.data.services.length;
  const contestants = [
    await contestant('product', stage, product, clientCredentials({ clients })),
    await contestant('few', stage, product, clientCredentials({ clients: FEW_CLIENTS })),
  ];
  const measured = await measure(stage.arena, guard, contestants, effort);
  return {
    ...rowOf(name, measured, 'few'),
    note: `${clients.toLocaleString('en')} clients against ${FEW_CLIENTS}`,
  };
};
