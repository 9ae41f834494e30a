import type { Account, Needs } from './needs.ts';

/** Tells owners of a change (S73), after the commit; a mail that fails never undoes the change. */
export function createSignInMail({ mail, mailText, clock, log }: Pick<Needs, 'mail' | 'mailText' | 'clock' | 'log'>) {
  return {
    async factorReplaced({ id, email, name }: Account, address: string): Promise<void> {
      const time = `${clock.now().toISOString().slice(0, 16).replace('T', ' ')} UTC`;
      const params = { name: name || email, time, address };
      try {
        await mail.send({
          to: email,
          subject: mailText('sign_in.mail.factor_replaced_subject', params),
          text: mailText('sign_in.mail.factor_replaced_text', params),
        });
      } catch (error) {
        log.error({ err: error, user: id }, 'the mail about a replaced factor could not be sent');
      }
    },
  };
}

export type SignInMail = ReturnType<typeof createSignInMail>;
