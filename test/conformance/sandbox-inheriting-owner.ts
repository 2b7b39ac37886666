import { createDrivers } from '#sandbox/drivers.ts';
import { DriverName } from '#sandbox/schema.ts';
import { someSpec } from './sandbox-drivers.ts';

/** Prints what programs in a sandbox read by the open directory 200 that this process may have got from whoever started it. */
const driver = createDrivers()[DriverName.parse(process.argv[2])];
await using sandbox = await driver.open(someSpec());
const script = 'for dir in /proc/[0-9]*; do cat $dir/fd/200/file 2>/dev/null; done; echo end';
const options = { env: sandbox.baseEnv, deadlineMs: Date.now() + 60_000 };
const { stdout } = await sandbox.exec(['sh', '-c', script], options);
process.stdout.write(stdout.bytes);
