import type { SignedInPerson } from '../../platform/web/context.ts';
import type { MyAccountNeeds } from './needs.ts';

export type MyAccountMail = ReturnType<typeof createMyAccountMail>;

/** Tells owners what changed (S73), after the commit; a mail that fails never undoes the change. */
export function createMyAccountMail({
  mail,
  mailText,
  clock,
  log,
}: Pick<MyAccountNeeds, 'mail' | 'mailText' | 'clock' | 'log'>) {
  async function send(person: SignedInPerson, about: string, address: string): Promise<void> {
    const time = `${clock.now().toISOString().slice(0, 16).replace('T', ' ')} UTC`;
    const params = { name: person.name || person.email, time, address };
    try {
      await mail.send({
        to: person.email,
        subject: mailText(`my_account.mail.${about}_subject`, params),
        text: mailText(`my_account.mail.${about}_text`, params),
      });
    } catch (error) {
      log.error({ err: error, user: person.id }, `the mail about ${about} could not be sent`);
    }
  }

  return {
    passwordChanged: (person: SignedInPerson, address: string) => send(person, 'password', address),
    totpReplaced: (person: SignedInPerson, address: string) => send(person, 'totp', address),
    codesReplaced: (person: SignedInPerson, address: string) => send(person, 'codes', address),
  };
}
