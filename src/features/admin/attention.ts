import type { Figures } from './store.ts';

/** Something that an admin should look at; its text is `admin.attention.<code>`. */
export interface Attention {
  code: string;
  kind: 'warning' | 'info';
  params: Record<string, number>;
  /** Where to do something about it; what only a setting changes has none. */
  href?: string;
}

/** What the settings say of the installation. */
export interface Installation {
  /** Mails leave the house. */
  mails: boolean;
  /** The issuer is https. */
  secure: boolean;
  /** The database is the embedded one. */
  embedded: boolean;
}

const ROTATION_DAYS = 90;
/** Of one day; fewer happen to everybody who mistypes. */
const MANY_PROBLEMS = 100;

/** Pure: the same facts give the same list, the most urgent first. */
export function attentionTo(figures: Figures, problems: number, installation: Installation): Attention[] {
  const found: Attention[] = [];
  if (problems >= MANY_PROBLEMS) {
    found.push({
      code: 'many_problems',
      kind: 'warning',
      params: { count: problems },
      href: '/admin/audit?outcome=failure',
    });
  }
  if (figures.key_days > ROTATION_DAYS) {
    found.push({ code: 'old_key', kind: 'warning', params: { count: figures.key_days } });
  }
  if (figures.admins === 1) found.push({ code: 'one_admin', kind: 'warning', params: {}, href: '/admin/users/new' });
  if (figures.without_factor > 0) {
    const params = { count: figures.without_factor };
    found.push({ code: 'without_factor', kind: 'info', params, href: '/admin/users?status=active' });
  }
  if (figures.stale_invites > 0) {
    const params = { count: figures.stale_invites };
    found.push({ code: 'stale_invites', kind: 'info', params, href: '/admin/users?status=invited' });
  }
  if (!installation.secure) found.push({ code: 'not_secure', kind: 'info', params: {} });
  if (!installation.mails) found.push({ code: 'no_mail', kind: 'info', params: {} });
  if (installation.embedded && figures.users > 100) found.push({ code: 'embedded', kind: 'info', params: {} });
  return found;
}
