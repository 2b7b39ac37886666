// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the variables are those of Docker and Harbor.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { placed } from '#benchmarks/harbor/finding.ts';
import { type HarborOptions, readHarborTask } from '#benchmarks/harbor/read-task.ts';
import type { TaskFile } from '#benchmarks/schema.ts';
import { solverView } from '#benchmarks/task.ts';
import { type Files, taskPlace, writeTask } from './task-folders.ts';

let place: Awaited<ReturnType<typeof taskPlace>>;
beforeAll(async () => {
  place = await taskPlace();
});
afterAll(() => place[Symbol.asyncDispose]());

let count = 0;
async function read(changes: Files = {}, options: HarborOptions = {}) {
  count += 1;
  const { task, findings } = await readHarborTask(await writeTask(place.directory, `t${count}`, changes), options);
  const texts = (severity: string) => findings.filter((each) => each.severity === severity).map(placed);
  return { task, errors: texts('error'), warnings: texts('warning') };
}

const toml = (text: string): Files => ({ 'task.toml': text });
const dockerfile = (text: string): Files => ({ 'environment/Dockerfile': text });
const compose = (text: string): Files => ({ 'environment/docker-compose.yaml': text });
const textOf = (files: readonly TaskFile[] | undefined, path: string) =>
  new TextDecoder().decode(files?.find((file) => file.path === path)?.bytes);
const pathsOf = (files: readonly TaskFile[] | undefined) => files?.map(({ path }) => path).sort();

describe('a task folder', () => {
  test('becomes a task whose workspace is in an image built from its environment', async () => {
    const { task, errors, warnings } = await read();
    expect([errors, warnings]).toEqual([[], []]);
    expect(task).toMatchObject({
      title: 'Add numbers',
      instruction: '# Add\n\nMake it add.\n',
      workspaceIn: 'image',
      workdir: '/app',
      network: null,
      needs: {},
      test: {
        command: ['/bin/bash', '/tests/test.sh'],
        report: { kind: 'reward', directory: '/logs/verifier' },
        timeoutMs: 600_000,
      },
    });
    expect(pathsOf(task?.environment)).toEqual(['Dockerfile', 'app/sum.js']);
  });

  test('keeps tests and solution for the sandboxes that may see them', async () => {
    const { task } = await read();
    expect(pathsOf(task?.graderFiles)).toEqual(['tests/sum.test.js', 'tests/test.sh']);
    expect(pathsOf(task?.solutionFiles)).toEqual(['solution/solve.sh']);
    expect(task?.graderFiles.find(({ path }) => path === 'tests/test.sh')?.executable).toBe(true);
    expect(JSON.stringify(solverView(task!))).not.toMatch(/test\.sh|solve\.sh|sum\.test/);
  });

  test.each([
    ['#!/bin/sh\n', ['/bin/sh', '/tests/test.sh']],
    ['#!/usr/bin/env python3\n', ['/usr/bin/env', 'python3', '/tests/test.sh']],
    ['echo 1\n', ['/bin/bash', '/tests/test.sh']],
  ])('runs its tests as %j asks', async (script, command) => {
    expect((await read({ 'tests/test.sh': script })).task?.test.command).toEqual(command);
  });
});

