import { AppError } from '../../kernel/errors.ts';
import type { ChangeBy } from '../audit/change.ts';
import type { Ctx, SignedInPerson } from './context.ts';

/** The signed-in person behind a page that a console guard protects. */
export function personOf(ctx: Ctx): SignedInPerson {
  if (!ctx.state.person)
    throw new AppError('internal', { status: 500, detail: `${ctx.path} has no guard that signs in` });
  return ctx.state.person;
}

/** Who asks for a change on a page, for its audit event. */
export function originOf(ctx: Ctx): ChangeBy {
  const { id, email } = personOf(ctx);
  return { by: { type: 'user', id, name: email }, request: ctx.state.request };
}
