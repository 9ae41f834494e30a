import { randomToken } from '../../kernel/ids.ts';
import { equal, hmac } from '../../platform/crypto/digest.ts';
import type { Ctx } from '../../platform/web/context.ts';

/** Browsers in which an account completed a sign-in before: strangers' tries can't lock its owner out of them. */
export interface Devices {
  /** The device's id, if this browser proves that the account (normalised login) signed in here. */
  of(ctx: Ctx, account: string): string | undefined;
  remember(ctx: Ctx, account: string): void;
}

const SEPARATOR = '~';
/** People who share a browser; the one who was here longest ago is forgotten first. */
const MOST_ACCOUNTS = 4;
/** Browsers keep no cookie longer (RFC 6265bis section 5.5). */
const MAX_AGE_MS = 400 * 86_400_000;

export function createDevices({ key, secure }: { key: Buffer; secure: boolean }): Devices {
  const cookie = secure ? '__Host-postern-device' : 'postern-device';
  const mac = (id: string, account: string): Buffer => hmac(key, JSON.stringify(['device', id, account]));

  function entries(ctx: Ctx): string[] {
    return (ctx.cookies.get(cookie, { signed: false }) ?? '').split(SEPARATOR).slice(0, MOST_ACCOUNTS);
  }

  /** An entry is `<id>.<mac over id and account>`: it names nobody. */
  function idIn(entry: string, account: string): string | undefined {
    const [id, proof] = entry.split('.');
    if (id === undefined || proof === undefined) return undefined;
    return equal(Buffer.from(proof, 'base64url'), mac(id, account)) ? id : undefined;
  }

  return {
    of: (ctx, account) =>
      entries(ctx)
        .map((entry) => idIn(entry, account))
        .find((id) => id !== undefined),

    remember(ctx, account) {
      const known = entries(ctx);
      const own = known.find((entry) => idIn(entry, account) !== undefined);
      const id = randomToken(16);
      const entry = own ?? `${id}.${mac(id, account).toString('base64url')}`;
      const others = known.filter((other) => other !== own && other !== '');
      ctx.cookies.set(cookie, [entry, ...others].slice(0, MOST_ACCOUNTS).join(SEPARATOR), {
        httpOnly: true,
        sameSite: 'lax',
        secure,
        path: '/',
        maxAge: MAX_AGE_MS,
        signed: false,
        overwrite: true,
      });
    },
  };
}
