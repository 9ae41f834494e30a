import type { RequestInfo } from '../../kernel/request-info.ts';
import type { Interaction, Needs } from './module.ts';
import type { Elsewhere, Finished, Progress, Reached } from './progress.ts';
import type { AttemptStore } from './store.ts';
import type { Throttled, Tries, Try } from './tries.ts';

export interface FactorStep {
  proveTotp(
    interaction: Interaction,
    code: string,
    request: RequestInfo,
  ): Promise<Finished | { kind: 'refused'; reason: 'wrong_code' | 'code_reused' } | Throttled | Elsewhere>;
  proveRecovery(
    interaction: Interaction,
    code: string,
    request: RequestInfo,
  ): Promise<{ kind: 'proven' } | { kind: 'refused' } | Throttled | Elsewhere>;
}

/** The second step: a code of the authenticator, or a recovery code that leads on to a new factor. */
export function createFactorStep(needs: Needs, store: AttemptStore, progress: Progress, tries: Tries): FactorStep {
  const { db, audit, normalizeEmail, credentials } = needs;

  async function begin(
    interaction: Interaction,
    factor: 'totp' | 'recovery',
    request: RequestInfo,
  ): Promise<{ one: Try; reached: Reached } | Throttled | Elsewhere> {
    const position = await progress.position(interaction);
    if (position.step !== 'factor') return { kind: 'elsewhere' };
    const { attempt, account } = position;
    const login = normalizeEmail(account.email);
    const one: Try = { interaction, factor, login, account, request };
    return (await tries.reserve(one)) ?? { one, reached: { attempt, account } };
  }

  return {
    async proveTotp(interaction, code, request) {
      const begun = await begin(interaction, 'totp', request);
      if ('kind' in begun) return begun;
      const { one, reached } = begun;
      const result = await credentials.totp.redeem(reached.account.id, code);
      if (result !== 'accepted') {
        const reason = result === 'reused' ? 'code_reused' : 'wrong_code';
        await tries.failed(one, reason);
        return { kind: 'refused', reason };
      }
      await tries.succeeded(one);
      return db.tx(async (tx) => {
        await audit.in(tx, tries.success(one));
        return progress.finish(tx, interaction, reached, request);
      });
    },

    async proveRecovery(interaction, code, request) {
      const begun = await begin(interaction, 'recovery', request);
      if ('kind' in begun) return begun;
      const { one, reached } = begun;
      if (!(await credentials.recovery.use(reached.account.id, code))) {
        await tries.failed(one, 'wrong_code');
        return { kind: 'refused' };
      }
      await tries.succeeded(one);
      const seed = progress.offerSeed(interaction);
      const uidHash = progress.uidHash(interaction);
      return db.tx(async (tx) => {
        await audit.in(tx, tries.success(one));
        // The other window may have finished with the authenticator: then the code is spent and this one is too late.
        if ((await store.lock(tx, uidHash)) === null) return { kind: 'elsewhere' } as const;
        await store.recovered(tx, uidHash, seed);
        return { kind: 'proven' } as const;
      });
    },
  };
}
