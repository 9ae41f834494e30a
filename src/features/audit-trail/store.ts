import type { Prisma } from '../../generated/prisma/client.ts';
import { isId } from '../../kernel/ids.ts';
import { decodeTimeCursor, PAGE_SIZE, type Page, type TimeCursor, toPage } from '../../kernel/paging.ts';
import type { Database } from '../../platform/db/database.ts';

export type Outcome = 'success' | 'failure' | 'denied';

export interface EventFilter {
  /** `user.sign_in`, or a noun such as `user` for all of its events. */
  action?: string | undefined;
  outcome?: Outcome | undefined;
  /** An id, or a part of a name. */
  actor?: string | undefined;
  target?: string | undefined;
  client?: string | undefined;
  request?: string | undefined;
  /** Inclusive. */
  from?: Date | undefined;
  /** Exclusive. */
  to?: Date | undefined;
}

export interface EventView {
  id: string;
  time: Date;
  action: string;
  outcome: string;
  reason: string | null;
  actorType: string;
  actorId: string | null;
  actorName: string | null;
  targetType: string | null;
  targetId: string | null;
  targetName: string | null;
  clientId: string | null;
  address: string | null;
  userAgent: string | null;
  requestId: string | null;
  data: unknown;
}

export interface EventStore {
  /** Newest first; `after` is the `next` or `previous` of another page. */
  page(filter: EventFilter, after?: string): Promise<Page<EventView>>;
  byId(id: string): Promise<EventView | null>;
  /** The newest events that the id did or that were done to it. */
  about(id: string, limit: number): Promise<EventView[]>;
  /** The newest of one action. */
  recent(action: string, limit: number): Promise<EventView[]>;
  /** The newest refusals and failures of signing in, of the second factor, of access and of tokens, and how many. */
  problems(since: Date, limit: number): Promise<{ events: EventView[]; count: number }>;
  /** Oldest first, read in batches; events that come later than the call are left out. */
  read(filter: EventFilter, now: Date): AsyncIterable<EventView>;
}

const BATCH = 500;
const PROBLEM_ACTIONS = ['user.sign_in', 'user.factor_used', 'user.password_change', 'access.denied', 'token.refuse'];
const newestFirst = [{ time: 'desc' }, { id: 'desc' }] satisfies Prisma.AuditEventOrderByWithRelationInput[];
const oldestFirst = [{ time: 'asc' }, { id: 'asc' }] satisfies Prisma.AuditEventOrderByWithRelationInput[];
const fields = { seq: true } satisfies Prisma.AuditEventOmit;

export function createEventStore({ prisma }: Pick<Database, 'prisma'>): EventStore {
  return {
    async page(filter, after) {
      const from = decodeTimeCursor(after);
      const cursor = from && isId(from.id) ? from : undefined;
      const rows = await prisma.auditEvent.findMany({
        where: { AND: [toWhere(filter), beyond(cursor)] },
        orderBy: cursor?.towards === 'newer' ? oldestFirst : newestFirst,
        take: PAGE_SIZE + 1,
        omit: fields,
      });
      return toPage(rows, PAGE_SIZE, toView, ({ time, id }) => ({ at: time, id }), cursor);
    },

    byId: async (id) => (isId(id) ? prisma.auditEvent.findUnique({ where: { id }, omit: fields }) : null),

    async about(id, limit) {
      // Two reads, each from its own index: one with OR would sort everything that either matches.
      const [done, suffered] = await Promise.all([
        prisma.auditEvent.findMany({ where: { actorId: id }, orderBy: newestFirst, take: limit, omit: fields }),
        prisma.auditEvent.findMany({
          where: { targetId: id, OR: [{ actorId: null }, { actorId: { not: id } }] },
          orderBy: newestFirst,
          take: limit,
          omit: fields,
        }),
      ]);
      return [...done, ...suffered].sort((a, b) => b.time.getTime() - a.time.getTime()).slice(0, limit);
    },

    recent: (action, limit) =>
      prisma.auditEvent.findMany({ where: { action }, orderBy: newestFirst, take: limit, omit: fields }),

    async problems(since, limit) {
      // Named actions, so that the index by action and time serves: most events of a day are issued tokens.
      const where = { action: { in: [...PROBLEM_ACTIONS] }, outcome: { not: 'success' }, time: { gt: since } };
      const [events, count] = await Promise.all([
        prisma.auditEvent.findMany({ where, orderBy: newestFirst, take: limit, omit: fields }),
        prisma.auditEvent.count({ where }),
      ]);
      return { events, count };
    },

    async *read(filter, now) {
      const until = filter.to && filter.to < now ? filter.to : now;
      const where = toWhere({ ...filter, to: until });
      let cursor: TimeCursor | undefined;
      for (;;) {
        const rows = await prisma.auditEvent.findMany({
          where: { AND: [where, beyond(cursor)] },
          orderBy: oldestFirst,
          take: BATCH,
          omit: fields,
        });
        yield* rows.map(toView);
        const last = rows.at(-1);
        if (!last || rows.length < BATCH) return;
        cursor = { at: last.time, id: last.id, towards: 'newer' };
      }
    },
  };
}

type EventRow = Omit<Prisma.AuditEventGetPayload<object>, 'seq'>;

function toView(row: EventRow): EventView {
  return row;
}

// The first condition alone lets the index be entered at the position.
function beyond(cursor: TimeCursor | undefined): Prisma.AuditEventWhereInput {
  if (!cursor) return {};
  const { at, id } = cursor;
  return cursor.towards === 'newer'
    ? { time: { gte: at }, OR: [{ time: { gt: at } }, { id: { gt: id } }] }
    : { time: { lte: at }, OR: [{ time: { lt: at } }, { id: { lt: id } }] };
}

function toWhere(filter: EventFilter): Prisma.AuditEventWhereInput {
  const { action, outcome, actor, target, client, request, from, to } = filter;
  const all: Prisma.AuditEventWhereInput[] = [];
  if (action) all.push({ action: action.includes('.') ? action : { startsWith: `${escapeLike(action)}.` } });
  if (outcome) all.push({ outcome });
  if (actor) {
    all.push(isId(actor) ? { actorId: actor } : { OR: [{ actorId: actor }, { actorName: partOf(actor) }] });
  }
  if (target) {
    all.push(isId(target) ? { targetId: target } : { OR: [{ targetId: target }, { targetName: partOf(target) }] });
  }
  if (client) all.push({ clientId: client });
  if (request) all.push({ requestId: request });
  if (from || to) all.push({ time: { ...(from && { gte: from }), ...(to && { lt: to }) } });
  return { AND: all };
}

function partOf(text: string): Prisma.StringNullableFilter<'AuditEvent'> {
  return { contains: escapeLike(text), mode: 'insensitive' };
}

// Prisma hands the text to LIKE as it is: % and _ would be wildcards.
function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
