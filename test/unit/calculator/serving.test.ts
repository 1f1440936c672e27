import assert from 'node:assert/strict';
import fc from 'fast-check';
import { gpus } from '../../../src/calculator/gpus.ts';
import { type Report, type Roofline, report } from '../../../src/calculator/report.ts';
import { seenPairs } from '../../../src/calculator/serving.ts';
import { useLayoutsOfSource } from './layouts.ts';

const numberOf = (made: Report, part: 'memory' | 'prefill' | 'decode', id: string): number => {
  const found = made.serving?.[part].find((each) => each.id === id);
  assert.ok(found !== undefined, `${id}: ${made.notModelled.join()}`);
  return Number(found.value);
};

const lineOf = (made: Report, gpu: string, phase: Roofline['phase']): Roofline => {
  const found = made.serving?.rooflines.find((each) => each.gpu === gpu && each.phase === phase);
  assert.ok(found !== undefined, gpu);
  return found;
};

describe('serving', () => {
  before(useLayoutsOfSource);

  it('counts the pairs that a causal mask and a window leave', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.option(fc.integer({ min: 1, max: 50 })), (tokens, window) => {
        let pairs = 0;
        for (let query = 0; query < tokens; query++)
          for (let key = 0; key <= query; key++) if (window === null || query - key < window) pairs++;
        assert.equal(seenPairs(BigInt(tokens), window === null ? undefined : BigInt(window)), BigInt(pairs));
      }),
    );
  });

  it('computes for a prompt what its tokens compute one after the other', () => {
    // The last of T tokens sees T; all of them together are a prompt, but for logits, which only the last one needs.
    const query = 'd=64 h=8 kv=2 L=3 ff=96 gated V=1000 untied bf16';
    const decoded = Array.from({ length: 12 }, (_, i) => numberOf(report(`${query} T=${i + 1}`), 'decode', 'decodeFlops'));
    const head = 2 * 64 * 1000;
    const all = decoded.reduce((total, flops) => total + flops - head, head);
    assert.equal(numberOf(report(`${query} T=12`), 'prefill', 'prefillFlops'), all);
    // The same with a window, and with experts.
    for (const more of ['W=5', 'E=4 topk=2 eff=40 shared=1']) {
      const each = Array.from({ length: 12 }, (_, i) => numberOf(report(`${query} ${more} T=${i + 1}`), 'decode', 'decodeFlops'));
      assert.equal(
        numberOf(report(`${query} ${more} T=12`), 'prefill', 'prefillFlops'),
        each.reduce((total, flops) => total + flops - head, head),
        more,
      );
    }
  });

  it('keeps of a sequence what its layers keep', () => {
    // Llama 3 8B: 128 KiB a token. Mistral 7B: the same sizes, but never more than 4,096 tokens.
    assert.equal(numberOf(report('llama3-8b T=8k'), 'memory', 'cachePerSequence'), 2 ** 30);
    assert.equal(numberOf(report('mistral-7b T=8k'), 'memory', 'cachePerSequence'), 4096 * 131072);
    // Gemma 3 27B: of 62 layers 10 look back on everything, 52 on 1,024 tokens; 16 KV heads of 128, keys and values, two bytes.
    assert.equal(numberOf(report('gemma3-27b T=128k'), 'memory', 'cachePerSequence'), (10 * 131072 + 52 * 1024) * 2 * 16 * 128 * 2);
    // 70.272 kB a token: "Insights into DeepSeek-V3", arXiv:2505.09343, table 1, with 327.680 kB for Qwen 2.5 72B and 516.096 kB for Llama 3.1 405B.
    assert.equal(numberOf(report('deepseek-v3'), 'memory', 'cachePerToken'), 70_272);
    assert.equal(numberOf(report('qwen2.5-72b'), 'memory', 'cachePerToken'), 327_680);
    assert.equal(numberOf(report('llama3.1-405b'), 'memory', 'cachePerToken'), 516_096);
  });

  it('reads a table of embeddings only where the head does, and of the experts those of one token', () => {
    // Llama 3 8B: all but the embedding's table, which is looked up. Its cache of one token: 131,072 bytes.
    const table = 128256 * 4096;
    assert.equal(numberOf(report('llama3-8b T=1'), 'decode', 'decodeBytes'), 2 * (8_030_261_248 - table) + 131072);
    // Llama 3.2 1B shares it with the head.
    const small = numberOf(report('llama3.2-1b T=1'), 'decode', 'decodeBytes');
    assert.equal(small, 2 * 1_235_814_400 + 2 * 16 * 8 * 64 * 2);
    // Mixtral 8x7B: two of eight experts, 3 x 4096 x 14336 each, in 32 layers.
    const expert = 3 * 4096 * 14336;
    const mixtral = numberOf(report('mixtral-8x7b T=1'), 'decode', 'decodeBytes');
    assert.equal(mixtral, 2 * (46_702_792_704 - 32 * 6 * expert - 32000 * 4096) + 131072);
  });

  it('multiplies for a token the weights that it meets', () => {
    // Activated parameters of DeepSeek-V3 are 36.7 billion with the embedding (README_WEIGHTS.md): two FLOPs each, without the table's 0.9.
    const flops = numberOf(report('deepseek-v3 T=1'), 'decode', 'decodeFlops');
    const activated = flops / 2 / 1e9;
    assert.ok(activated > 36.6 - 0.93 && activated < 36.8, `${activated}`);
    // Mixtral 8x7B: 12.9 billion active (arXiv:2401.04088), 0.13 of them in the table.
    const mixtral = numberOf(report('mixtral-8x7b T=1'), 'decode', 'decodeFlops') / 2 / 1e9;
    assert.ok(mixtral > 12.7 && mixtral < 12.9, `${mixtral}`);
  });

  it('bounds the time by the peak or by the memory', () => {
    const made = report('llama3-8b T=8k B=1 bf16 h100');
    assert.deepEqual([...new Set(made.serving?.rooflines.map(({ gpu }) => gpu))], ['H100 SXM']);
    const prefill = lineOf(made, 'H100 SXM', 'prefill');
    assert.equal(prefill.bound, 'compute');
    // 989.5 TFLOPS: a nanosecond computes 989,500 of them.
    assert.equal(prefill.nanoseconds, Math.floor(numberOf(made, 'prefill', 'prefillFlops') / 989_500));
    const decode = lineOf(made, 'H100 SXM', 'decode');
    assert.equal(decode.bound, 'bandwidth');
    assert.equal(decode.nanoseconds, Math.floor(numberOf(made, 'decode', 'decodeBytes') / 3350));
    assert.ok(decode.fits);
    // Eight of them are eight times as fast at most.
    const eight = lineOf(report('llama3-8b T=8k B=1 bf16 tp=8 h100'), 'H100 SXM', 'decode');
    assert.equal(eight.nanoseconds, Math.floor(numberOf(made, 'decode', 'decodeBytes') / (8 * 3350)));
    assert.equal(lineOf(report('llama3-70b T=8k h100'), 'H100 SXM', 'decode').fits, false);
    assert.equal(lineOf(report('llama3-70b T=8k tp=2 h100'), 'H100 SXM', 'decode').fits, true);
  });

  it('takes the ridge for the place where the bound changes', () => {
    for (const { label, gigaflops, gigabytesPerSecond } of gpus) {
      const made = report(`llama3-8b T=2k B=64 bf16`);
      for (const phase of ['prefill', 'decode'] as const) {
        const intensity = numberOf(made, phase, `${phase}Flops`) / numberOf(made, phase, `${phase}Bytes`);
        const ridge = (gigaflops.bfloat16 ?? 0) / gigabytesPerSecond;
        assert.equal(lineOf(made, label, phase).bound, intensity > ridge ? 'compute' : 'bandwidth', `${label} ${phase}`);
      }
    }
  });

  it('keeps to dense peaks', () => {
    // A 16-bit peak is at most twice the 32-bit one's tensor cores, and 8 bits at most twice that.
    for (const { name, gigaflops } of gpus) {
      const { tfloat32 = 0, bfloat16 = 0, float8 } = gigaflops;
      assert.ok(bfloat16 <= 2.05 * tfloat32, name);
      if (float8 !== undefined) assert.ok(float8 <= 2.05 * bfloat16, name);
    }
  });

  it('has no cache for what generates nothing', () => {
    const made = report('bert-base T=512');
    assert.equal(
      made.serving?.memory.some(({ id }) => /cache/i.test(id)),
      false,
    );
    assert.equal(made.serving?.decode.length, 0);
    // All pairs: 12 layers of 4 d^2 + 8 d^2 weights for each token, and 4 d for each pair.
    assert.equal(numberOf(made, 'prefill', 'prefillFlops'), 12 * (512 * 2 * 12 * 768 ** 2 + 512 ** 2 * 4 * 768));
  });
});
