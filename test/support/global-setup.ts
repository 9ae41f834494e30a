import { startTestServer, type TestServer } from './test-server.ts';

/** Told to the workers by the environment, which they inherit. */
export default async function globalSetup(): Promise<void> {
  const server = await startTestServer();
  process.env.TEST_SERVER_URL = server.url;
  process.env.TEST_TEMPLATE = server.template;
  process.env.TEST_FOLDER = server.folder;
  (globalThis as { testServer?: TestServer }).testServer = server;
}
