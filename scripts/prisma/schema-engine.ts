// Stands in for the native schema engine that the Prisma CLI would download: the same JSON-RPC on stdin and stdout,
// answered by the WebAssembly engine. With it `migrate status / deploy / resolve / diff` work without a network.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { type OpenEngine, openEngine, type SchemaEngine } from './engine.ts';

interface Call {
  id: number;
  method?: string;
  params?: unknown;
}

/** The methods of the CLI that the engine has under another name. */
const RENAMED: Record<string, string> = { getDatabaseVersion: 'version' };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: {
    datamodels: { type: 'string', multiple: true },
    datasource: { type: 'string' },
    version: { type: 'boolean' },
  },
});
const { url } = JSON.parse(String(values.datasource ?? '{}')) as { url?: string };

function send(message: object): void {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}

/** Errors of the engine that people can act on carry a code such as P3005 and their text as JSON or as properties. */
function describe(error: unknown): object {
  const { message, code, stack } = error as { message?: string; code?: string; stack?: string };
  const data = { is_panic: false, message: message ?? String(error), backtrace: stack, error_code: code };
  return { code: 4466, message: 'An error happened. Check the data field for details.', data };
}

async function canConnect(): Promise<number> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  try {
    await client.connect();
    return 0;
  } catch (error) {
    const fields = { error_code: 'P1001', message: (error as Error).message };
    process.stderr.write(`${JSON.stringify({ level: 'ERROR', target: 'schema_engine::logger', fields })}\n`);
    return 1;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function answer(open: Promise<OpenEngine>, { id, method, params }: Call): Promise<void> {
  if (method === undefined) return;
  try {
    const { run } = await open;
    const name = RENAMED[method] ?? method;
    const result = await run(async (engine: SchemaEngine) => {
      const call = (engine as unknown as Record<string, unknown>)[name];
      if (typeof call !== 'function') throw new Error(`The engine has no method ${name}.`);
      return (await call.call(engine, params)) as unknown;
    });
    const { stdout } = (result ?? {}) as { stdout?: string | null };
    if (method === 'diff' && stdout) send({ id: -id, method: 'print', params: { content: stdout } });
    send({ id, result: result ?? {} });
  } catch (error) {
    send({ id, error: describe(error) });
  }
}

async function serve(): Promise<void> {
  const files = (values.datamodels ?? []) as string[];
  const datamodels = files.map((file): [string, string] => [file, readFileSync(file, 'utf8')]);
  const open = openEngine({ url: url ?? '', datamodels });
  // Reported with the first call.
  open.catch(() => undefined);
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() !== '') await answer(open, JSON.parse(line) as Call);
  }
}

if (values.version === true) console.log('schema-engine-cli WebAssembly');
else if (positionals.includes('can-connect-to-database')) process.exit(await canConnect());
else {
  await serve();
  process.exit(0);
}
