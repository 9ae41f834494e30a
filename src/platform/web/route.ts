import type { z } from 'zod';
import { AppError, type FieldError } from '../../kernel/errors.ts';
import { fieldErrors } from '../../kernel/field-errors.ts';
import { readBody } from './body.ts';
import type { Ctx } from './context.ts';
import { readQuery, refuseNul } from './query.ts';

/** Runs before the handler; throws AppError, or Redirect to send the browser elsewhere. */
export type Guard = (ctx: Ctx) => Promise<void> | void;

export type Method = 'GET' | 'POST' | 'DELETE' | 'PUT' | 'PATCH';

export interface RouteInput<P, Q, B> {
  params: P;
  query: Q;
  body: B;
}

/** What the form page needs to be shown again: what was typed (without secrets), and what is wrong beside each field. */
export interface Invalid {
  values: Record<string, unknown>;
  errors: Record<string, FieldError>;
}

export interface RouteSpec<P, Q, B> {
  method: Method;
  /** As of @koa/router: `/admin/users/:id`. */
  path: string;
  guards?: Guard[];
  /** Without a match the path is "not found": an id that can't exist is answered like one that doesn't (404). */
  params?: z.ZodType<P>;
  /** Without a schema the query is not looked at. */
  query?: z.ZodType<Q>;
  /** Without a schema no field but `_csrf` is accepted. Repeated fields must be named `x[]` and arrive as the array `x`. */
  body?: z.ZodType<B>;
  /** Only for endpoints that do not act by cookie (bearer tokens). */
  csrf?: false;
  /**
   * Renders the form again, as 422, when the body is invalid or the handler throws an AppError with `fields`.
   * Without it the answer is the error page (or problem+json) `invalid_input`.
   */
  invalid?: (ctx: Ctx, input: Invalid, parsed: { params: P; query: Q }) => Promise<void> | void;
}

export interface Route {
  method: Method;
  path: string;
  csrf: boolean;
  handle: (ctx: Ctx, params: Record<string, string>) => Promise<void>;
}

// biome-ignore lint/complexity/noBannedTypes: "no fields" is what an absent schema means
export function route<P = {}, Q = {}, B = {}>(
  spec: RouteSpec<P, Q, B>,
  handler: (ctx: Ctx, input: RouteInput<P, Q, B>) => Promise<void> | void,
): Route {
  async function handle(ctx: Ctx, rawParams: Record<string, string>): Promise<void> {
    // The form is read and its token checked before the guards: a forged post is refused whoever is signed in.
    const raw = spec.method === 'GET' ? {} : await readBody(ctx, { csrf: spec.csrf !== false });
    for (const guard of spec.guards ?? []) await guard(ctx);
    const params = parseParams(spec.params, rawParams);
    const query = parseQuery(spec.query, ctx);
    const body = spec.body === undefined ? noFields<B>(raw) : spec.body.safeParse(raw);
    if (!body.success) {
      const found = fieldErrors(body.error);
      if (found.unknown.length > 0) {
        const fields = Object.fromEntries(found.unknown.map((name) => [name, { code: 'unknown_field' }]));
        throw new AppError('unknown_fields', { status: 400, fields });
      }
      await refuse(ctx, found.errors, raw, { params, query });
      return;
    }
    try {
      await handler(ctx, { params, query, body: body.data });
    } catch (error) {
      if (error instanceof AppError && error.fields !== undefined && spec.invalid !== undefined) {
        if (error.retryAfter !== undefined) ctx.set('Retry-After', String(error.retryAfter));
        await refuse(ctx, error.fields, raw, { params, query }, error.status === 400 ? 422 : error.status);
        return;
      }
      throw error;
    }
  }

  async function refuse(
    ctx: Ctx,
    errors: Record<string, FieldError>,
    raw: Record<string, unknown>,
    parsed: { params: P; query: Q },
    status = 422,
  ): Promise<void> {
    if (spec.invalid === undefined) throw new AppError('invalid_input', { status, fields: errors });
    ctx.status = status;
    await spec.invalid(ctx, { values: withoutSecrets(raw), errors }, parsed);
  }

  return { method: spec.method, path: spec.path, csrf: spec.csrf !== false, handle };
}

function parseParams<P>(schema: z.ZodType<P> | undefined, raw: Record<string, string>): P {
  if (schema === undefined) return {} as P;
  const parsed = schema.safeParse(raw);
  if (!parsed.success) throw new AppError('not_found', { status: 404 });
  for (const value of Object.values(raw)) {
    if (value.includes('\0')) throw new AppError('not_found', { status: 404 });
  }
  return parsed.data;
}

function parseQuery<Q>(schema: z.ZodType<Q> | undefined, ctx: Ctx): Q {
  if (schema === undefined) return {} as Q;
  const raw = readQuery(ctx.querystring);
  refuseNul(raw);
  const parsed = schema.safeParse(raw);
  if (!parsed.success) throw new AppError('invalid_input', { status: 400, fields: fieldErrors(parsed.error).all });
  return parsed.data;
}

function noFields<B>(raw: Record<string, unknown>): { success: true; data: B } {
  const names = Object.keys(raw);
  if (names.length === 0) return { success: true, data: {} as B };
  const fields = Object.fromEntries(names.map((name) => [name, { code: 'unknown_field' }]));
  throw new AppError('unknown_fields', { status: 400, fields });
}

/** Never sends a typed secret back to the page. */
function withoutSecrets(raw: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(raw).filter(([name]) => !/password|secret|^code$|token/i.test(name)));
}
