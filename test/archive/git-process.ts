import { openArchive } from '#archive/archive.ts';
import type { AgentId } from '#archive/schema.ts';

/** Stages a patch and names agents in git, over and over and many at once, until it is killed; says when it has begun. */
const [home = '', parentCommit = '', patch = ''] = process.argv.slice(2);
process.once('disconnect', () => process.exit());
const { repository } = await openArchive(home);
process.send?.('begun');
for (;;) {
  const names = Array.from({ length: 6 }, (_, i): AgentId => `r000000-a${i + 1}`);
  await Promise.all([
    repository.stage({ parentCommit, patch }),
    ...names.map((name) => repository.setAgentRef(name, parentCommit)),
  ]);
}
