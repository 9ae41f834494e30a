import type { Postern } from './postern.ts';

/** How many rows role_reach or team_reach has too many or too few, against what the direct rows say. */
export async function wrongReach(postern: Postern, of: 'role' | 'team'): Promise<number> {
  const step =
    of === 'role'
      ? 'SELECT c.id, i.included_id FROM closure c JOIN role_inclusion i ON i.role_id = c.reaches_id'
      : 'SELECT c.id, t.parent_id FROM closure c JOIN team t ON t.id = c.reaches_id WHERE t.parent_id IS NOT NULL';
  const [row] = await postern.db.query<{ wrong: number }>(
    `test-reach-${of}`,
    `WITH RECURSIVE closure (id, reaches_id) AS (SELECT id, id FROM ${of} UNION ${step}),
       kept AS (SELECT ${of}_id AS id, reaches_id FROM ${of}_reach)
     SELECT ((SELECT count(*) FROM (SELECT * FROM closure EXCEPT SELECT * FROM kept) a)
       + (SELECT count(*) FROM (SELECT * FROM kept EXCEPT SELECT * FROM closure) b))::int AS wrong`,
    [],
  );
  return row?.wrong ?? -1;
}
