import type { Log } from '../../platform/observe/log.ts';

/** A request that waits for its person. */
export interface Notice {
  id: string;
  person: { email: string; name: string };
  application: string;
  bindingMessage: string | undefined;
}

/**
 * Writes to the person that they are asked. The answer to the application does not wait for it, and the mail holds
 * nothing that would let anybody decide in their place.
 */
export function createApprovalMail(needs: {
  log: Log;
  mail: { send(mail: { to: string; subject: string; text: string }): Promise<void> };
  mailText(key: string, params?: Record<string, string | number>): string;
  issuer: string;
}): (notice: Notice) => void {
  const { log, mail, mailText, issuer } = needs;

  return ({ id, person, application, bindingMessage }) => {
    const params = {
      name: person.name || person.email,
      application,
      link: `${issuer}/account/approvals/${id}`,
      message: bindingMessage ?? '',
    };
    const key = bindingMessage === undefined ? 'approvals.mail.text' : 'approvals.mail.text_with_message';
    mail
      .send({ to: person.email, subject: mailText('approvals.mail.subject', params), text: mailText(key, params) })
      .catch((error: unknown) => log.error({ err: error }, 'the mail about an approval could not be sent'));
  };
}
