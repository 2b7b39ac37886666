import { describe, expect, it } from 'vitest';
import { classText, fits, gpuNeedOf, gpusText, jobsAtOnce, resourceClassOf } from '#services/resource-class.ts';
import { aGpu } from './stand-in-gpus.ts';

const h100 = aGpu('GPU-h');
const t4 = aGpu('GPU-t', { model: 'Tesla T4', memoryMiB: 15_360 });
const a10 = aGpu('GPU-a', { model: 'NVIDIA A10', memoryMiB: 23_028 });

describe('the class of a job', () => {
  it.each([
    [{ gpus: 0 }, 'cpu', 'no GPU'],
    [{ gpus: 0, gpuMemoryGiB: 24, gpuModel: 'H100' }, 'cpu', 'no GPU'],
    [{ gpus: 1 }, 'gpu-1', '1 GPU'],
    [{ gpus: 1, gpuMemoryGiB: 24 }, 'gpu-1x24', '1 GPU of 24 GiB'],
    [{ gpus: 2, gpuMemoryGiB: 80, gpuModel: 'H100' }, 'gpu-2x80-h100', '2 GPUs of 80 GiB (h100)'],
    [{ gpus: 1, gpuModel: 'H100, A100-SXM4' }, 'gpu-1-a100-sxm4+h100', '1 GPU (a100-sxm4 or h100)'],
    [{ gpus: 1, gpuModel: 'a100 sxm4,h100,H100' }, 'gpu-1-a100-sxm4+h100', '1 GPU (a100-sxm4 or h100)'],
  ])('of %j is called %s', (resources, name, text) => {
    expect(resourceClassOf(resources)).toBe(name);
    expect(classText(name)).toBe(text);
  });

  it('is read back from its name', () => {
    expect(gpuNeedOf('gpu-2x80-a100+h100')).toEqual({ gpus: 2, memoryGiB: 80, models: ['a100', 'h100'] });
    expect(gpuNeedOf('gpu-1-x1')).toEqual({ gpus: 1, memoryGiB: 0, models: ['x1'] });
    expect(gpuNeedOf('cpu')).toBeNull();
    for (const name of ['gpu', 'gpu-0', 'gpu-1x', 'GPU-1', '']) expect(() => gpuNeedOf(name)).toThrow(RangeError);
  });
});

describe('a GPU fits', () => {
  it.each([
    ['gpu-1x80', true, 'a card sold with 80 GB has 79.6 GiB'],
    ['gpu-1x96', false, 'and no 96'],
    ['gpu-1-h100', true, 'by its model'],
    ['gpu-1-h100-80gb', true, 'by more of its name'],
    ['gpu-1-h10', false, 'words count as a whole'],
    ['gpu-1-a100+h100', true, 'by one of several models'],
    ['gpu-1-hbm3-h100', false, 'words in another order are another name'],
  ])('%s: %s, %s', (name, isFitting) => {
    expect(fits(gpuNeedOf(name)!, h100)).toBe(isFitting);
  });

  it.each([
    ['gpu-1x16', t4],
    ['gpu-1x24', a10],
  ])('%s by what its maker calls the size', (name, gpu) => {
    expect(fits(gpuNeedOf(name)!, gpu)).toBe(true);
  });

  it('with its part of the memory where it is shared', () => {
    expect(fits(gpuNeedOf('gpu-1x40')!, h100, 2)).toBe(true);
    expect(fits(gpuNeedOf('gpu-1x40')!, h100, 3)).toBe(false);
  });

  it('tells models that begin alike', () => {
    const l40s = aGpu('GPU-l', { model: 'NVIDIA L40S' });
    expect(fits(gpuNeedOf('gpu-1-l4')!, l40s)).toBe(false);
    expect(fits(gpuNeedOf('gpu-1-rtx4090')!, aGpu('GPU-r', { model: 'NVIDIA GeForce RTX 4090' }))).toBe(true);
  });
});

describe('how many jobs at once', () => {
  it.each([
    ['cpu', 1, Number.POSITIVE_INFINITY],
    ['gpu-1', 1, 4],
    ['gpu-1x24', 1, 3],
    ['gpu-2x80', 1, 1],
    ['gpu-3x80', 1, 0],
    ['gpu-1x40', 2, 4],
    ['gpu-2x40', 2, 2],
    ['gpu-1-t4', 1, 1],
    ['gpu-1-v100', 1, 0],
  ])('%s, %i to a GPU: %d', (name, share, jobs) => {
    expect(jobsAtOnce(name, [h100, { ...h100 }, a10, t4], share)).toBe(jobs);
  });

  it('GPUs are shown to people by kind', () => {
    expect(gpusText([h100, h100, t4])).toBe('2 × NVIDIA H100 80GB HBM3 (79.6 GiB), 1 × Tesla T4 (15.0 GiB)');
    expect(gpusText([])).toBe('none');
  });
});
