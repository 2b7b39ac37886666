import { openArchive } from '#archive/archive.ts';

/** Opens the directory it is given, says so, and holds it until it is killed. */
await openArchive(process.argv[2] ?? '');
process.once('disconnect', () => process.exit());
process.send?.('open');
setInterval(() => undefined, 60_000);
