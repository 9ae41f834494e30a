import type { Effort, RowName } from '../options.ts';
import type { Row } from '../report.ts';
import type { Stage } from '../stage.ts';

export const CONNECTIONS = 64;

/** Measures one row. */
export type Measure = (stage: Stage, effort: Effort, name: RowName) => Promise<Row>;
