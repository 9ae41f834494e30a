import { AppError } from '../../kernel/errors.ts';
import type { RequestInfo } from '../../kernel/request-info.ts';
import type { AuditEvent } from '../../platform/audit/audit.ts';
import type { Counters } from '../../platform/limits/sign-in-limits.ts';
import type { Account, Interaction, LimitSubject, Needs } from './needs.ts';
import { actorOf, targetOf } from './progress.ts';

export interface Throttled {
  kind: 'throttled';
  /** Seconds until the next try is allowed. */
  retryAfter: number;
}

/** The browser that a try comes from. */
export interface Origin {
  request: RequestInfo;
  /** Its id as a device of that account (normalised login), where it proves to be one. */
  deviceOf(account: string): string | undefined;
}

/** One try of one factor: which, on which login (normalised), by whom if that is known. */
export interface Try {
  interaction: Interaction;
  factor: LimitSubject['kind'];
  login: string;
  account: Account | null;
  origin: Origin;
}

/** Counts tries, and writes each of them down. Every way of proving a factor goes through here. */
export interface Tries {
  /** Counts the try, then verifies: parallel tries can't pass the limit together. */
  verify<T>(one: Try, work: () => Promise<T>): Promise<Throttled | { kind: 'verified'; result: T }>;
  failed(one: Try, reason: string): Promise<void>;
  succeeded(one: Try): Promise<void>;
  /** The event of a success, to be written with the change that follows from it. */
  success(one: Try): AuditEvent;
  /** The counters that the same statement lets know of it. */
  counters(one: Try): Counters;
  /** Measures a success that was written down so. */
  measure(one: Try): void;
}

export function createTries({ limits, audit, pseudonym, count }: Needs): Tries {
  function subject({ factor, login, origin }: Try): LimitSubject {
    const device = origin.deviceOf(login);
    const { address } = origin.request;
    return { kind: factor, account: login, address, ...(device === undefined ? {} : { device }) };
  }

  function event(one: Try, outcome: AuditEvent['outcome'], reason?: string): AuditEvent {
    const { account, factor, interaction, origin } = one;
    return {
      action: 'user.factor_used',
      outcome,
      ...(reason === undefined ? {} : { reason }),
      // What was typed as a login may be a password in the wrong field: of an unknown one only a keyed digest is kept.
      ...(account === null
        ? { actor: { type: 'anonymous' as const }, data: { factor, login: pseudonym(one.login) } }
        : { actor: actorOf(account), target: targetOf(account), data: { factor } }),
      clientId: interaction.client.id,
      request: origin.request,
    };
  }

  return {
    async verify(one, work) {
      try {
        await limits.check(subject(one));
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'limits.too_many') throw error;
        await audit.record(event(one, 'denied', 'throttled'));
        count(one.factor, 'throttled');
        return { kind: 'throttled', retryAfter: error.retryAfter ?? 60 };
      }
      try {
        return { kind: 'verified', result: await work() };
      } catch (error) {
        await limits.release(subject(one));
        throw error;
      }
    },
    async failed(one, reason) {
      await limits.failed(subject(one));
      await audit.record(event(one, 'failure', reason));
      count(one.factor, 'failure');
    },
    async succeeded(one) {
      await limits.succeeded(subject(one));
      count(one.factor, 'success');
    },
    success: (one) => event(one, 'success'),
    counters: (one) => limits.keys(subject(one)),
    measure: (one) => count(one.factor, 'success'),
  };
}
