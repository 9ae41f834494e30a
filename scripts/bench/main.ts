import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Arena, openArena } from './arena.ts';
import { runKill } from './kill.ts';
import { type Command, readCommand, USAGE, UsageError } from './options.ts';
import { runOverload } from './overload.ts';
import { canPin } from './processes.ts';
import { runProfile } from './profile.ts';
import { notAvailable, type Report, type Row, reportOf, tableOf } from './report.ts';
import { MEASURES } from './rows/all.ts';
import { runSoak } from './soak.ts';
import { createStage } from './stage.ts';

/** What is done belongs to standard error: with --json, standard output holds one document and nothing else. */
function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** For rows that had to take longer than their share. */
const GRACE_MS = 15_000;

async function runRows(arena: Arena, command: Command & { verb: 'rows' }): Promise<Report> {
  const { effort } = command;
  const stage = createStage(arena);
  const rows: Row[] = [];
  // The clock began with the process.
  const until = effort.most * 1000;
  for (const [index, name] of command.rows.entries()) {
    const began = performance.now();
    if (began > until + GRACE_MS) {
      rows.push(notAvailable(name, 'the time of the run was used up: the machine is busy with something else'));
      continue;
    }
    // What is left is shared by the rows that are left.
    const most = Math.max(0, until - began) / 1000 / (command.rows.length - index);
    try {
      rows.push(await MEASURES[name](stage, { ...effort, most }, name));
    } catch (error) {
      // One row that can't be measured must not take the others with it.
      rows.push(notAvailable(name, `it failed: ${error instanceof Error ? error.message : error}`));
      process.exitCode = 1;
      say(String(error instanceof Error ? error.stack : error));
    }
    say(`${name}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }
  return reportOf(rows, effort.rounds, canPin);
}

function signsIn(command: Command): boolean {
  switch (command.verb) {
    case 'rows':
      return true;
    case 'soak':
      return command.mixed;
    case 'profile':
      return command.load === 'sign_in';
    case 'kill':
    case 'overload':
      return false;
  }
}

async function run(command: Command): Promise<void> {
  const stopping = new AbortController();
  let arena: Arena | undefined;
  const stop = async (): Promise<void> => {
    stopping.abort();
    await arena?.close();
    if (arena !== undefined) process.exit(1);
  };
  for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(event, stop);
  // The launcher is gone, also after kill -9.
  if (process.connected) process.once('disconnect', stop);
  // 1,000 clients for the row that sets them against ten; enough people that nobody signs in twice in a slice.
  arena = await openArena({ clients: 1_000, people: signsIn(command) ? 150 : 1 });
  if (stopping.signal.aborted) {
    await arena.close();
    process.exit(1);
  }
  try {
    switch (command.verb) {
      case 'rows': {
        const report = await runRows(arena, command);
        const document = JSON.stringify(report, null, 2);
        const file =
          command.out ?? (command.json ? undefined : path.join(tmpdir(), `postern-bench-${process.pid}.json`));
        if (file !== undefined) {
          writeFileSync(file, `${document}\n`);
          say(file);
        }
        console.log(command.json ? document : tableOf(report));
        return;
      }
      case 'soak':
        return await runSoak(arena, command, say);
      case 'kill':
        return await runKill(arena, command, say);
      case 'overload':
        return await runOverload(arena, command, say);
      case 'profile':
        return await runProfile(arena, command);
    }
  } finally {
    await arena.close();
  }
}

try {
  await run(readCommand(process.argv.slice(2)));
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n${USAGE}`);
    process.exitCode = 2;
  } else {
    console.error(error);
    process.exitCode = 1;
  }
}
// Whatever still listens belongs to libraries that have nothing left to do.
process.exit();
