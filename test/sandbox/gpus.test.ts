import Docker from 'dockerode';
import { describe, expect, inject, test } from 'vitest';
import { createBubblewrap } from '#sandbox/bubblewrap.ts';
import { containerSettings, settingDifferences } from '#sandbox/docker/container-settings.ts';
import { createDocker } from '#sandbox/docker/docker.ts';
import { createProcess } from '#sandbox/process.ts';
import { SandboxUnavailable } from '#sandbox/sandbox.ts';
import { shell, someSpec } from '#test/conformance/sandbox-drivers.ts';
import { StubEngine } from './stub-engine.ts';

const gpus = ['GPU-1', 'GPU-3'];

describe('an engine is asked', () => {
  test('for exactly the GPUs that were leased, and no rights beside them', async () => {
    await using engine = await StubEngine.open();
    await using _sandbox = await createDocker({ docker: engine.docker }).open(someSpec({ image: 'any:1', gpus }));
    expect(engine.asked?.HostConfig).toMatchObject({
      DeviceRequests: [{ Driver: 'nvidia', DeviceIDs: gpus, Capabilities: [['gpu']] }],
      Devices: [],
      Privileged: false,
    });
    expect(engine.asked?.Env).toEqual(['NVIDIA_VISIBLE_DEVICES=GPU-1,GPU-3']);
  });

  test('for none by a sandbox that was given none, whatever its image says', async () => {
    await using engine = await StubEngine.open();
    await using _sandbox = await createDocker({ docker: engine.docker }).open(someSpec({ image: 'any:1' }));
    expect(engine.asked?.HostConfig.DeviceRequests).toEqual([]);
    expect(engine.asked?.Env).toEqual(['NVIDIA_VISIBLE_DEVICES=void']);
  });
});

describe.skipIf(!inject('docker').available)('the real engine', () => {
  test('makes a container for just these GPUs', async () => {
    const settings = containerSettings(someSpec({ gpus }), { seccomp: '{}', volumes: [] });
    const container = await new Docker().createContainer(settings);
    const made = await container.inspect();
    await container.remove({ force: true });
    expect(settingDifferences(settings, made)).toEqual([]);
    expect(made.HostConfig.DeviceRequests?.map(({ DeviceIDs }) => DeviceIDs)).toEqual([gpus]);
    const other = containerSettings(someSpec({ gpus: ['GPU-1'] }), { seccomp: '{}', volumes: [] });
    expect(settingDifferences(other, made).join()).toContain('DeviceRequests');
  });

  test('without the runtime for GPUs, opens no sandbox with them and says what to install', async (context) => {
    const driver = createDocker();
    context.skip((await driver.diagnose()).gpus === true, 'this engine has the runtime for GPUs');
    const opening = driver.open(someSpec({ gpus }));
    await expect(opening).rejects.toThrow(SandboxUnavailable);
    await expect(opening).rejects.toThrow('NVIDIA Container Toolkit');
  });
});

test('the process driver names the GPUs to programs, and keeps nothing from them', async () => {
  await using sandbox = await createProcess().open(someSpec({ gpus }));
  expect((await shell(sandbox, 'echo "$CUDA_VISIBLE_DEVICES"')).stdout).toBe('GPU-1,GPU-3\n');
  await using plain = await createProcess().open(someSpec());
  expect((await shell(plain, 'echo "$CUDA_VISIBLE_DEVICES"')).stdout).toBe('\n');
});

test('bubblewrap refuses GPUs, since it hands out none', async () => {
  await expect(createBubblewrap().open(someSpec({ gpus }))).rejects.toThrow(
    /hands out no GPUs: use the docker sandbox/,
  );
});
