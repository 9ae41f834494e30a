import { createApprovalMail } from '../features/approvals/mail.ts';
import type { BackchannelNeeds } from '../oidc/requests/backchannel.ts';
import type { Foundation } from './foundation.ts';
import type { Parts } from './parts.ts';

/** Who is asked on another device, and how they are told: by the name that they sign in with, and by mail. */
export function backchannelNeeds({ log, config }: Foundation, { accounts, mail, i18n }: Parts): BackchannelNeeds {
  return {
    async personOf(login) {
      const found = await accounts.findByLogin(login);
      return found?.status === 'active' ? found.id : undefined;
    },
    tell: createApprovalMail({ log, mail, mailText: i18n.translator(i18n.fallback), issuer: config.issuer }),
  };
}
