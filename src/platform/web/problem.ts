import type { AppError } from '../../kernel/errors.ts';
import type { Ctx } from './context.ts';

/** Answers with problem details (RFC 9457): `type` is a URN of the stable code, `errors` names each wrong field. */
export function problem(ctx: Ctx, error: AppError): void {
  const { t } = ctx.state;
  const fields = Object.entries(error.fields ?? {});
  ctx.status = error.status;
  ctx.body = JSON.stringify({
    type: `urn:postern:error:${error.code}`,
    title: t.find(`error.${error.code}`, error.params) ?? error.code,
    status: error.status,
    code: error.code,
    request_id: ctx.state.request.id,
    ...(fields.length > 0 && {
      errors: fields.map(([field, { code, params }]) => ({
        field,
        code,
        detail: t.find(`error.${code}`, params) ?? code,
      })),
    }),
  });
  ctx.type = 'application/problem+json';
}
