const OLDEST_MAJOR = 22;

/** argv → a command. What a command does not need is not loaded. */
async function main(argv: string[]): Promise<number> {
  // argon2's addon crashes on older ones instead of failing.
  if (Number(process.versions.node.split('.')[0]) < OLDEST_MAJOR) {
    console.error(`Postern needs Node.js ${OLDEST_MAJOR} or later; this is ${process.version}.`);
    return 1;
  }
  const [command = 'serve', ...rest] = argv;
  if (command === 'serve' && rest.length === 0) {
    const { serve } = await import('./serve/serve.ts');
    return serve(process.env);
  }
  const { runCli } = await import('./cli/run.ts');
  return runCli(argv);
}

process.exit(await main(process.argv.slice(2)));

export {};