describe('task.toml of schema', () => {
  const cases: [string, string, object][] = [
    [
      '1.0, with the keys of that time',
      'version = "1.0"\n[metadata]\nauthor_name = "x"\ntags = ["a"]\n[verifier]\ntimeout_sec = 120.0\n[agent]\ntimeout_sec = 120.0\n[environment]\nbuild_timeout_sec = 600.0\ncpus = 2\nmemory = "4G"\nstorage = "10240M"\nallow_internet = false\n',
      { test: { timeoutMs: 120_000 }, needs: { cpus: 2, memoryMiB: 4096, diskMiB: 10_240 }, network: null },
    ],
    [
      '1.1',
      'schema_version = "1.1"\nartifacts = []\n[task]\nname = "org/x"\nauthors = [{ name = "S", email = "s@x" }]\nkeywords = ["k"]\n[verifier]\ntimeout_sec = 1.5\nenv = { LEVEL = "${LEVEL:-high}" }\n[environment]\nmemory_mb = 2048\nstorage_mb = 10240\ngpus = 1\ngpu_types = ["H100"]\nmcp_servers = []\n[environment.env]\n[solution.env]\n',
      {
        title: 'org/x',
        test: { timeoutMs: 1500, env: { LEVEL: 'high' } },
        needs: { memoryMiB: 2048 },
        resources: { gpus: 1, gpuModel: 'H100' },
      },
    ],
    ['1.2', 'schema_version = "1.2"\n[environment]\nos = "Linux"\nworkdir = "/srv"\n', { workdir: '/srv' }],
    [
      '1.3',
      'schema_version = "1.3"\nartifacts = ["out.txt", "/app/out", { source = "/app" }]\n[environment]\nnetwork_mode = "no-network"\n[verifier]\nenvironment_mode = "separate"\n',
      { network: null },
    ],
    [
      '1.4',
      'schema_version = "1.4"\nsource = "x"\n[task]\nname = "o/x"\nversion = "2"\n[agent]\nnetwork_mode = "no-network"\n[verifier]\nnetwork_mode = "no-network"\n[environment]\nnetwork_mode = "public"\n',
      { network: null },
    ],
    ['nothing at all', '', { workdir: '/app', network: null }],
  ];
  test.each(cases)('%s', async (_, text, expected) => {
    const { task, errors, warnings } = await read(toml(text));
    expect([errors, warnings]).toEqual([[], []]);
    expect(task).toMatchObject(expected);
  });

  test('GPUs are what it says of their number and models, and of their memory among what it says of itself', async () => {
    const { task, errors, warnings } = await read(
      toml('[metadata]\ngpu_memory_gib = 80\n[environment]\ngpus = 2\ngpu_types = ["H100", "A100"]\n'),
    );
    expect([errors, warnings]).toEqual([[], []]);
    expect(task?.resources).toEqual({ gpus: 2, gpuMemoryGiB: 80, gpuModel: 'H100, A100' });
    expect((await read(toml(''))).task?.resources).toEqual({ gpus: 0 });
    const wrong = await read(
      toml('[metadata]\ngpu_memory_gib = "80G"\n[environment]\ngpus = -1\ngpu_types = ["H100,A100"]\n'),
    );
    expect(wrong.errors).toEqual([
      expect.stringMatching(/^task\.toml:2: metadata\.gpu_memory_gib: /),
      expect.stringMatching(/^task\.toml:4: environment\.gpus: /),
      expect.stringMatching(/^task\.toml:5: environment\.gpu_types\[0\]: must be a model such as H100/),
    ]);
  });

  test('unknown keys are warnings, with what was probably meant', async () => {
    const { task, warnings } = await read(
      toml(
        '[environment]\nmemory_md = 2\nnetwork_mode = "no-network"\n[verifier]\ntimout_sec = 4.0\n[colour]\nx = 1\n',
      ),
    );
    expect(warnings).toEqual([
      expect.stringMatching(/^task\.toml:2: environment\.memory_md .* did you mean memory_mb\?/),
      expect.stringMatching(/^task\.toml:5: verifier\.timout_sec .* did you mean timeout_sec\?/),
      expect.stringMatching(/^task\.toml:6: colour is not a key that is known, and is left out/),
    ]);
    expect(task).toMatchObject({ test: { timeoutMs: 600_000 }, needs: {} });
  });
});

