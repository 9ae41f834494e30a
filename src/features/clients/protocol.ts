import type { SigningAlg } from '../../kernel/access-token.ts';
import { check, invalidInput } from '../../kernel/check.ts';
import type { ClientSettings } from '../../kernel/client-settings.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Tx } from '../../platform/db/database.ts';
import { CLIENT_CHANGED, notifyOnCommit } from '../../platform/db/notify.ts';
import {
  APPLICATION_SWITCHES,
  applicationProtocolInput,
  changed,
  contradictions,
  type ProtocolChange,
  type ProtocolSwitch,
  SERVICE_SWITCHES,
  serviceProtocolInput,
} from './protocol-rules.ts';
import { findProtocol, type ProtocolRow, writeSettings } from './protocol-store.ts';
import { lockClient } from './store.ts';

/** What this installation can do; a switch for anything else is neither shown nor taken. */
export interface ProtocolParts {
  /** Certificates of clients reach it (RFC 8705). */
  certificates: boolean;
  /** People can approve on another device (CIBA). */
  backchannelAuthentication: boolean;
  /** Names of the authorization details that can be asked for (RFC 9396). */
  authorizationDetailTypes(): Promise<string[]>;
  /** Resolves when there is a key that signs so. */
  signingKey(alg: SigningAlg): Promise<void>;
}

export interface ProtocolView {
  settings: ClientSettings;
  /** Those that this client can have here. */
  switches: ProtocolSwitch[];
  /** That it may be given here; empty where there are none. */
  detailTypes: string[];
}

/**
 * The switches of the protocol (src/kernel/client-settings.ts) of any client, application or service account. The
 * transaction and the audit event are the caller's.
 */
export interface ClientProtocol {
  viewOf(tx: Tx, clientId: string): Promise<ProtocolView>;
  /** What the change leaves out stays. Null: no such client. @throws invalid_input, naming the contradictory fields */
  set(tx: Tx, clientId: string, change: unknown): Promise<{ before: ClientSettings; after: ClientSettings } | null>;
}

export function createClientProtocol(deps: { clock: Clock; parts: ProtocolParts }): ClientProtocol {
  const { clock, parts } = deps;

  function switchesFor(type: ProtocolRow['type']): ProtocolSwitch[] {
    const there: Partial<Record<ProtocolSwitch, boolean>> = {
      certificateBound: parts.certificates,
      backchannelAuthentication: parts.backchannelAuthentication,
    };
    const all: readonly ProtocolSwitch[] = type === 'service' ? SERVICE_SWITCHES : APPLICATION_SWITCHES;
    return all.filter((name) => there[name] !== false);
  }

  async function refuseAbsent(row: ProtocolRow, change: ProtocolChange): Promise<void> {
    const there = new Set<string>(switchesFor(row.type));
    const absent = Object.entries(change).filter(([name, value]) => value === true && !there.has(name));
    const types = change.authorizationDetailTypes ?? [];
    const known = new Set(types.length > 0 ? await parts.authorizationDetailTypes() : []);
    const unknown = types.find((type) => !known.has(type));
    if (absent.length === 0 && unknown === undefined) return;
    throw invalidInput({
      ...Object.fromEntries(absent.map(([name]) => [name, { code: 'clients.switch_absent' }])),
      ...(unknown === undefined ? {} : { authorizationDetailTypes: { code: 'clients.switch_absent' } }),
    });
  }

  return {
    async viewOf(tx, clientId) {
      const row = await findProtocol(tx, clientId);
      const detailTypes = row && row.type !== 'service' ? await parts.authorizationDetailTypes() : [];
      return { settings: row?.settings ?? {}, switches: row ? switchesFor(row.type) : [], detailTypes };
    },

    async set(tx, clientId, given) {
      await lockClient(tx, clientId);
      const row = await findProtocol(tx, clientId);
      if (!row) return null;
      const change = check(row.type === 'service' ? serviceProtocolInput : applicationProtocolInput, given);
      await refuseAbsent(row, change);
      const after = changed(row.settings, change);
      const problems = contradictions(after, standingOf(row));
      if (Object.keys(problems).length > 0) throw invalidInput(problems);
      if (change.introspectionAlg) await parts.signingKey(change.introspectionAlg);
      await writeSettings(tx, clientId, after, clock.now());
      await notifyOnCommit(tx, CLIENT_CHANGED, clientId);
      return { before: row.settings, after };
    },
  };
}

export function standingOf({ type, authMethod, jwks, jwksUri, redirectUris }: ProtocolRow) {
  return { type, authMethod, hasKeys: jwks !== null || jwksUri !== null, redirectUris };
}
