import type { Middleware, ParameterizedContext } from 'koa';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../../kernel/errors.ts';
import type { RequestInfo } from '../../kernel/request-info.ts';
import { addressGroup } from './address.ts';

export interface RequestLimitOptions {
  /** Requests that a key may make… */
  points: number;
  /** …in this many seconds. */
  seconds: number;
  /** As the metric names it. */
  name: string;
  onLimited(name: string): void;
}

interface State {
  request: RequestInfo;
}

export interface RequestLimit {
  /** Throws AppError `limits.too_many` (429, retryAfter in seconds) when the key has no requests left. */
  take(key: string): Promise<void>;
  /** Counts by what `keyOf` answers; undefined passes uncounted. */
  middleware(keyOf: (ctx: ParameterizedContext<State>) => string | undefined): Middleware<State>;
  /** Counts by the client's address (IPv6 by /64). */
  byAddress(): Middleware<State>;
}

/**
 * A limit on requests, counted in this process: it keeps a flood off the database, so it must not ask the database.
 * With several processes each counts for itself.
 */
export function createRequestLimit({ points, seconds, name, onLimited }: RequestLimitOptions): RequestLimit {
  const limiter = new RateLimiterMemory({ points, duration: seconds, keyPrefix: name });

  const limit: RequestLimit = {
    async take(key) {
      try {
        await limiter.consume(key);
      } catch (rejection) {
        if (!(rejection instanceof RateLimiterRes)) throw rejection;
        onLimited(name);
        const retryAfter = Math.max(1, Math.ceil(rejection.msBeforeNext / 1000));
        throw new AppError('limits.too_many', {
          status: 429,
          retryAfter,
          params: { seconds: retryAfter, minutes: Math.ceil(retryAfter / 60) },
        });
      }
    },

    middleware(keyOf) {
      return async (ctx, next) => {
        const key = keyOf(ctx);
        if (key !== undefined) await limit.take(key);
        await next();
      };
    },

    byAddress: () => limit.middleware((ctx) => addressGroup(ctx.state.request.address)),
  };
  return limit;
}