describe('says, with the line, that it cannot be used when', () => {
  const cases: [string, Files, RegExp][] = [
    ['task.toml is missing', { 'task.toml': null }, /^task\.toml: is missing/],
    ['task.toml is broken', toml('[environment]\ncpus = \nmemory_mb = 1\n'), /^task\.toml:2: is not TOML: /],
    ['a key is there twice', toml('[agent]\ntimeout_sec = 1.0\ntimeout_sec = 2.0\n'), /^task\.toml:3: is not TOML/],
    [
      'a number is a text',
      toml('[verifier]\n\ntimeout_sec = "120"\n'),
      /^task\.toml:3: verifier\.timeout_sec: .*number/,
    ],
    [
      'a size has no unit',
      toml('[environment]\nmemory = "4"\n'),
      /^task\.toml:2: environment\.memory: must be .* such as "4G"/,
    ],
    [
      'sizes contradict',
      toml('[environment]\nmemory = "4G"\nmemory_mb = 512\n'),
      /^task\.toml:2: environment\.memory: 4G is not the 512/,
    ],
    ['a limit is negative', toml('[agent]\ntimeout_sec = -1\n'), /^task\.toml:2: agent\.timeout_sec: /],
    [
      'hosts come without a mode',
      toml('[agent]\nallowed_hosts = ["x.org"]\n'),
      /^task\.toml:2: agent\.allowed_hosts: .* add that/,
    ],
    [
      'a network mode is unknown',
      toml('[environment]\nnetwork_mode = "none"\n'),
      /^task\.toml:2: environment\.network_mode: /,
    ],
    ['the instruction is missing', { 'instruction.md': null }, /^instruction\.md: is missing/],
    ['the instruction is blank', { 'instruction.md': ' \n' }, /^instruction\.md: is empty/],
    ['there are no tests', { 'tests/test.sh': null }, /^tests\/test\.sh: is missing/],
    [
      'there is nothing to build',
      { ...dockerfile(''), 'environment/Dockerfile': null },
      /^environment\/Dockerfile: is missing: .* docker_image/,
    ],
    [
      'the Dockerfile is none',
      dockerfile('FROM a:1\nFOO bar\nWORKDIR /app\n'),
      /^environment\/Dockerfile:2: FOO is no instruction/,
    ],
    [
      'the Dockerfile has no FROM',
      dockerfile('WORKDIR /app\n'),
      /^environment\/Dockerfile:1: WORKDIR stands before any FROM/,
    ],
    [
      'it works in the root',
      dockerfile('FROM debian:12\nWORKDIR /\n'),
      /^environment\/Dockerfile: its working directory is \/, /,
    ],
    [
      'nobody says where it works',
      dockerfile('FROM debian:12\n'),
      /^environment\/Dockerfile: where its solver works is not said: set WORKDIR/,
    ],
    [
      'a named image does not say either',
      { ...toml('[environment]\ndocker_image = "a/b:1"\n'), 'environment/Dockerfile': null },
      /^task\.toml: where in a\/b:1 its solver works is not said: set workdir/,
    ],
    [
      'it wants a secret of the host',
      toml('[environment.env]\nKEY = "${API_KEY}"\n'),
      /^task\.toml:2: environment\.env\.KEY: \$\{API_KEY\} wants API_KEY of the host/,
    ],
    ['its tests want one', toml('[verifier]\nenv = { K = "${K}" }\n'), /^task\.toml:2: verifier\.env\.K: /],
    ['it runs on Windows', toml('[environment]\nos = "windows"\n'), /^task\.toml:2: it runs on Windows/],
    ['it needs MCP servers', toml('[[environment.mcp_servers]]\nname = "x"\n'), /^task\.toml:1: it needs MCP servers/],
    [
      'it waits for a service',
      toml('[environment.healthcheck]\ncommand = "true"\n'),
      /^task\.toml:1: it waits for a service/,
    ],
    [
      'its tests have an image of their own',
      toml('[verifier.environment]\ndocker_image = "a:1"\n'),
      /^task\.toml:1: its tests run in an image of their own/,
    ],
    [
      'its tests read what lies elsewhere',
      toml('artifacts = ["/var/out"]\n[verifier]\nenvironment_mode = "separate"\n'),
      /^task\.toml:1: its tests read \/var\/out/,
    ],
    ['it has several steps', toml('[[steps]]\nname = "a"\n[[steps]]\nname = "b"\n'), /^task\.toml:1: it has 2 steps/],
  ];
  test.each(cases)('%s', async (_, changes, message) => {
    const { task, errors } = await read(changes);
    expect(task).toBeNull();
    expect(errors).toContainEqual(expect.stringMatching(message));
  });

  test('several things are wrong: all of them', async () => {
    const { errors } = await read({
      ...toml('[environment]\ncpus = "two"\nmemory_mb = 1.5\n[agent]\ntimeout_sec = 0\n'),
    });
    for (const line of [2, 3, 5]) expect(errors).toContainEqual(expect.stringMatching(`^task\\.toml:${line}: `));
    expect(errors).toHaveLength(3);
  });
});

