import { readFileSync } from 'node:fs';

export interface BenchClient {
  clientId: string;
  secret: string;
}

/** What the floors are told: the same clients, secrets and documents as the product has. */
export interface FloorSetup {
  audience: string;
  /** Seconds. */
  tokenTtl: number;
  scope: string;
  services: BenchClient[];
  application: BenchClient & { redirectUri: string };
  account: { id: string; email: string; name: string };
  /** A PHC string of a password of nobody's. */
  passwordHash: string;
  password: string;
  /** Path → the very bytes that the product answers with. */
  documents: Record<string, string>;
}

/** From the file that the environment names, so that secrets stand in no list of processes. */
export function readFloorSetup(): { setup: FloorSetup; port: number } {
  const setup = JSON.parse(readFileSync(process.env.BENCH_SETUP ?? '', 'utf8')) as FloorSetup;
  return { setup, port: Number(process.env.BENCH_PORT) };
}
