import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import type { Log } from '../observe/log.ts';
import { translateFailure } from './failure.ts';

/** The payload, or undefined after a gap in which notifications may have been missed. */
export type NotificationHandler = (payload: string | undefined) => void;

export interface Listener {
  listen(channel: string, handler: NotificationHandler): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 5_000;

/** LISTEN on one connection of its own, opened with the first channel and opened again whenever it is lost. */
export function createListener({ connection, log }: { connection: pg.ClientConfig; log: Log }): Listener {
  const channels = new Map<string, Set<NotificationHandler>>();
  const ending = new AbortController();
  let current: Promise<pg.Client> | undefined;

  function deliver(handlers: Iterable<NotificationHandler>, payload: string | undefined): void {
    for (const handler of handlers) {
      try {
        handler(payload);
      } catch (error) {
        log.error({ err: error }, 'a notification could not be handled');
      }
    }
  }

  async function connect(): Promise<pg.Client> {
    const client = new pg.Client(connection);
    let lost = false;
    const onLost = () => {
      if (lost) return;
      lost = true;
      if (current !== undefined && !ending.signal.aborted) {
        current = undefined;
        void reconnect();
      }
    };
    client.on('error', onLost);
    try {
      await client.connect();
      for (const channel of channels.keys()) await client.query(`LISTEN ${client.escapeIdentifier(channel)}`);
    } catch (error) {
      lost = true;
      await client.end().catch(() => undefined);
      throw error;
    }
    client.on('end', onLost);
    client.on('notification', ({ channel, payload }) => deliver(channels.get(channel) ?? [], payload ?? ''));
    return client;
  }

  async function reconnect(): Promise<void> {
    for (let delay = FIRST_RETRY_MS; !ending.signal.aborted; delay = Math.min(delay * 2, LAST_RETRY_MS)) {
      try {
        await wait(delay, undefined, { signal: ending.signal, ref: false });
        current ??= connect();
        await current;
        for (const handlers of channels.values()) deliver(handlers, undefined);
        return;
      } catch (error) {
        current = undefined;
        if (!ending.signal.aborted) log.warn({ err: error }, 'the database can not be listened to; trying again');
      }
    }
  }

  return {
    async listen(channel, handler) {
      const handlers = channels.get(channel) ?? new Set();
      handlers.add(handler);
      channels.set(channel, handlers);
      try {
        if (current === undefined) current = connect();
        const client = await current;
        await client.query(`LISTEN ${client.escapeIdentifier(channel)}`);
      } catch (error) {
        current = undefined;
        handlers.delete(handler);
        throw translateFailure(error);
      }
      return async () => {
        handlers.delete(handler);
        if (handlers.size > 0) return;
        channels.delete(channel);
        const client = await current?.catch(() => undefined);
        await client?.query(`UNLISTEN ${client.escapeIdentifier(channel)}`).catch(() => undefined);
      };
    },
    async close() {
      ending.abort();
      const client = await current?.catch(() => undefined);
      current = undefined;
      await client?.end().catch(() => undefined);
    },
  };
}
