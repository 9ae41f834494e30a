import type { UserAdminNeeds } from './admin-needs.ts';
import type { UserView } from './service.ts';

/** Mails that tell people what an admin did to their account. They go out after the commit and never fail a change. */
export function createUserMail({ mail, mailText, log }: Pick<UserAdminNeeds, 'mail' | 'mailText' | 'log'>) {
  async function send(user: UserView, about: string, params: Record<string, string | number>): Promise<boolean> {
    try {
      await mail.send({
        to: user.email,
        subject: mailText(`accounts.mail.${about}_subject`, params),
        text: mailText(`accounts.mail.${about}_text`, params),
      });
      return true;
    } catch (error) {
      log.error({ err: error, user: user.id }, `the mail about ${about} could not be sent`);
      return false;
    }
  }

  return {
    /** Whether it is on its way to the person. */
    async invite(user: UserView, url: string, expiresAt: Date): Promise<boolean> {
      if (!mail.delivers) return false;
      return send(user, 'invite', {
        name: user.name,
        url,
        until: `${expiresAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`,
      });
    },
    factorsReset: (user: UserView) => send(user, 'factors_reset', { name: user.name }),
  };
}
