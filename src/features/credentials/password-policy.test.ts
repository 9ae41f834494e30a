import { describe, expect, test } from '@jest/globals';
import { checkPasswordPolicy } from './password-policy.ts';

const ada = { email: 'ada.lovelace@analytical.example', name: 'Ada Lovelace' };
const check = (password: string) => checkPasswordPolicy(password, ada);
const common = { code: 'password.common' };
const context = { code: 'password.context' };

describe('password policy', () => {
  test('S57 eight characters are enough beside a second factor, seven are not', () => {
    expect(check('kX9#vLq')).toEqual({ code: 'password.too_short', params: { min: 8 } });
    expect(check('kX9#vLq2')).toBeNull();
  });

  test('S57 characters are counted, not bytes or code units', () => {
    expect(check('🦊🐍🌲🌊')).toMatchObject({ code: 'password.too_short' });
    expect(check('🦊🐍🌲🌊🌙🍄🎻🧭')).toBeNull();
  });

  test('S57 64 characters and more are taken, up to 1024', () => {
    const phrase = 'purple turtles eat trams on quiet evenings, ';
    expect(check(phrase.repeat(30).slice(0, 64))).toBeNull();
    expect(check(phrase.repeat(30).slice(0, 1024))).toBeNull();
    expect(check(phrase.repeat(30).slice(0, 1025))).toEqual({ code: 'password.too_long', params: { max: 1024 } });
  });

  test.each([
    ...[
      'password',
      'Password1!',
      'P4ssw0rd!2024',
      '$unshine1',
      'Summer2026!',
      'trustno1',
      'iloveyou!!',
      'monkeymonkey',
    ],
    ...[
      '12345678',
      '87654321',
      'aaaaaaaa',
      'abcabcabc',
      '12121212',
      'abcdefgh',
      'qwertyuiop',
      '1q2w3e4r5t',
      'a1b2c3d4',
    ],
    ...['correct horse battery staple', 'p a s s w o r d', 'passwort123', 'йцукен', 'contraseña1'],
  ])('S58 a common password is refused: %s', (password) => {
    expect(check(password.padEnd(8, '1'))).toEqual(common);
  });

  test.each([
    ...['postern123', 'Postern-2026!', 'postern-rocks-2026', 'p0stern!!!!', 'admin-postern-8271'],
    ...[
      'ada-lovelace-2024!',
      'Adalovelace',
      'lovelace1815',
      'ada.lovelace@analytical.example',
      'l0velace!!',
      'analytical7',
    ],
  ])('S58 a word from the context is refused: %s', (password) => {
    expect(check(password)).toEqual(context);
  });

  test('S58 a context word inside a password that holds without it is fine', () => {
    expect(check('lovelace wrote long notes on engines')).toBeNull();
    expect(check('Ada7f9Qx2!kLp')).toBeNull();
  });

  test.each(['28417k97750', '91ab740268', '{"not":""}', '402abc8815'])(
    'S59 few letters among digits and signs are no hindrance: %s',
    (password) => {
      expect(check(password)).toBeNull();
    },
  );

  test.each(['purple turtle eats trams', 'zwkelpqostrich', '8274619305', 'UPPERCASE GRAVEL', '     spaced     out'])(
    'S59 no composition is asked for: %s',
    (password) => {
      expect(check(password)).toBeNull();
    },
  );
});
