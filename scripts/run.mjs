#!/usr/bin/env node
// The one entrance to every npm script. It must run on the Node that a machine happens to have (20.19 and later);
// everything behind it runs on the Node that comes with the dependencies.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { entrance } from './build.mjs';
import { ensureClient } from './prisma-client.mjs';
import { SERVER_FLAGS, serverEnvironment } from './server-process.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const OLDEST_MAJOR = 22;

/** @param {string} name @param {string} file */
const binary = (name, file) => path.join(root, 'node_modules', name, file);

/**
 * What each verb runs. `client`: it needs the generated Prisma client.
 * @typedef {{ args: (rest: string[], node: string) => string[], client: boolean, env?: (node: string) => object }} Verb
 * @type {Record<string, Verb>}
 */
const verbs = {
  start: {
    args: (rest, node) => [...SERVER_FLAGS, entrance({ root, node }), 'serve', ...rest],
    client: true,
    env: () => serverEnvironment(process.env),
  },
  postern: {
    args: (rest, node) => [entrance({ root, node }), ...(rest.length > 0 ? rest : ['--help'])],
    client: true,
  },
  test: {
    args: (rest) => [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      binary('jest', 'bin/jest.js'),
      '--config',
      path.join(root, 'jest.config.js'),
      ...rest,
    ],
    client: true,
  },
  check: { args: (rest) => [path.join(root, 'scripts/check.mjs'), ...rest], client: true },
  bench: { args: (rest) => [path.join(root, 'scripts/bench/main.ts'), ...rest], client: true },
  migrations: { args: (rest) => [path.join(root, 'scripts/migrations.ts'), ...rest], client: true },
  // The Prisma CLI on the WebAssembly engine, without a network: migrate status, deploy, resolve, diff.
  prisma: {
    args: (rest) => [binary('prisma', 'build/index.js'), ...rest],
    client: false,
    env: (node) => ({
      PRISMA_SCHEMA_ENGINE_BINARY: path.join(root, 'scripts/prisma/schema-engine'),
      PRISMA_ENGINE_NODE: node,
      CHECKPOINT_DISABLE: '1',
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
    }),
  },
  docs: { args: (rest) => [path.join(root, 'scripts/docs/generate.ts'), ...rest], client: false },
  pictures: { args: (rest) => [path.join(root, 'scripts/docs/pictures.ts'), ...rest], client: true },
  build: { args: (rest) => [path.join(root, 'scripts/build.mjs'), ...rest], client: true },
  format: {
    args: (rest) => [binary('@biomejs/biome', 'bin/biome'), 'check', '--write', ...(rest.length > 0 ? rest : [root])],
    client: false,
  },
};

/** npm 10 loses the link node_modules/.bin/node, so the binary is looked up in its own package. */
function findNode() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const bundled = binary(`node-${platform}-${process.arch}`, `bin/${name}`);
  // On a libc that it was not built for, the file is there and does not run.
  if (existsSync(bundled) && spawnSync(bundled, ['--version'], { stdio: 'ignore' }).status === 0) return bundled;
  if (Number(process.versions.node.split('.')[0]) >= OLDEST_MAJOR) return process.execPath;
  throw new Error(
    `Postern needs Node.js ${OLDEST_MAJOR} or later; this is ${process.version}, and none came with the dependencies ` +
      `for ${process.platform}-${process.arch}. Run "npm ci", or install a newer Node.js.`,
  );
}

/** @param {string} node @param {string[]} args @param {object} env */
function run(node, args, env) {
  // The channel tells the child when this process is gone, also after kill -9.
  const child = spawn(node, args, {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...env },
  });
  /** @type {NodeJS.Signals[]} */
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));

  // npm starts scripts through a shell, and dash dies of SIGTERM without passing it on.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== parent) child.kill('SIGTERM');
  }, 500);
  watch.unref();

  child.on('error', (error) => {
    console.error(`${node}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
  });
}

const [verb = '', ...rest] = process.argv.slice(2);
const command = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
if (command === undefined) {
  console.error(`Usage: node scripts/run.mjs ${Object.keys(verbs).join('|')} [arguments]`);
  process.exit(2);
}
try {
  const node = findNode();
  if (command.client) await ensureClient({ root, node });
  run(node, command.args(rest, node), command.env?.(node) ?? {});
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
