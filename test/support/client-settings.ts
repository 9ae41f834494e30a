import type { ClientSettings } from '../../src/kernel/client-settings.ts';
import type { Postern } from './postern.ts';

/** Before the client is first used: what is kept of it in memory does not change by this. */
export async function setClientSettings(postern: Postern, clientId: string, settings: ClientSettings): Promise<void> {
  await postern.db.query('test-client-settings', 'UPDATE client SET settings = $2::jsonb WHERE client_id = $1', [
    clientId,
    JSON.stringify(settings),
  ]);
}
