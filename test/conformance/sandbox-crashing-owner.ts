import { createDrivers } from '#sandbox/drivers.ts';
import { DriverName } from '#sandbox/schema.ts';

/** Opens a sandbox, leaves a program running in it, prints its id, and is killed. */
const [name, owner = '', sleep = ''] = process.argv.slice(2);
const labels = { owner, run: 'r', job: 'j', epoch: 1 };
const limits = { cpus: 1, memoryMiB: 128, pids: 32, diskMiB: 16 };
const driver = createDrivers()[DriverName.parse(name)];
const sandbox = await driver.open({ image: 'clade/base:1', limits, deadlineMs: Date.now() + 600_000, labels });
const script = `setsid sleep ${sleep} > /dev/null 2>&1 & echo x > file`;
await sandbox.exec(['sh', '-c', script], { env: sandbox.baseEnv, deadlineMs: Date.now() + 60_000 });
process.stdout.write(sandbox.id, () => process.kill(process.pid, 'SIGKILL'));
