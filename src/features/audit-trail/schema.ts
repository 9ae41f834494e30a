import { z } from 'zod';
import type { EventFilter } from './store.ts';

const OUTCOMES = ['success', 'failure', 'denied'] as const;

// What a form leaves empty, and what means nothing, is no filter.
const text = (max: number) =>
  z
    .string()
    .trim()
    .max(max)
    .optional()
    .catch(undefined)
    .transform((value) => value || undefined);

const LOCAL_TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)?$/;

const filterFields = {
  action: text(80),
  outcome: z.enum(OUTCOMES).optional().catch(undefined),
  actor: text(254),
  target: text(254),
  client: text(200),
  request: text(100),
  from: text(30),
  to: text(30),
};

export const eventQuery = z.object({ ...filterFields, after: text(200) });

export const exportForm = z.strictObject({ ...filterFields, format: z.enum(['jsonl', 'csv'], 'required') });

type FilterFields = Omit<z.output<typeof eventQuery>, 'after'>;

/** Times come from `datetime-local` fields, which name no zone: they are read as UTC, like everything in the trail. */
export function toFilter({ from, to, ...rest }: FilterFields): EventFilter {
  const { action, outcome, actor, target, client, request } = rest;
  return { action, outcome, actor, target, client, request, from: toTime(from), to: toTime(to) };
}

function toTime(text: string | undefined): Date | undefined {
  if (text === undefined || !LOCAL_TIME.test(text)) return undefined;
  const time = new Date(text.includes('T') ? `${text}Z` : `${text}T00:00:00Z`);
  return Number.isNaN(time.getTime()) ? undefined : time;
}
