import type { ClientFacts } from '../client-source.ts';
import type { Act, ExchangeSubject } from '../exchange-note.ts';

/** Services that one request may pass through on behalf of whoever began it. */
export const MOST_ACTORS = 4;

function depth(act: Act | undefined): number {
  return act ? 1 + depth(act.act) : 0;
}

/** The caller outermost (RFC 8693 section 4.1); undefined where the chain would be too long. */
export function actedBy(clientId: string, before: Act | undefined): Act | undefined {
  if (depth(before) >= MOST_ACTORS) return undefined;
  return { sub: clientId, ...(before ? { act: before } : {}) };
}

/**
 * What an exchanged token may do: what is asked for, that the caller holds on the API, that the subject holds there,
 * that the person consented to where the application in front is not our own, and that the subject token says by name.
 * `consented`: undefined where nobody has to be asked.
 */
export function exchangedScope(of: {
  requested: string[] | undefined;
  audience: string;
  caller: ClientFacts;
  subject: ExchangeSubject;
  consented: string[] | undefined;
  subjectScopes: string[];
}): string[] {
  const { requested, audience, caller, subject, consented, subjectScopes } = of;
  const ref = (name: string) => `${audience}#${name}`;
  const held = (name: string) =>
    subject.type === 'user'
      ? subject.account.permissions.includes(ref(name))
      : subject.facts.permissions.some((permission) => permission.audience === audience && permission.name === name);
  return caller.permissions
    .filter((permission) => permission.audience === audience)
    .map((permission) => permission.name)
    .filter(
      (name) =>
        (!requested || requested.includes(name)) &&
        held(name) &&
        (!consented || consented.includes(ref(name))) &&
        subjectScopes.includes(name),
    );
}

/** Whether the token's `may_act` (RFC 8693 section 4.4) names this client and nothing that can't be verified. */
export function mayAct(claim: unknown, clientId: string, issuer: string): boolean {
  if (typeof claim !== 'object' || claim === null) return false;
  const { sub, iss, ...others } = claim as Record<string, unknown>;
  return sub === clientId && (iss === undefined || iss === issuer) && Object.keys(others).length === 0;
}
