import { type DetailField, type DetailSchema, detailFields, detailProblem } from '../../kernel/detail-schema.ts';
import type { Database } from '../../platform/db/database.ts';

/** A type of authorization details, and the API that understands it (RFC 9396 section 2). */
export interface DetailType {
  type: string;
  description: string;
  schema: DetailSchema;
  audience: string;
  apiName: string;
}

export type DetailTypeMap = ReadonlyMap<string, DetailType>;

/** One authorization detail, as a client sent it. */
export interface Detail {
  type: string;
  [field: string]: unknown;
}

/** One authorization detail, as a person reads it. */
export interface DetailInWords {
  type: string;
  description: string;
  apiName: string;
  fields: DetailField[];
}

const ALL = `SELECT t.type, t.description, t.schema, a.audience, a.name AS "apiName"
  FROM authorization_detail_type t JOIN api a ON a.id = t.api_id ORDER BY t.type`;

export async function readDetailTypes(db: Database): Promise<DetailTypeMap> {
  const rows = await db.query<DetailType>('detail-types', ALL, []);
  return new Map(rows.map((row) => [row.type, row]));
}

/** What of the parameter `authorization_details` is a list of details; anything else was refused before. */
export function parseDetails(text: unknown): Detail[] {
  if (typeof text !== 'string') return [];
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? (value as Detail[]) : [];
  } catch {
    return [];
  }
}

/** What is wrong with one detail of a type that exists, or undefined. The text holds nothing that the client sent. */
export function problemWith(type: DetailType, detail: Detail): string | undefined {
  const { locations } = detail;
  const elsewhere = Array.isArray(locations) && (locations.length !== 1 || locations[0] !== type.audience);
  if (locations !== undefined && (!Array.isArray(locations) || elsewhere)) {
    return 'locations is not the API that the type belongs to';
  }
  return detailProblem(type.schema, detail);
}

/** For the pages on which a person is asked. A type that is gone meanwhile is left out, as it is in the tokens. */
export function inWords(types: DetailTypeMap, details: readonly Detail[]): DetailInWords[] {
  return details.flatMap((detail) => {
    const type = types.get(detail.type);
    if (!type || problemWith(type, detail) !== undefined) return [];
    const { description, apiName, schema } = type;
    return [{ type: type.type, description, apiName, fields: detailFields(schema, detail) }];
  });
}
