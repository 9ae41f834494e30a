import { setTimeout } from 'node:timers/promises';
import { SIGNING_ALGORITHMS } from '../../kernel/access-token.ts';
import { AppError } from '../../kernel/errors.ts';
import type { Command } from '../command.ts';
import type { KeyView } from '../services.ts';
import { author, oneOf, table } from './shared-options.ts';

export const keyCommands: readonly Command[] = [
  {
    noun: 'keys',
    verb: 'list',
    summary: 'Show the signing keys and what each is used for.',
    options: {},
    async run({ services }) {
      return asOutcome(await (await services()).keys.list());
    },
  },
  {
    noun: 'keys',
    verb: 'rotate',
    summary:
      'Sign with the next key from now on; the old one stays published until its tokens have expired. Waits while the ' +
      'next key is not published for long enough.',
    options: {
      alg: {
        type: 'text',
        oneOf: SIGNING_ALGORITHMS,
        help: 'Whose key; ES256, which also signs the ID tokens, when left out.',
      },
    },
    async run({ input, services, surroundings }) {
      const alg = oneOf(SIGNING_ALGORITHMS, input.optional('alg'));
      const { keys } = await services();
      for (;;) {
        try {
          return asOutcome(await keys.rotate(author(surroundings), alg));
        } catch (error) {
          if (!(error instanceof AppError && error.code === 'signing_keys.too_soon')) throw error;
          const seconds = error.retryAfter ?? 1;
          await surroundings.err(`The waiting key was published a moment ago: rotating in ${seconds} s.\n`);
          await setTimeout(seconds * 1000);
        }
      }
    },
  },
  {
    noun: 'keys',
    verb: 'revoke',
    summary: 'This key leaked: it is taken away at once on all processes, with every access token that it signed.',
    options: {
      kid: { type: 'text', value: 'KID', required: true, help: 'Which key, as `keys list` shows it.' },
      reason: { type: 'text', value: 'TEXT', required: true, help: 'What happened; kept in the audit log.' },
    },
    async run({ input, services, surroundings }) {
      const leaked = { kid: input.text('kid'), reason: input.text('reason') };
      const revoked = await (await services()).keys.revoke(author(surroundings), leaked);
      const { kid, alg, was, successor, tokens } = revoked;
      return {
        json: { kid, alg, was, successor: successor ?? null, tokens },
        text: [
          `${alg} key ${kid} is taken away, and ${tokens} access tokens that it signed are revoked.`,
          ...(successor === undefined ? [] : [`${successor} signs from now on.`]),
          'Services that verify by themselves believe it until they fetch the key set again.',
        ],
      };
    },
  },
];

function asOutcome(keys: readonly KeyView[]) {
  return {
    json: {
      keys: keys.map((key) => ({
        kid: key.kid,
        alg: key.alg,
        status: key.status,
        created_at: key.createdAt.toISOString(),
        activated_at: key.activatedAt?.toISOString() ?? null,
        retires_at: key.retiresAt?.toISOString() ?? null,
      })),
    },
    text: table([
      ['KID', 'ALG', 'STATUS', 'MADE'],
      ...keys.map((key) => [key.kid, key.alg, key.status, key.createdAt.toISOString()]),
    ]),
  };
}
