import type { Middleware } from 'koa';

/** Corrects what the library lists of its own accord: user codes, which are never asked for, and lists without entries. */
export const correctMetadata: Middleware = async (ctx, next) => {
  await next();
  if (!ctx.path.startsWith('/.well-known/') || typeof ctx.body !== 'object' || ctx.body === null) return;
  const listed = ctx.body as Record<string, unknown>;
  if ('backchannel_user_code_parameter_supported' in listed) listed.backchannel_user_code_parameter_supported = false;
  // RFC 8414 section 2: what has zero elements is left out.
  for (const [name, value] of Object.entries(listed)) {
    if (Array.isArray(value) && value.length === 0) delete listed[name];
  }
};
