import { generateSecret, generateURI, verify } from 'otplib';
import { type Clock, epochSeconds } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import type { Envelope } from '../../platform/crypto/envelope.ts';
import type { Tx } from '../../platform/db/database.ts';
import { type CredentialStore, type TotpRow, useTotpStep } from './store.ts';

export interface Totp {
  /** A new seed, stored nowhere yet. */
  begin(): { secret: string /* base32, 160 bits */; otpauthUri(email: string): string };
  /** The same URI for a seed that was begun before (its page is shown again). */
  otpauthUri(secret: string, email: string): string;
  /**
   * Makes the seed the person's factor, if `code` proves that it arrived; takes the place of an earlier factor. The code
   * is used up by that.
   */
  confirm(tx: Tx, userId: string, secret: string, code: string): Promise<boolean>;
  /** One of many parallel tries of the same code wins; a code of an earlier step than the last accepted one fails. */
  verify(userId: string, code: string): Promise<boolean>;
  /** The time step that the code of a factor belongs to, or null. It has yet to be used up, by `useStep`. */
  stepOf(factor: TotpRow, code: string): Promise<bigint | null>;
  /** The UPDATE that changes a row for the one who uses the step up; its arguments are what its values stand in. */
  useStep(id: string, step: string, at: string): string;
  /** As verify, and tells a code that was used before from a wrong one, for the record only. */
  redeem(userId: string, code: string): Promise<'accepted' | 'wrong' | 'reused'>;
}

const PERIOD = 30;
const SEED_BYTES = 20;
const parameters = { strategy: 'totp', algorithm: 'sha1', digits: 6, period: PERIOD } as const;

const aad = (id: string): string => `totp_factor|secret_enc|${id}`;

/** Authenticator apps show a code in two halves: what people type between them is no part of it. */
function digitsOf(code: string): string | null {
  const digits = code.replace(/[\s-]/g, '');
  return /^\d{6}$/.test(digits) ? digits : null;
}

/** RFC 6238 with the parameters that every authenticator app knows: SHA-1, 6 digits, 30 s; one step to either side. */
export function createTotp(deps: {
  store: CredentialStore;
  clock: Clock;
  envelope: Envelope;
  /** The name that the app shows. */
  issuerName: string;
}): Totp {
  const { store, clock, envelope, issuerName } = deps;

  async function stepOfSecret(secret: string, code: string): Promise<bigint | null> {
    const token = digitsOf(code);
    if (!token) return null;
    const result = await verify({
      ...parameters,
      secret,
      token,
      epoch: epochSeconds(clock),
      epochTolerance: PERIOD,
    });
    return result.valid && 'timeStep' in result ? BigInt(result.timeStep) : null;
  }

  const otpauthUri = (secret: string, email: string): string =>
    generateURI({ ...parameters, issuer: issuerName, label: email, secret });

  const stepOf: Totp['stepOf'] = ({ id, secretEnc }, code) =>
    stepOfSecret(envelope.open(secretEnc, aad(id)).toString('utf8'), code);

  async function redeem(userId: string, code: string): Promise<'accepted' | 'wrong' | 'reused'> {
    const factor = await store.totpOf(userId);
    if (!factor) return 'wrong';
    const step = await stepOf(factor, code);
    if (step === null) return 'wrong';
    return (await store.useTotpStep(factor.id, step, clock.now())) ? 'accepted' : 'reused';
  }

  return {
    otpauthUri,

    begin() {
      const secret = generateSecret({ length: SEED_BYTES });
      return { secret, otpauthUri: (email) => otpauthUri(secret, email) };
    },

    async confirm(tx, userId, secret, code) {
      const lastStep = await stepOfSecret(secret, code);
      if (lastStep === null) return false;
      const at = clock.now();
      const id = newId(at.getTime());
      await store.putTotp(tx, { id, userId, secretEnc: envelope.seal(Buffer.from(secret), aad(id)), lastStep, at });
      return true;
    },

    verify: async (userId, code) => (await redeem(userId, code)) === 'accepted',
    stepOf: async (factor, code) => stepOf(factor, code),
    useStep: useTotpStep,
    redeem,
  };
}
