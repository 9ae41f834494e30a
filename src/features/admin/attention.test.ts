import { expect, test } from '@jest/globals';
import { attentionTo } from './attention.ts';

const calm = {
  users: 3,
  invited: 0,
  disabled: 0,
  admins: 2,
  without_factor: 0,
  stale_invites: 0,
  sessions: 1,
  service_accounts: 0,
  applications: 0,
  apis: 0,
  key_days: 10,
};
const settled = { mails: true, secure: true, embedded: false };
const codes = (...input: Parameters<typeof attentionTo>) => attentionTo(...input).map((item) => item.code);

test('an installation in order needs nobody', () => {
  expect(attentionTo(calm, 0, settled)).toEqual([]);
});

test('each thing that needs somebody is named, warnings first', () => {
  const figures = { ...calm, users: 500, admins: 1, without_factor: 2, stale_invites: 1, key_days: 91 };
  expect(codes(figures, 100, { mails: false, secure: false, embedded: true })).toEqual([
    'many_problems',
    'old_key',
    'one_admin',
    'without_factor',
    'stale_invites',
    'not_secure',
    'no_mail',
    'embedded',
  ]);
});
