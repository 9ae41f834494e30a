import type Koa from 'koa';
import type { RequestInfo } from '../../kernel/request-info.ts';
import type { Locale, Params, Translate } from './i18n.ts';

/** The person whose console session (/account, /admin) the request carries; set by the console's guards. */
export interface SignedInPerson {
  id: string;
  email: string;
  name: string;
  roles: string[];
  sessionUid: string;
  acr: string;
  authTime: Date;
  /** Requests of applications that wait for this person's decision (CIBA). */
  openApprovals?: number;
}

export type FlashKind = 'success' | 'info' | 'warning' | 'error';

export interface Flash {
  kind: FlashKind;
  /** A key of the locale files. */
  key: string;
  params?: Params;
}

/** Notices that outlive one redirect, in a short-lived signed cookie. */
export interface FlashJar {
  put(flash: Flash): void;
  /** The notices to show now; they are gone afterwards. */
  take(): Flash[];
}

/** What every request carries, from the web server on. */
export interface WebState {
  request: RequestInfo;
  /** The peer is a configured proxy: its forwarded headers count. */
  fromProxy: boolean;
  /** The pattern of the route that answers, for logs and metrics. */
  route?: string;
  /** The CSP nonce of this answer, for `<script nonce>`. */
  nonce: string;
  readonly locale: Locale;
  readonly t: Translate;
  /** For the hidden field `_csrf`; reading it sets the cookie that the token belongs to. */
  readonly csrfToken: string;
  /** Throws AppError `csrf` (403) unless a page of ours sent the form; the routes call it. */
  checkCsrf(posted: unknown): void;
  /** Notices kept over one redirect. */
  readonly flash: FlashJar;
  person?: SignedInPerson;
}

export type Ctx = Koa.ParameterizedContext<WebState>;
export type WebMiddleware = (ctx: Ctx, next: () => Promise<void>) => Promise<void> | void;
