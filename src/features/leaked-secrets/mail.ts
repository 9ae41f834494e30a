import type { Mailer } from '../../platform/mail/mailer.ts';
import type { Log } from '../../platform/observe/log.ts';
import type { Translate } from '../../platform/web/i18n.ts';
import type { Owner } from './store.ts';

export interface LeakMailNeeds {
  mail: Mailer;
  mailText: Translate;
  log: Log;
  /** Without a trailing slash. */
  issuer: string;
  /** E-mail addresses of the people who administer this installation. */
  adminAddresses(): Promise<string[]>;
}

export interface Leak {
  owner: Owner;
  /** The first characters of the secret. */
  prefix: string;
  url: string | undefined;
}

/** Mails to every admin. They go out after the commit and never fail. */
export function createLeakMail({ mail, mailText, log, issuer, adminAddresses }: LeakMailNeeds) {
  return {
    async tell({ owner, prefix, url }: Leak): Promise<void> {
      const { clientId, name, serviceAccountId } = owner;
      const page = serviceAccountId ? `service-accounts/${serviceAccountId}` : `applications/${clientId}`;
      const params = {
        name,
        prefix,
        found: url ?? mailText('leaked_secrets.mail.nowhere'),
        page: `${issuer}/admin/${page}`,
      };
      const subject = mailText('leaked_secrets.mail.subject', params);
      const text = mailText('leaked_secrets.mail.text', params);
      try {
        const sent = await Promise.allSettled((await adminAddresses()).map((to) => mail.send({ to, subject, text })));
        for (const one of sent) if (one.status === 'rejected') throw one.reason;
      } catch (error) {
        log.error({ err: error, client: clientId }, 'a mail about a leaked secret could not be sent');
      }
    },
  };
}
