import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import { RunSpec } from '#archive/schema.ts';
import type { Task } from '#benchmarks/schema.ts';
import { readConfig } from '#services/config.ts';
import { ModelCatalog } from '#services/gateway/models.ts';
import { prepareRun } from '#services/scheduler/prepare-run.ts';
import { temporaryDirectory } from '#test/archive/builders.ts';
import { aTask } from '#test/benchmarks/a-task.ts';

describe('CLADE_EGRESS', () => {
  it('permits nothing when it is not set, or empty', () => {
    expect(readConfig({}).egress.rules).toEqual([]);
    expect(readConfig({ CLADE_EGRESS: ' ' }).egress.rules).toEqual([]);
  });

  it('is a list of hosts', () => {
    expect(readConfig({ CLADE_EGRESS: 'pypi.org, *.pythonhosted.org:443,[::1]:8123' }).egress.rules).toEqual([
      { host: 'pypi.org', port: null },
      { host: '*.pythonhosted.org', port: 443 },
      { host: '::1', port: 8123 },
    ]);
  });

  it.each(['https://pypi.org', 'pypi.org;evil.org', '127.1', '10.0.0.0/8'])('cannot be %j', (text) => {
    expect(() => readConfig({ CLADE_EGRESS: `a.org,${text}` })).toThrow(
      `CLADE_EGRESS: ${JSON.stringify(text)} is none of`,
    );
  });
});

describe('the endpoint of a model', () => {
  it('is reserved, whether the environment names it or the catalogue', () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, 'models.json');
    const model = { inputUsdPerMTok: 1, outputUsdPerMTok: 1, contextTokens: 1000, maxOutputTokens: 100 };
    const own = { ...model, upstream: 'openai', model: 'own', baseUrl: 'http://127.0.0.1:8000/v1' };
    writeFileSync(file, JSON.stringify({ own, big: { ...model, upstream: 'openai', model: 'big' } }));
    expect(readConfig({ CLADE_MODELS: file, OPENAI_API_KEY: 'k', CLADE_EGRESS: '*' }).egress.reserved).toEqual([
      { host: '127.0.0.1', port: 8000 },
      { host: 'api.openai.com', port: 443 },
    ]);
  });
});

describe('a run on tasks that need hosts', () => {
  const begin = async (tasks: Task[], list: string, asked?: string[]) => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    return await prepareRun(RunSpec.parse(asked === undefined ? {} : { tasks: asked }), {
      archive,
      catalog: ModelCatalog.parse({}),
      openSuite: async () => ({ name: 's', title: 'S', digest: 'd', tasks, excluded: [] }),
      chooseSandbox: async () => ({ name: 'process', isolates: false, hasImages: false }),
      egress: readConfig({ CLADE_EGRESS: list }).egress,
      seedDirectory: join(import.meta.dirname, '..', '..', 'archive', 'seed'),
    });
  };
  const tasks = [
    aTask({ id: 'offline' }),
    aTask({ id: 'pip', network: { allow: ['pypi.org', 'files.pythonhosted.org'] } }),
    aTask({ id: 'any', network: { allow: null } }),
  ];

  it('is refused, naming tasks and hosts, unless all are permitted', async () => {
    await expect(begin(tasks, 'pypi.org')).rejects.toThrow(
      'These tasks must reach what no sandbox here may: pip (it needs to reach files.pythonhosted.org, and permitted is pypi.org), ' +
        'any (it needs to reach any host (*), and permitted is pypi.org). Name the hosts in CLADE_EGRESS, or leave the tasks out with "tasks".',
    );
    await expect(begin(tasks, '')).rejects.toThrow(/pip \(it needs to reach pypi\.org, .*permitted is no host\)/);
    expect((await begin(tasks, '', ['offline'])).tasks).toEqual(['offline']);
    expect((await begin(tasks, '*')).tasks).toHaveLength(3);
  });
});
