// Prisma's schema engine as WebAssembly, on the project's own driver. The CLI would download a native one.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';

export type SchemaEngine = bindings.SchemaEngine;

// Node has it; its types only come with the browser's.
declare const WebAssembly: {
  instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: object } }>;
};

interface BoundAdapter {
  errorRegistry: { consumeError(id: number): { error: unknown } | undefined };
}

// The adapter's own dependency: it must be the same copy.
const adapterRequire = createRequire(import.meta.resolve('@prisma/adapter-pg'));
const { bindMigrationAwareSqlAdapterFactory } = adapterRequire('@prisma/driver-adapter-utils') as {
  bindMigrationAwareSqlAdapterFactory(factory: PrismaPg): BoundAdapter;
};

/** Where the engine leaves the message of a panic, under a global name that it dictates. */
const panic = {
  message: '',
  get: () => panic.message,
  set_message: (text: string) => {
    panic.message = text;
  },
};

let loaded: Promise<void> | undefined;

/** At most once a process: a second instance would share the bindings' module state. */
function load(): Promise<void> {
  loaded ??= (async () => {
    Object.assign(globalThis, { PRISMA_WASM_PANIC_REGISTRY: panic });
    const file = fileURLToPath(import.meta.resolve('@prisma/schema-engine-wasm')).replace(
      /schema_engine\.js$/,
      'schema_engine_bg.wasm',
    );
    const { instance } = await WebAssembly.instantiate(readFileSync(file), { './schema_engine_bg.js': bindings });
    const internals = bindings as unknown as { __wbg_set_wasm(exports: object): void };
    internals.__wbg_set_wasm(instance.exports);
    (instance.exports as { __wbindgen_start(): void }).__wbindgen_start();
  })();
  return loaded;
}

/** The driver, collecting its connections in `opened`, since the engine never closes one. */
function collectingClient(opened: Set<pg.Client>): typeof pg.Client {
  return class CollectedClient extends pg.Client {
    constructor(config?: string | pg.ClientConfig) {
      super(config);
      opened.add(this);
      this.on('error', () => undefined);
    }
  };
}

function connectionFields(url: string): pg.PoolConfig {
  const { hostname, port, username, password, pathname } = new URL(url);
  return {
    host: hostname,
    port: Number(port === '' ? 5432 : port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
  };
}

type Adapter = Awaited<ReturnType<PrismaPg['connect']>>;

interface AdapterInternals {
  performIO(query: unknown): Promise<{ fields: { dataTypeID: number }[]; rows: unknown[][] }>;
}

const CHAR_OID = 18;
const TEXT_OID = 25;
/** ColumnTypeEnum.Character of the driver adapters. */
const CHARACTER = 6;

/** Teaches the adapter the catalogue's type "char", which it refuses and the engine can't do without. */
function admitChar(adapter: Adapter): void {
  const internals = adapter as unknown as AdapterInternals;
  const performIO = internals.performIO.bind(adapter);
  const queryRaw = adapter.queryRaw.bind(adapter);
  const charColumns = new WeakMap<unknown[][], number[]>();
  internals.performIO = async (query) => {
    const result = await performIO(query);
    const found = result.fields.flatMap(({ dataTypeID }, index) => (dataTypeID === CHAR_OID ? [index] : []));
    for (const index of found) Object.assign(result.fields[index] ?? {}, { dataTypeID: TEXT_OID });
    charColumns.set(result.rows, found);
    return result;
  };
  adapter.queryRaw = async (query) => {
    const result = await queryRaw(query);
    for (const index of charColumns.get(result.rows) ?? []) result.columnTypes[index] = CHARACTER;
    return result;
  };
}

class MigrationAdapter extends PrismaPg {
  readonly #config: pg.PoolConfig;

  constructor(config: pg.PoolConfig) {
    super(config);
    this.#config = config;
  }

  override async connect(): Promise<Adapter> {
    const adapter = await super.connect();
    admitChar(adapter);
    // The adapter's own cuts at each semicolon, those in functions and strings too.
    adapter.executeScript = async (script) => {
      await adapter.underlyingDriver().query(script);
    };
    return adapter;
  }

  /** The adapter's own drops the database while it is still connected to it, which PostgreSQL refuses. */
  override async connectToShadowDb(): Promise<Adapter> {
    const database = `prisma_migrate_shadow_db_${randomUUID()}`;
    const main = await this.connect();
    await main.executeScript(`CREATE DATABASE "${database}"`);
    const shadow = await new MigrationAdapter({ ...this.#config, database }).connect();
    const dispose = shadow.dispose.bind(shadow);
    shadow.dispose = async () => {
      await dispose();
      await main.executeScript(`DROP DATABASE IF EXISTS "${database}"`);
      await main.dispose();
    };
    return shadow;
  }
}

export interface EngineOptions {
  url: string;
  /** Schema files as [path, content]. */
  datamodels?: [string, string][];
}

export interface OpenEngine {
  engine: SchemaEngine;
  /** Calls the engine; errors of the database come out as they are. */
  run<T>(work: (engine: SchemaEngine) => Promise<T>): Promise<T>;
  /** Ends the connections that the engine leaves open. */
  close(): Promise<void>;
}

export async function openEngine(options: EngineOptions): Promise<OpenEngine> {
  await load();
  const opened = new Set<pg.Client>();
  const config = { ...connectionFields(options.url), max: 4, Client: collectingClient(opened) };
  const adapter = bindMigrationAwareSqlAdapterFactory(new MigrationAdapter(config));
  const engine = await bindings.SchemaEngine.new({ datamodels: options.datamodels }, () => undefined, adapter);
  return {
    engine,
    async run(work) {
      try {
        return await work(engine);
      } catch (error) {
        // The adapter keeps what really happened; the engine only passes a number on.
        if (error instanceof Error && error.name === 'RuntimeError') throw new Error(panic.message, { cause: error });
        const id = /External error id#(\d+)/.exec(String(error))?.[1];
        throw (id === undefined ? undefined : adapter.errorRegistry.consumeError(Number(id))?.error) ?? error;
      }
    },
    async close() {
      engine.free();
      await Promise.all([...opened].map((client) => client.end().catch(() => undefined)));
    },
  };
}
