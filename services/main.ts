import { runCli } from '#services/cli/program.ts';

process.exitCode = await runCli(process.argv.slice(2), process);
