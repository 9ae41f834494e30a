import { timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../kernel/clock.ts';
import { hmac } from '../crypto/digest.ts';
import type { Ctx, Flash, FlashJar, FlashKind } from './context.ts';
import type { Params } from './i18n.ts';

export interface FlashOptions {
  key: Buffer;
  /** Whether the issuer is https. */
  secure: boolean;
  clock: Clock;
}

/** Shows a notice on the next page rendered for this browser: `flash(ctx, 'success', 'users.disabled', { name })`. */
export function flash(ctx: Ctx, kind: FlashKind, key: string, params?: Params): void {
  ctx.state.flash.put(params === undefined ? { kind, key } : { kind, key, params });
}

/** Milliseconds. */
const LIFETIME = 60_000;
const MOST = 4;
/** A cookie may hold 4 KiB; a long name must not cost the whole answer. */
const LONGEST_PARAM = 200;

/** The jar of one request. The cookie is signed, so that nobody can make the page say what we did not. */
export function openFlashJar(ctx: Pick<Ctx, 'cookies'>, { key, secure, clock }: FlashOptions): FlashJar {
  const cookie = secure ? '__Host-postern-notice' : 'postern-notice';
  const sign = (text: string): string => hmac(key, `flash\0${text}`).toString('base64url');
  let kept: Flash[] | undefined;

  function read(): Flash[] {
    const [text = '', signature = ''] = (ctx.cookies.get(cookie) ?? '').split('.');
    const expected = Buffer.from(sign(text));
    const given = Buffer.from(signature);
    if (expected.length !== given.length || !timingSafeEqual(expected, given)) return [];
    const { at, flashes } = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as {
      at: number;
      flashes: Flash[];
    };
    return clock.now().getTime() - at < LIFETIME ? flashes : [];
  }

  function write(value: string | null): void {
    const life = value === null ? {} : { maxAge: LIFETIME };
    ctx.cookies.set(cookie, value, { httpOnly: true, sameSite: 'lax', secure, path: '/', overwrite: true, ...life });
  }

  return {
    put(flash) {
      kept = [...(kept ?? read()), shortened(flash)].slice(-MOST);
      const text = Buffer.from(JSON.stringify({ at: clock.now().getTime(), flashes: kept })).toString('base64url');
      write(`${text}.${sign(text)}`);
    },
    take() {
      const had = ctx.cookies.get(cookie) !== undefined || kept !== undefined;
      const flashes = kept ?? read();
      kept = [];
      if (had) write(null);
      return flashes;
    },
  };
}

function shortened(flash: Flash): Flash {
  if (flash.params === undefined) return flash;
  const params = Object.entries(flash.params).map(([name, value]) => [
    name,
    typeof value === 'string' && value.length > LONGEST_PARAM ? `${value.slice(0, LONGEST_PARAM)}…` : value,
  ]);
  return { ...flash, params: Object.fromEntries(params) as Params };
}
