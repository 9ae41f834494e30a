import type Koa from 'koa';

/** What the browser itself says of the page that sent a form (Fetch metadata; RFC 6454). */
export function isCrossSite(ctx: Koa.Context, issuer: string): boolean {
  const site = ctx.get('sec-fetch-site');
  const origin = ctx.get('origin');
  return (site !== '' && site !== 'same-origin' && site !== 'none') || !['', 'null', issuer].includes(origin);
}
