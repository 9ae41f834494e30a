import type { Server } from '../arena.ts';
import type { Load } from '../loads.ts';
import { type Contestant, measure } from '../measure.ts';
import type { Effort, RowName } from '../options.ts';
import { type Row, rowOf } from '../report.ts';
import type { Stage } from '../stage.ts';

/** Measures one row. */
export type Measure = (stage: Stage, effort: Effort, name: RowName) => Promise<Row>;

export async function contestant(name: string, stage: Stage, server: Server, load: Load): Promise<Contestant> {
  return { name, server, job: await load(stage, server) };
}

/** The product against bare, the floor or both, each with its load. */
export async function measureAgainst(
  stage: Stage,
  effort: Effort,
  name: RowName,
  loads: { product: Load; bare?: Load; floor?: Load },
): Promise<Row> {
  const [product, floor] = [await stage.product(), await stage.floor()];
  const contestants = [await contestant('product', stage, product, loads.product)];
  if (loads.bare) contestants.push(await contestant('bare', stage, await stage.bare(), loads.bare));
  if (loads.floor) contestants.push(await contestant('floor', stage, floor, loads.floor));
  return rowOf(name, await measure(stage.arena, floor, contestants, effort));
}
