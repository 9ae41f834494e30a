import { Prisma } from '../../generated/prisma/client.ts';
import { formatPermissionRef } from '../../kernel/permission-ref.ts';
import type { Database, Tx } from '../../platform/db/database.ts';

/** One change of what includes what at a time: of two that would close a circle together, the second sees the first. */
export async function lockInclusions(tx: Tx): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('role_reach'))`;
}

/** Every direct inclusion, by name. */
export async function allInclusions(tx: Tx): Promise<Map<string, Set<string>>> {
  const rows = await tx.roleInclusion.findMany({
    select: { role: { select: { name: true } }, included: { select: { name: true } } },
  });
  const inclusions = new Map<string, Set<string>>();
  for (const { role, included } of rows) {
    inclusions.set(role.name, (inclusions.get(role.name) ?? new Set()).add(included.name));
  }
  return inclusions;
}

export async function rolesNamed(
  tx: Tx,
  names: readonly string[],
): Promise<{ id: string; name: string; builtIn: boolean }[]> {
  return await tx.role.findMany({
    where: { name: { in: [...names] } },
    select: { id: true, name: true, builtIn: true },
  });
}

export async function replaceInclusions(tx: Tx, roleId: string, includedIds: string[]): Promise<void> {
  await tx.roleInclusion.deleteMany({ where: { roleId, includedId: { notIn: includedIds } } });
  await tx.roleInclusion.createMany({
    data: includedIds.map((includedId) => ({ roleId, includedId })),
    skipDuplicates: true,
  });
}

/** The roles that include this one at any depth, and itself: those whose reach a change of it changes. */
export async function reachedFrom(tx: Tx, roleId: string): Promise<string[]> {
  const rows = await tx.roleReach.findMany({ where: { reachesId: roleId }, select: { roleId: true } });
  return rows.map((row) => row.roleId);
}

/** Makes role_reach say again, for these roles, what role_inclusion says. */
export async function refreshReach(tx: Tx, roleIds: string[]): Promise<void> {
  const closure = Prisma.sql`WITH RECURSIVE closure (role_id, reaches_id) AS (
      SELECT id, id FROM role WHERE id = ANY(${roleIds}::uuid[])
      UNION
      SELECT c.role_id, i.included_id FROM closure c JOIN role_inclusion i ON i.role_id = c.reaches_id)`;
  await tx.$executeRaw`${closure} DELETE FROM role_reach r WHERE r.role_id = ANY(${roleIds}::uuid[])
    AND NOT EXISTS (SELECT FROM closure c WHERE c.role_id = r.role_id AND c.reaches_id = r.reaches_id)`;
  await tx.$executeRaw`${closure} INSERT INTO role_reach (role_id, reaches_id)
    SELECT role_id, reaches_id FROM closure ON CONFLICT DO NOTHING`;
}

/** Another role that stands above or below; `direct`: without a third between them. */
export interface RelatedRole {
  name: string;
  direct: boolean;
}

export interface RoleRelations {
  includes: RelatedRole[];
  includedIn: RelatedRole[];
  /** All that a holder may do, each permission with the roles that carry it: the role itself, or what it includes. */
  effective: { ref: string; from: string[] }[];
}

const RELATED = `SELECT r.name, x.below, EXISTS (SELECT FROM role_inclusion i
      WHERE i.role_id = CASE WHEN x.below THEN $1 ELSE r.id END
        AND i.included_id = CASE WHEN x.below THEN r.id ELSE $1 END) AS direct
  FROM (SELECT reaches_id AS id, true AS below FROM role_reach WHERE role_id = $1
    UNION ALL SELECT role_id, false FROM role_reach WHERE reaches_id = $1) x
  JOIN role r ON r.id = x.id WHERE x.id <> $1 ORDER BY r.name`;

const EFFECTIVE = `SELECT a.audience, p.name, json_agg(r.name ORDER BY r.id <> $1, r.name) AS roles
  FROM role_reach x JOIN role_permission rp ON rp.role_id = x.reaches_id JOIN role r ON r.id = x.reaches_id
    JOIN permission p ON p.id = rp.permission_id JOIN api a ON a.id = p.api_id
  WHERE x.role_id = $1 GROUP BY a.audience, p.name ORDER BY a.audience, p.name`;

export async function readRelations(db: Pick<Database, 'query'>, roleId: string): Promise<RoleRelations> {
  const [related, effective] = await Promise.all([
    db.query<RelatedRole & { below: boolean }>('access.related-roles', RELATED, [roleId]),
    db.query<{ audience: string; name: string; roles: string[] }>('access.effective', EFFECTIVE, [roleId]),
  ]);
  const of = (below: boolean) =>
    related.filter((role) => role.below === below).map(({ name, direct }) => ({ name, direct }));
  return {
    includes: of(true),
    includedIn: of(false),
    effective: effective.map(({ audience, name, roles }) => ({
      ref: formatPermissionRef({ audience, name }),
      from: roles,
    })),
  };
}
