import { createBubblewrap } from '#sandbox/bubblewrap.ts';

/** Opens a sandbox as whoever runs this, and prints what a program in it finds. */
const limits = { cpus: 1, memoryMiB: 128, pids: 32, diskMiB: 4 };
const labels = { owner: 'others', run: 'r', job: 'j', epoch: 1 };
await using sandbox = await createBubblewrap().open({ image: '', limits, deadlineMs: Date.now() + 60_000, labels });
const script = `trap '' TERM; head -c 9000000 /dev/zero > big; wc -c < big; touch /usr/x /etc/passwd 2>/dev/null && echo wrote
  grep CapEff /proc/self/status; unshare --net true; ls /sys /home /root; setsid sleep 1000 & sleep 1000`;
const options = { env: sandbox.baseEnv, deadlineMs: Date.now() + 1000 };
const { stdout, timedOut } = await sandbox.exec(['sh', '-c', script], options);
const after = await sandbox.exec(['sh', '-c', 'ls /proc | grep -c "^[0-9]"'], {
  ...options,
  deadlineMs: Date.now() + 10_000,
});
console.log(
  JSON.stringify({
    timedOut,
    stdout: String(Buffer.from(stdout.bytes)),
    after: Number(Buffer.from(after.stdout.bytes)),
  }),
);
