import type { Ctx } from '../../platform/web/context.ts';

/** Seconds that a proven password may be carried from setup or an accepted invitation into the sign-in. */
const ticketSeconds = 300;

/** Carries the token of a one-time ticket from the page that proved a password to the sign-in of the same browser. */
export interface TicketCookie {
  /** How long a ticket is good for. */
  seconds: number;
  issue(ctx: Ctx, token: string): void;
  read(ctx: Ctx): string | undefined;
  clear(ctx: Ctx): void;
}

export function createTicketCookie({ secure }: { secure: boolean }): TicketCookie {
  const name = secure ? '__Host-postern_ticket' : 'postern_ticket';
  // Lax, not Strict: the redirects between here and the sign-in page must bring it along.
  const options = { httpOnly: true, sameSite: 'lax', secure, path: '/', signed: false, overwrite: true } as const;
  return {
    seconds: ticketSeconds,
    issue: (ctx, token) => {
      ctx.cookies.set(name, token, { ...options, maxAge: ticketSeconds * 1000 });
    },
    read: (ctx) => ctx.cookies.get(name, { signed: false }),
    clear: (ctx) => {
      ctx.cookies.set(name, '', { ...options, maxAge: 0 });
    },
  };
}
