import type { Account, Interaction, Needs } from './needs.ts';
import type { Elsewhere, Finished, Position, Progress, Reached } from './progress.ts';
import type { AttemptStore } from './store.ts';
import type { Origin, Throttled, Tries, Try } from './tries.ts';

type Standing = Exclude<Position, { step: 'password' }>;

export interface FactorStep {
  proveTotp(
    interaction: Interaction,
    code: string,
    origin: Origin,
  ): Promise<Finished | { kind: 'refused'; reason: 'wrong_code' | 'code_reused' } | Throttled | Elsewhere>;
  proveRecovery(
    interaction: Interaction,
    code: string,
    origin: Origin,
  ): Promise<{ kind: 'proven' } | { kind: 'refused' } | Throttled | Elsewhere>;
}

/** The second step: a code of the authenticator, or a recovery code that leads on to a new factor. */
export function createFactorStep(needs: Needs, store: AttemptStore, progress: Progress, tries: Tries): FactorStep {
  const { db, audit, normalizeEmail, credentials } = needs;

  async function reached(interaction: Interaction): Promise<Standing | null> {
    const position = await progress.position(interaction);
    return position.step === 'factor' ? position : null;
  }

  function tryOf(
    interaction: Interaction,
    { account }: Reached,
    factor: 'totp' | 'recovery',
    origin: Origin,
  ): Try & { account: Account } {
    return { interaction, factor, login: normalizeEmail(account.email), account, origin };
  }

  return {
    async proveTotp(interaction, code, origin) {
      const at = await reached(interaction);
      if (at === null) return { kind: 'elsewhere' };
      const one = tryOf(interaction, at, 'totp', origin);
      const verified = await tries.verify(one, async () => {
        const { factor } = at;
        const step = factor && (await credentials.totp.stepOf(factor, code));
        if (factor === null || step === null) return 'wrong_code';
        const proof = { factorId: factor.id, step, event: tries.success(one), counters: tries.counters(one) };
        return (await progress.finishByCode(interaction, at, origin.request, proof)) ?? 'code_reused';
      });
      if (verified.kind === 'throttled') return verified;
      const { result } = verified;
      if (typeof result === 'string') {
        await tries.failed(one, result);
        return { kind: 'refused', reason: result };
      }
      tries.measure(one);
      return result;
    },

    async proveRecovery(interaction, code, origin) {
      const at = await reached(interaction);
      if (at === null) return { kind: 'elsewhere' };
      const one = tryOf(interaction, at, 'recovery', origin);
      const verified = await tries.verify(one, () => credentials.recovery.use(one.account.id, code));
      if (verified.kind === 'throttled') return verified;
      if (!verified.result) {
        await tries.failed(one, 'wrong_code');
        return { kind: 'refused' };
      }
      await tries.succeeded(one);
      const seed = progress.offerSeed(interaction);
      const uidHash = progress.uidHash(interaction);
      return db.tx(async (tx) => {
        await audit.in(tx, tries.success(one));
        // The other window may have finished with the authenticator, or begun anew as somebody else: then the code is
        // spent and this one is too late. It never counts for a person other than the one that it belongs to.
        const proven = await store.recovered(tx, uidHash, one.account.id, seed);
        return { kind: proven ? 'proven' : 'elsewhere' } as const;
      });
    },
  };
}
