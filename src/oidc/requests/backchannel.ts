import { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { isPlainText } from '../../kernel/text.ts';
import { type BackchannelNotice, noticeOf } from './backchannel-notice.ts';
import { KIND } from './backchannel-store.ts';

/** Seconds that a request is open: unless it says otherwise (requested_expiry), and at the most. */
const OPEN = 300;
const LONGEST = 600;
/** Characters of a binding message: it has to be read on both devices. */
const LONGEST_MESSAGE = 64;
const LONGEST_HINT = 320;

type Feature = NonNullable<NonNullable<Configuration['features']>['ciba']>;

export interface BackchannelNeeds {
  /** The id of the person who signs in by this name. */
  personOf(login: string): Promise<string | undefined>;
  /** Tells the person. It neither throws nor holds the answer up. */
  tell(notice: BackchannelNotice): void;
}

/** For the library's own option: how long a request is open, in seconds. */
export function backchannelTtl(ctx: KoaContextWithOIDC): number {
  const requested = Number(ctx.oidc.params?.requested_expiry ?? OPEN);
  return Math.min(requested, LONGEST);
}

/**
 * No browser's session stands behind tokens that were asked for by this way, and so none ends them: they can be renewed
 * only where the person allowed that (offline_access).
 */
export function mayRefresh(source: { kind: string; scopes: Set<string> }): boolean {
  return source.kind !== KIND || source.scopes.has('offline_access');
}

/**
 * Poll mode alone: nothing is sent to an address that a client registered. A person is named by the name that they sign
 * in with, or by an ID token of theirs; an unknown one is the specification's own error, which only a client that proved
 * who it is, and that an admin switched this on for, gets to see.
 */
export function backchannel({ personOf, tell }: BackchannelNeeds): Feature {
  return {
    enabled: true,
    deliveryModes: ['poll'],

    async processLoginHint(_ctx, hint) {
      const known = typeof hint === 'string' && hint.length <= LONGEST_HINT && isPlainText(hint);
      return known ? await personOf(hint) : undefined;
    },

    async processLoginHintToken() {
      throw new errors.InvalidRequest('login_hint_token is not supported: send login_hint or id_token_hint');
    },

    async validateBindingMessage(_ctx, message) {
      if (message === undefined) return;
      const length = [...message].length;
      if (length >= 1 && length <= LONGEST_MESSAGE && message.trim() !== '' && isPlainText(message)) return;
      throw new errors.InvalidBindingMessage(`binding_message is plain text of at most ${LONGEST_MESSAGE} characters`);
    },

    // Nothing is decided by it, and it is not kept.
    async validateRequestContext() {},
    // What protects people from prompts are limits and a fresh second factor, not a code that they tell applications.
    async verifyUserCode() {},

    async triggerAuthenticationDevice(ctx) {
      const notice = noticeOf(ctx);
      if (notice) tell(notice);
    },
  };
}
