import type { Config } from '../../platform/config/schema.ts';
import type { Command, CommandContext, Outcome } from '../command.ts';
import { type Finding, fail, ok, reason } from '../doctor/finding.ts';

export const doctorCommands: readonly Command[] = [
  {
    noun: 'migrate',
    verb: '',
    summary: 'Bring the database to the state that this version needs.',
    options: {},
    run: runMigrations,
  },
  {
    noun: 'doctor',
    verb: '',
    summary: 'Check settings, database, keys, clock and issuer; say which setting to change.',
    options: {},
    run: examine,
  },
];

async function runMigrations({ surroundings }: CommandContext): Promise<Outcome> {
  const { loadConfig } = await import('../../platform/config/load.ts');
  const { startEmbedded } = await import('../../platform/db/embedded.ts');
  const { migrate } = await import('../../platform/db/migrate.ts');
  const config = loadConfig(surroundings.env);
  const log = await quietLog(config.logLevel);
  const embedded = config.databaseUrl === undefined ? await startEmbedded({ dataDir: config.dataDir, log }) : undefined;
  try {
    const { applied } = await migrate({ url: config.databaseUrl ?? embedded?.url ?? '', log });
    const text = applied.length === 0 ? ['Nothing to apply.'] : applied.map((name) => `applied ${name}`);
    return { json: { applied }, text };
  } finally {
    await embedded?.stop();
  }
}

async function examine({ surroundings }: CommandContext): Promise<Outcome> {
  const { checkNode } = await import('../doctor/machine.ts');
  const findings = [checkNode(process.versions.node)];
  const { loadConfig } = await import('../../platform/config/load.ts');
  let config: Config | undefined;
  try {
    config = loadConfig(surroundings.env);
    findings.push(ok('settings', 'all are valid'));
  } catch (error) {
    const { params } = error as { params?: { setting?: string } };
    findings.push(fail('settings', reason(error), params?.setting));
  }
  if (config) findings.push(...(await examineInstallation(config)));

  const healthy = findings.every((finding) => finding.status !== 'fail');
  return {
    json: { ok: healthy, checks: findings },
    text: findings.map(line),
    exitCode: healthy ? 0 : 1,
  };
}

async function examineInstallation(config: Config): Promise<Finding[]> {
  const [{ checkDataDir, checkMail, checkProxies }, { checkDatabase }, { checkIssuer }, log] = await Promise.all([
    import('../doctor/machine.ts'),
    import('../doctor/database.ts'),
    import('../doctor/issuer.ts'),
    quietLog('silent'),
  ]);
  return [
    await checkDataDir(config),
    ...(await checkDatabase(config, log)),
    ...(await checkIssuer(config)),
    checkProxies(config),
    await checkMail(config),
  ];
}

function line({ check, status, message, setting }: Finding): string {
  return `${status.padEnd(5)} ${check.padEnd(13)} ${message}${status !== 'ok' && setting ? ` [${setting}]` : ''}`;
}

/** Standard output belongs to the command's answer. */
async function quietLog(level: string) {
  const { createLog } = await import('../../platform/observe/log.ts');
  return createLog({ level: level === 'info' ? 'warn' : level, destination: process.stderr });
}
