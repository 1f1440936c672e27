import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { type ComputeReply, Computer, type Job } from '../../webview/preview/compute.ts';
import { makeSample, makeSampleSteps } from '../../webview/preview/sample.ts';
import { freshSettings } from '../../webview/preview/settings.ts';
import type { PreviewDesign } from '../../webview/protocol.ts';
import { builtKernel } from '../unit/kernel/load-kernels.ts';

/** DeepSeek V3: its projections up from the latents have 54 million numbers. */
const latent: PreviewDesign = {
  queryHeads: 128,
  keyValueHeads: 128,
  headDim: 192,
  valueDim: 128,
  causal: true,
  positions: 'rope',
  latent: { queryRank: 1536, keyValueRank: 512, plainDim: 128, rotaryDim: 64 },
};
const small: PreviewDesign = { queryHeads: 2, keyValueHeads: 2, headDim: 8, valueDim: 8, causal: true, positions: 'rope' };
const settings = { ...freshSettings, length: 24 };
const job = (design: PreviewDesign, more: Partial<Job['settings']> = {}): Job => ({
  design,
  settings: { ...settings, ...more },
  pooled: false,
});

describe('cancelling a computation', function () {
  this.timeout(60_000);

  it('makes a sample in steps, none of more than a few milliseconds of work', () => {
    const design = { ...latent, queryHeads: 16, keyValueHeads: 16 };
    const steps = makeSampleSteps(design, settings);
    let count = 0;
    let last = steps.next();
    for (; last.done !== true; last = steps.next()) count++;
    assert.deepEqual(last.value, makeSample(design, settings));
    const { weights } = last.value.layers[0] as (typeof last.value.layers)[number];
    const { queryUp, keyValueUp } = weights as { queryUp: Float32Array; keyValueUp: Float32Array };
    assert.ok(count >= (queryUp.length + keyValueUp.length) / 2 ** 18, `${count} steps`);
  });

  it('stops within 50 ms of processor time while projections are drawn, and answers what is asked then', async () => {
    const binaries = await builtKernel();
    const answers: ComputeReply[] = [];
    const computer = new Computer((reply) => answers.push(reply));
    void computer.handle({ kind: 'load', binaries: { simd: readFileSync(join(binaries, 'attention.wasm')) } });
    // Once, so that compiling is not counted.
    await computer.handle({ kind: 'compute', id: 1, job: job(small) });
    // What comes in between is heard in between, and the end is soon: the longest of both, in microseconds of processor time. The least of
    // some tries, as what other threads of the process collect and compile counts too.
    let least = Number.POSITIVE_INFINITY;
    // Beside other work the same steps take more processor time: caches and the making of pages are shared.
    const limit = 50_000 * Math.max(1, (1.5 * (loadavg()[0] ?? 0)) / availableParallelism());
    for (let round = 0; round < 5 && least >= limit; round++) {
      const running = computer.handle({ kind: 'compute', id: 2, job: job(latent, { seed: 5 + round }) });
      let longest = 0;
      for (let before = process.cpuUsage(), turn = 0; turn < 12; turn++) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        const { user, system } = process.cpuUsage(before);
        longest = Math.max(longest, user + system);
        before = process.cpuUsage();
      }
      const told = process.cpuUsage();
      void computer.handle({ kind: 'cancel', id: 2 });
      await running;
      const { user, system } = process.cpuUsage(told);
      least = Math.min(least, Math.max(longest, user + system));
    }
    assert.ok(least < limit, `nothing was heard for ${least / 1000} ms`);
    await computer.handle({ kind: 'compute', id: 3, job: job(small) });
    assert.deepEqual(
      answers.filter(({ kind }) => kind !== 'progress').map(({ kind, id }) => [kind, id]),
      [
        ['result', 1],
        ['result', 3],
      ],
    );
    // What was begun is begun anew, and comes out whole.
    await computer.handle({ kind: 'compute', id: 4, job: job({ ...latent, queryHeads: 4, keyValueHeads: 4 }, { seed: 5 }) });
    const last = answers.at(-1);
    assert.ok(last?.kind === 'result' && last.maps.every((weight) => weight >= 0 && weight <= 1.001));
  }).retries(2);
});
