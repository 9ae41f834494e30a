import { z } from 'zod';
import { isPlainText } from './text.ts';

/**
 * What an authorization detail of one type may and must hold (RFC 9396 section 2), as a part of JSON Schema: objects,
 * arrays and scalars with bounds, and nothing that has to be fetched or matched (`$ref`, `pattern`). Fields that the schema
 * doesn't name are refused, whatever it says.
 */
export interface DetailSchema {
  title?: string | undefined;
  description?: string | undefined;
  properties: Record<string, DetailNode>;
  required?: string[] | undefined;
}

type Note = { title?: string | undefined; description?: string | undefined };
type Scalar = string | number | boolean;

export type DetailNode = Note &
  (
    | { type: 'string'; enum?: string[] | undefined; minLength?: number | undefined; maxLength?: number | undefined }
    | {
        type: 'number' | 'integer';
        enum?: number[] | undefined;
        minimum?: number | undefined;
        maximum?: number | undefined;
      }
    | { type: 'boolean' }
    | { type: 'array'; items: DetailNode; minItems?: number | undefined; maxItems?: number | undefined }
    | ({ type: 'object' } & DetailSchema)
  );

/** Bytes of one detail, as JSON. */
export const LARGEST_DETAIL = 4 * 1024;
/** Bytes of a schema, as JSON. */
export const LARGEST_SCHEMA = 8 * 1024;
const DEEPEST = 8;

/** Every detail has these: the type decides about one, and the API about the other. */
const RESERVED = ['type', 'locations'];

const words = z.string().max(200, 'too_long').refine(isPlainText, 'plain_text').optional();
const note = { title: words, description: words };
const count = z.number().int().min(0).max(1_000_000).optional();
const fieldName = z.string().regex(/^[A-Za-z][\w.-]{0,63}$/);

const fields = {
  properties: z.record(
    fieldName,
    z.lazy(() => node),
  ),
  required: z.array(fieldName).max(50).optional(),
  additionalProperties: z.literal(false).optional(),
};

const node: z.ZodType<DetailNode> = z.discriminatedUnion('type', [
  z.strictObject({
    ...note,
    type: z.literal('string'),
    enum: z.array(z.string().max(200).refine(isPlainText, 'plain_text')).min(1).max(100).optional(),
    minLength: count,
    maxLength: count,
  }),
  z.strictObject({
    ...note,
    type: z.enum(['number', 'integer']),
    enum: z.array(z.number()).min(1).max(100).optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
  }),
  z.strictObject({ ...note, type: z.literal('boolean') }),
  z.strictObject({
    ...note,
    type: z.literal('array'),
    items: z.lazy(() => node),
    minItems: count,
    maxItems: count,
  }),
  z.strictObject({ ...note, type: z.literal('object'), ...fields }),
]);

const root = z.strictObject({
  $schema: z.string().max(200).optional(),
  ...note,
  type: z.literal('object'),
  ...fields,
});

/** The schema in a text, or where in it something is that is not understood: a path, `(JSON)`, `(size)` or `(depth)`. */
export function parseDetailSchema(text: string): { schema: DetailSchema } | { at: string } {
  if (Buffer.byteLength(text) > LARGEST_SCHEMA) return { at: '(size)' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { at: '(JSON)' };
  }
  if (isDeeperThan(value, DEEPEST * 2)) return { at: '(depth)' };
  const parsed = root.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const keys = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
    return { at: [...(issue?.path ?? []), ...keys].map(String).join('.').slice(0, 200) || '(type)' };
  }
  const { $schema: _version, type: _object, additionalProperties: _never, ...schema } = parsed.data;
  const reserved = RESERVED.find((name) => Object.hasOwn(schema.properties, name));
  if (reserved !== undefined) return { at: `properties.${reserved}` };
  const unknown = (schema.required ?? []).find((name) => !Object.hasOwn(schema.properties, name));
  return unknown === undefined ? { schema } : { at: `required: ${unknown}` };
}

export function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(inner, levels - 1));
}

/** Where a detail breaks its schema, in words that hold no text of the caller's; undefined where it does not. */
export function detailProblem(schema: DetailSchema, detail: Record<string, unknown>): string | undefined {
  if (Buffer.byteLength(JSON.stringify(detail)) > LARGEST_DETAIL) return 'it is too large';
  if (isDeeperThan(detail, DEEPEST)) return 'it is nested too deeply';
  const { type: _type, locations: _locations, ...rest } = detail;
  return objectProblem(schema, rest, '');
}

function objectProblem(schema: DetailSchema, value: Record<string, unknown>, path: string): string | undefined {
  if (Object.keys(value).some((name) => !Object.hasOwn(schema.properties, name))) {
    return `${path === '' ? 'it' : path} has a field that is not part of its type`;
  }
  const missing = (schema.required ?? []).find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) return `${path}${path && '.'}${missing} is missing`;
  for (const [name, inner] of Object.entries(value)) {
    const known = schema.properties[name];
    const problem = known && problemOf(known, inner, `${path}${path && '.'}${name}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function problemOf(schema: DetailNode, value: unknown, path: string): string | undefined {
  const wrong = `${path} is not what its type allows`;
  switch (schema.type) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : wrong;
    case 'string':
      if (typeof value !== 'string' || !isPlainText(value)) return wrong;
      return isWithin([...value].length, schema.minLength, schema.maxLength) && isAmong(schema.enum, value)
        ? undefined
        : wrong;
    case 'number':
    case 'integer': {
      const right = schema.type === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value);
      const fits = right && isWithin(Number(value), schema.minimum, schema.maximum);
      return fits && isAmong(schema.enum, Number(value)) ? undefined : wrong;
    }
    case 'array':
      if (!Array.isArray(value) || !isWithin(value.length, schema.minItems, schema.maxItems)) return wrong;
      return value.map((item, index) => problemOf(schema.items, item, `${path}.${index}`)).find((text) => text);
    case 'object':
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong;
      return objectProblem(schema, value as Record<string, unknown>, path);
  }
}

function isWithin(size: number, least: number | undefined, most: number | undefined): boolean {
  return size >= (least ?? Number.NEGATIVE_INFINITY) && size <= (most ?? Number.POSITIVE_INFINITY);
}

function isAmong<T>(allowed: readonly T[] | undefined, value: T): boolean {
  return allowed === undefined || allowed.includes(value);
}

/** One line about a detail for a person: what it is, and its value. */
export interface DetailField {
  label: string;
  value: Scalar;
}

/**
 * The fields of a detail that fits its schema, flat, labelled by their titles: the required ones first, in their order.
 * (The database keeps no order of properties.)
 */
export function detailFields(schema: DetailSchema, detail: Record<string, unknown>): DetailField[] {
  const names = new Set([...(schema.required ?? []), ...Object.keys(schema.properties)]);
  return [...names].flatMap((name) => {
    const inner = schema.properties[name];
    return inner && Object.hasOwn(detail, name) ? fieldsOf(inner, detail[name], inner.title ?? name) : [];
  });
}

function fieldsOf(schema: DetailNode, value: unknown, label: string): DetailField[] {
  if (schema.type === 'object') {
    const inner = detailFields(schema, value as Record<string, unknown>);
    return inner.map((field) => ({ ...field, label: `${label}: ${field.label}` }));
  }
  if (schema.type !== 'array') return [{ label, value: value as Scalar }];
  const items = value as unknown[];
  if (schema.items.type === 'object' || schema.items.type === 'array') {
    return items.flatMap((item, index) => fieldsOf(schema.items, item, `${label} ${index + 1}`));
  }
  return [{ label, value: items.map(String).join(', ') }];
}