describe('the working directory is', () => {
  test.each([
    [
      'the last WORKDIR of the last stage',
      'FROM a:1 AS build\nWORKDIR /src\nFROM b:1\nWORKDIR /one\nWORKDIR two\n',
      '/one/two',
    ],
    ['filled with variables', 'FROM b:1\nARG ROOT=/srv\nENV PLACE=$ROOT/web\nWORKDIR ${PLACE}/\n', '/srv/web'],
    ['that of the stage it goes on from', 'FROM b:1 AS base\nWORKDIR /app\nFROM c:1 AS other\nFROM base\n', '/app'],
    ['that of our own base image', 'FROM clade/base:1\nCOPY app .\n', '/workspace'],
    ['not in a here-document', 'FROM b:1\nWORKDIR /app\nRUN <<END\nWORKDIR /no\nEND\n', '/app'],
    ['written in lower case or quotes', 'from b:1\nworkdir "/my-app"\n', '/my-app'],
  ])('%s', async (_, text, workdir) => {
    expect((await read(dockerfile(text))).task?.workdir).toBe(workdir);
  });
});

describe('the image', () => {
  test('is the one it names, and nothing is built', async () => {
    const { task } = await read(toml('[environment]\ndocker_image = "org/x:2"\n'));
    expect(task).toMatchObject({ image: 'org/x:2', environment: [], workdir: '/app' });
  });

  test('gets the variables of its table built in, quoted', async () => {
    const { task } = await read(toml('[environment]\nenv = { A = "x y", B = "${B:-$5 \\"q\\"}" }\n'));
    expect(textOf(task?.environment, 'Dockerfile')).toBe(
      'FROM clade/base:1\nCOPY app /app\nWORKDIR /app\nENV A="x y"\nENV B="\\$5 \\"q\\""\n',
    );
    const named = await read(toml('[environment]\ndocker_image = "org/x:2"\nenv = { A = "1" }\n'));
    expect(textOf(named.task?.environment, 'Dockerfile')).toBe('FROM org/x:2\nENV A="1"\n');
  });
});

describe('a compose file', () => {
  const service = (lines: string) => compose(`services:\n  main:\n${lines.replace(/^/gm, '    ')}\n`);

  test('with one service that builds is used', async () => {
    const { task, errors } = await read({
      ...service(
        'build:\n  context: .\n  dockerfile: Other\nworking_dir: /srv\ncommand: sleep infinity\nenvironment:\n  - A=1\nvolumes:\n  - ${HOST_VERIFIER_LOGS_PATH}:${ENV_VERIFIER_LOGS_PATH}',
      ),
      'environment/Other': 'FROM b:1\n',
    });
    expect(errors).toEqual([]);
    expect(task?.workdir).toBe('/srv');
    expect(textOf(task?.environment, 'Dockerfile')).toBe('FROM b:1\nENV A="1"\n');
    expect(pathsOf(task?.environment)).toEqual(['Dockerfile', 'app/sum.js']);
  });

  test('with one service that names an image is used', async () => {
    const { task } = await read({ ...service('image: org/x:1\nworking_dir: /w'), 'environment/Dockerfile': null });
    expect(task).toMatchObject({ image: 'org/x:1', environment: [], workdir: '/w' });
  });

  test.each<[string, Files, RegExp]>([
    [
      'several services',
      compose('services:\n  main:\n    image: a:1\n  db:\n    image: b:1\n'),
      /docker-compose\.yaml:1: has 2 services \(main, db\)/,
    ],
    ['what no sandbox has', service('build: .\nprivileged: true'), /docker-compose\.yaml:4: privileged cannot be had/],
    [
      'mounts',
      service('build: .\nvolumes: [/var/run/docker.sock:/x]'),
      /docker-compose\.yaml:4: volumes: "\/var\/run\/docker\.sock:\/x" cannot be mounted/,
    ],
    ['a context elsewhere', service('build: ..'), /docker-compose\.yaml:3: build: its context \.\. /],
    ['broken YAML', compose('services: [\n'), /docker-compose\.yaml(:\d+)?: is not YAML/],
    ['another shape', compose('services:\n  main:\n    image: 3\n'), /docker-compose\.yaml:3: services\.main\.image: /],
  ])('with %s is refused', async (_, changes, message) => {
    const { task, errors } = await read(changes);
    expect(task).toBeNull();
    expect(errors).toContainEqual(expect.stringMatching(message));
  });
});

