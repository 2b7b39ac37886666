import { createBubblewrap } from '#sandbox/bubblewrap.ts';

/** Opens a sandbox as whoever runs this, and prints what a program in it finds. */
const limits = { cpus: 1, memoryMiB: 128, pids: 32, diskMiB: 4 };
const labels = { owner: 'others', run: 'r', job: 'j', epoch: 1 };
await using sandbox = await createBubblewrap().open({ image: '', limits, deadlineMs: Date.now() + 60_000, labels });
const run = (script: string, ms: number) =>
  sandbox.exec(['sh', '-c', script], { env: sandbox.baseEnv, deadlineMs: Date.now() + ms });
const looks = `head -c 9000000 /dev/zero > big; wc -c < big; touch /usr/x /etc/passwd 2>/dev/null && echo wrote
  grep CapEff /proc/self/status; unshare --net true; ls /sys /home /root`;
const { stdout } = await run(looks, 30_000);
const { timedOut } = await run("trap '' TERM; setsid sleep 1000 & sleep 1000", 1000);
// Those that ended and that nobody has waited for yet are of no account.
const after = await run('cat /proc/[0-9]*/stat 2>/dev/null | grep -vc ") Z "', 30_000);
console.log(
  JSON.stringify({
    timedOut,
    stdout: String(Buffer.from(stdout.bytes)),
    after: Number(Buffer.from(after.stdout.bytes)),
  }),
);
