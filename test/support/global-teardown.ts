import type { TestServer } from './test-server.ts';

export default async function globalTeardown(): Promise<void> {
  await (globalThis as { testServer?: TestServer }).testServer?.stop();
}