describe('the network', () => {
  const fetching = {
    'tests/test.sh':
      '#!/bin/bash\nset -e\napt-get update && apt-get install -y curl\necho 1 > /logs/verifier/reward.txt\n',
  };
  test.each<[string, Files, object, RegExp]>([
    [
      'allowlists name their hosts',
      toml(
        '[agent]\nnetwork_mode = "allowlist"\nallowed_hosts = ["pypi.org", "a.org"]\n[verifier]\nnetwork_mode = "allowlist"\nallowed_hosts = ["a.org"]\n',
      ),
      { allow: ['a.org', 'pypi.org'] },
      /needs network access to a\.org, pypi\.org, and this installation permits none/,
    ],
    [
      'public is any host',
      toml('[environment]\nnetwork_mode = "public"\n'),
      { allow: null },
      /^task\.toml:2: it needs network access to the internet/,
    ],
    [
      'a phase counts',
      toml('[environment]\nnetwork_mode = "no-network"\n[verifier]\nnetwork_mode = "public"\n'),
      { allow: null },
      /the internet/,
    ],
    ['the old key counts', toml('[environment]\nallow_internet = true\n'), { allow: null }, /^task\.toml:2: /],
    [
      'tests that fetch need it, unless it is said',
      { ...toml(''), ...fetching },
      { allow: null },
      /^tests\/test\.sh:3: .*its tests run "apt-get update"/,
    ],
  ])('%s', async (_, changes, network, message) => {
    const refused = await read(changes);
    expect(refused.task).toBeNull();
    expect(refused.errors).toEqual([expect.stringMatching(message)]);
    expect((await read(changes, { allowNetwork: true })).task?.network).toEqual(network);
  });

  test('is not needed by a task that says so, or fetches nothing', async () => {
    expect((await read(fetching)).errors).toEqual([]);
    expect(
      (
        await read({
          ...toml(''),
          'tests/test.sh': '#!/bin/sh\ncurl -s localhost:80\npip install --no-index x\n# apt-get update\n',
        })
      ).task?.network,
    ).toBeNull();
  });
});

test('a task of one step is that step, with its tests over those that all share', async () => {
  const { task, errors } = await read({
    ...toml('[[steps]]\nname = "only"\n[steps.verifier]\ntimeout_sec = 9.0\n'),
    'instruction.md': null,
    'solution/solve.sh': null,
    'steps/only/instruction.md': 'The step.\n',
    'steps/only/tests/sum.test.js': 'own\n',
    'steps/only/solution/solve.sh': 'true\n',
  });
  expect(errors).toEqual([]);
  expect(task).toMatchObject({ instruction: 'The step.\n', test: { timeoutMs: 9000 } });
  expect(textOf(task?.graderFiles, 'tests/sum.test.js')).toBe('own\n');
  expect(textOf(task?.graderFiles, 'tests/test.sh')).toContain('#!/bin/bash');
  expect(pathsOf(task?.solutionFiles)).toEqual(['solution/solve.sh']);
});

test('what is odd but harmless is a warning', async () => {
  const { task, warnings } = await read(
    toml(
      'schema_version = "2.0"\n[agent]\nuser = "dev"\ntimeout_sec = 900000\n[environment]\nmemory_mb = 4\n[solution]\nenv = { A = "1" }\n',
    ),
  );
  expect(task).not.toBeNull();
  expect(warnings).toEqual([
    expect.stringMatching(/^task\.toml:1: schema_version: 2\.0 is read as 1\.4/),
    expect.stringMatching(/^task\.toml:4: agent\.timeout_sec: .*were milliseconds meant/),
    expect.stringMatching(/^task\.toml:6: environment\.memory_mb: 4 megabytes .* 4096/),
    expect.stringMatching(/^task\.toml:3: agents work as root, not as dev/),
    expect.stringMatching(/^task\.toml:8: the variables of the solution/),
  ]);
});
