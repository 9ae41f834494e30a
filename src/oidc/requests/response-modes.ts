import Provider, { type KoaContextWithOIDC } from 'oidc-provider';
import { factsOf } from '../client-facts.ts';

type Handler = Parameters<Provider['registerResponseMode']>[1];

/** Handlers as the library made them, by the name of their mode. */
const handlers = new WeakMap<Provider, Map<string, Handler>>();

const isSigned = (mode: string) => mode.endsWith('jwt');

/** The mode in which this client is answered, whatever mode its request, or an attacker's version of it, asks for. */
function answeredBy(ctx: KoaContextWithOIDC, mode: string): string {
  const signs = factsOf(ctx.oidc.client).settings.signedResponses === true;
  if (signs) return isSigned(mode) ? mode : `${mode}.jwt`;
  return isSigned(mode) ? (mode.split('.').at(-2) ?? 'query') : mode;
}

/**
 * The library, with JARM as a property of the client: all answers to one that is switched to signed responses are
 * signed, refusals too, and none to any other. The library goes by the request's response_mode alone.
 */
export class SwitchedProvider extends Provider {
  override registerResponseMode(name: string, handler: Handler): void {
    const known = handlers.get(this) ?? new Map<string, Handler>();
    handlers.set(this, known.set(name, handler));
    super.registerResponseMode(name, async (ctx, redirectUri, payload) => {
      const mode = answeredBy(ctx, name);
      const answer = known.get(mode);
      if (!answer) throw new Error(`no response mode ${mode}`);
      // The library's handler of JWTs reads from here which way they go.
      if (ctx.oidc.params) ctx.oidc.params.response_mode = mode;
      await answer.call(this, ctx, redirectUri, payload);
    });
  }
}
