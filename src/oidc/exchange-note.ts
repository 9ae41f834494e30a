import type { AccountRecord } from './account-row.ts';
import type { ClientFacts } from './client-source.ts';

/** Who acts, the latest outermost (RFC 8693 section 4.1). `sub` is a client_id. */
export interface Act {
  sub: string;
  act?: Act;
}

/** Whom an exchanged token speaks for: whoever the subject token spoke for. */
export type ExchangeSubject =
  | {
      type: 'user';
      id: string;
      name: string;
      account: AccountRecord;
      signIn: { authTime?: number; acr?: string; amr?: string[] };
    }
  | { type: 'service_account'; id: string; name: string; sub: string; facts: ClientFacts };

/** What a request exchanges (RFC 8693), for whatever makes the claims, the row and the event of the new token. */
export interface ExchangeNote {
  subject: ExchangeSubject;
  act: Act;
  /** Of the subject token's row. */
  parentJti: string;
}

const notes = new WeakMap<object, ExchangeNote>();

export function noteExchange(ctx: object, note: ExchangeNote): void {
  notes.set(ctx, note);
}

export function exchangeOf(ctx: object | undefined): ExchangeNote | undefined {
  return ctx && notes.get(ctx);
}

/** Columns of the token's row that follow the subject instead of the client. */
export function exchangedColumns(
  note: ExchangeNote | undefined,
): { service_account_id: string | null; parent_jti: string } | undefined {
  if (!note) return undefined;
  const { subject, parentJti } = note;
  return { service_account_id: subject.type === 'service_account' ? subject.id : null, parent_jti: parentJti };
}
