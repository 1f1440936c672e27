import assert from 'node:assert/strict';
import fc from 'fast-check';
import { calculate } from '../../../src/calculator/calculate.ts';
import { presets } from '../../../src/calculator/presets.ts';
import { report } from '../../../src/calculator/report.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { useLayoutsOfSource } from './layouts.ts';
import { fastest } from './timing.ts';

/** The values that answer the query's `?`. */
function answers(query: string): readonly number[] {
  const { rows, problems } = calculate(query);
  assert.deepEqual(problems, [], query);
  return rows.filter(({ id }) => /^solution\d+$/.test(id)).map(({ value }) => Number(value));
}

const problem = (query: string): { readonly message: string; readonly at: string } => {
  const [first] = calculate(query).problems;
  assert.ok(first !== undefined, query);
  return { message: first.message, at: query.slice(first.range.start, first.range.end) };
};

describe('solving for a value', () => {
  before(useLayoutsOfSource);

  it('lists head counts', () => {
    // 5120 = 2^10 * 5: counts that 8 devices share and that leave head dims divisible by 64.
    assert.deepEqual(answers('d=5120 h=? tp=8 hd%64'), [8, 16, 40, 80]);
    assert.deepEqual(answers('d=768 h=? hd>=64 hd<=128'), [6, 8, 12]);
    assert.deepEqual(answers('d=4096 h=32 kv=? tp=8'), [1, 2, 4, 8, 16, 32]);
  });

  it('says what becomes of the rest', () => {
    const [row] = calculate('d=5120 h=? hd=128').rows;
    assert.equal(row?.label, 'Query heads');
    assert.match(row?.text ?? '', /head dim 128/);
  });

  it('finds the longest context for a cache', () => {
    // Llama 3 8B: 32 layers x 2 x 8 x 128 x 2 B = 131,072 B a token; 2 GiB hold 16,384, and `<` excludes exactly 2 GiB.
    assert.deepEqual(answers('cache<=2GiB T=? L=32 h=32 kv=8 hd=128 bf16'), [16384]);
    assert.deepEqual(answers('cache<2GiB T=? L=32 h=32 kv=8 hd=128 bf16'), [16383]);
    assert.deepEqual(answers('cache>2GiB T=? L=32 h=32 kv=8 hd=128 bf16'), [16385]);
    assert.deepEqual(answers('cache<=2GiB T=8k B=? L=32 h=32 kv=8 hd=128 bf16'), [2]);
  });

  it('proposes widths for a number of parameters', () => {
    // 12 * 32 * d^2 = 7e9 at d = 4270: the multiples of 128 around it are 4224 and 4352.
    const found = answers('params=7b layers=32 ?');
    assert.ok(found.includes(4224) && found.includes(4352), found.join());
    assert.equal(found.length, 3);
  });

  it('counts parameters in thousands, lengths in 1024s', () => {
    assert.deepEqual(answers('params=1.5b layers=48 ?'), answers('params=1500m layers=48 ?'));
    assert.equal(problem('params=7GiB layers=32 ?').at, 'GiB');
  });

  it('says where the question is wrong', () => {
    assert.deepEqual(problem('d=? h=?'), { message: 'Only one value can be asked for: the width is already.', at: '?' });
    assert.equal(problem('d=512 hd%64').message, 'Nothing is asked for: put ? in place of a value, as in h=?.');
    assert.equal(problem('d=7 h=? hd%4').message, 'No query heads is known that satisfies all of this.');
    assert.equal(problem('cash<2GiB T=?').at, 'cash');
    assert.equal(problem('d=512 h=? tp=0').at, '0');
    assert.equal(problem('d=512 d=?').at, '?');
    assert.equal(problem('ff=? d=8').message, 'Give a limit for the FFN width, as in cache<2GiB or memory<80GB.');
    assert.match(problem('rope=? d=8').message, /^The rotary part of a head cannot be asked for; d, h, /);
  });

  it('gives only answers that hold, and skips none', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6000 }), fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 128 }), (d, tp, by) => {
        const { rows } = calculate(`d=${d} h=? tp=${tp} hd%${by}`);
        const listed = rows.filter(({ id }) => /^solution\d+$/.test(id)).map(({ value }) => Number(value));
        const all = Array.from({ length: 1024 }, (_, i) => i + 1).filter((h) => d % h === 0 && h % tp === 0 && (d / h) % by === 0);
        assert.deepEqual(listed, all.slice(0, 24));
        const more = rows.find(({ id }) => id === 'moreSolutions');
        assert.equal(Number(more?.value ?? 0), Math.max(0, all.length - 24));
      }),
      { numRuns: 200 },
    );
  });

  it('agrees with what the answer itself computes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 1 << 20 }), (layers, kib) => {
        const fixed = `L=${layers} h=16 kv=4 hd=64 bf16`;
        const { rows } = calculate(`cache<=${kib}KiB T=? ${fixed}`);
        const [answer] = rows.filter(({ id }) => id === 'solution0');
        const perToken = layers * 4 * 128 * 2;
        const most = Math.floor((kib * 1024) / perToken);
        if (most === 0) assert.equal(answer, undefined);
        else assert.equal(Number(answer?.value), most);
      }),
      { numRuns: 200 },
    );
  });

  it('finds what fits into memory', () => {
    // 80 GB on each of so many devices, weights alone in 16 bits: 70.55 billion parameters take 141 GB.
    const devices = answers('llama3-70b tp=? memory<80GB bf16');
    assert.deepEqual(devices, [2, 4, 8, 16, 32, 64]);
    // Every answer holds for its own numbers, and the next token or sequence would not fit.
    for (const [query, name] of [
      ['llama3-70b tp=4 memory<80GB B=2 bf16', 'T'],
      ['gemma3-27b memory<80GB T=128k bf16', 'B'],
      ['deepseek-v3 tp=8 ep=8 memory<192GB B=4 bf16', 'T'],
      ['d=4096 h=32 kv=8 ff=14336 gated L=32 V=128256 untied memory<24GB bf16', 'T'],
    ] as const) {
      const [found] = answers(`${query} ${name}=?`);
      assert.ok(found !== undefined, query);
      const used = (value: number): number => {
        const { devices: shares, serving } = report(`${query.replace(/memory<\S+/, '')} ${name}=${value}`);
        if (shares === undefined) return Number(serving?.memory.find(({ id }) => id === 'servingMemory')?.value);
        const of = (id: string) => shares.rows.find((row) => row.id === id)?.stages.map(Number) ?? [];
        return Math.max(...of('weights').map((bytes, stage) => bytes + (of('cache')[stage] ?? 0)));
      };
      const limit = Number(/memory<(\d+)GB/.exec(query)?.[1]) * 1e9;
      assert.ok(used(found) < limit && used(found + 1) >= limit, `${query}: ${found}`);
    }
  });

  it('finds layers, widths and devices for a number of parameters', () => {
    // Llama 3 8B has 218,112,000 parameters in a layer and 1,050,677,248 beside them.
    assert.deepEqual(answers('llama3-8b layers=? params<=8030261248'), [32]);
    assert.deepEqual(answers('llama3-8b layers=? params<8030261248'), [31]);
    assert.deepEqual(answers('llama3-8b layers=? params>8030261248'), [33]);
    assert.ok(answers('llama3-8b layers=? params=8b').includes(32));
    // Of the widths that 32 heads split into even heads the first 64 stay below nine billion, 4,352 being the largest.
    const { rows } = calculate('llama3-8b d=? params<9b');
    const listed = rows.filter(({ id }) => /^solution\d+$/.test(id)).map(({ value }) => Number(value));
    const more = Number(rows.find(({ id }) => id === 'moreSolutions')?.value);
    const largest = (listed.length + more) * 64;
    const total = (d: number) => Number(report(`llama3-8b d=${d}`).totals.parameters);
    assert.ok(total(largest) < 9e9 && total(largest + 64) >= 9e9, `${largest}`);
    assert.deepEqual(
      listed,
      Array.from({ length: 24 }, (_, i) => 64 * (i + 1)),
    );
    assert.deepEqual(answers('mixtral-8x7b ep=?'), [1, 2, 4, 8]);
    assert.deepEqual(answers('llama3-8b pp=? tp=2'), [1, 2, 4, 8, 16, 32]);
    // Training states over data-parallel devices: 16 bytes a parameter over fewer than eight do not fit into 20 GB.
    assert.equal(answers('llama3-8b dp=? zero=3 memory<20GB')[0], 7);
  });

  it('asks of devices what it says elsewhere', () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 2, 4), fc.constantFrom(1, 2, 4), fc.integer({ min: 1, max: 400 }), (cp, tp, mib) => {
        const fixed = `d=512 h=8 kv=4 L=4 ff=1024 gated V=1000 tied bf16 cp=${cp} tp=${tp} sp=${tp}`;
        const { rows, problems } = calculate(`${fixed} cache<${mib}MiB T=?`);
        const [found] = rows.filter(({ id }) => id === 'solution0');
        if (problems.length > 0) return;
        const tokens = Number(found?.value);
        assert.deepEqual(report(`${fixed} T=${tokens}`).problems, []);
        // The next length that they can share is beyond the limit: a token keeps 4 layers x 4 heads x 64 x 2 x 2 bytes.
        const perToken = 4 * 4 * 64 * 2 * 2;
        const step = cp * tp;
        assert.equal(tokens, Math.floor((mib * 2 ** 20 - 1) / perToken / step) * step);
      }),
      { numRuns: 100 },
    );
  });

  it('answers with designs that the linter accepts', () => {
    const questions: readonly (readonly [preset: string, question: string, key: string])[] = [
      ['llama3-8b', 'h=?', 'num_attention_heads'],
      ['llama3-8b', 'kv=? tp=4', 'num_key_value_heads'],
      ['llama3-8b', 'd=? params<9b', 'hidden_size'],
      ['llama2-7b', 'h=? hd%64', 'num_attention_heads'],
      ['qwen3-8b', 'h=?', 'num_attention_heads'],
      ['deepseek-v3', 'h=? params<900b', 'num_attention_heads'],
      ['gpt2', 'h=?', 'n_head'],
    ];
    for (const [preset, question, key] of questions) {
      const { rows } = calculate(`${preset} ${question}`);
      const values = rows.filter(({ id }) => /^solution\d+$/.test(id)).map(({ value }) => Number(value));
      assert.ok(values.length > 0, question);
      for (const value of values) {
        const config: Record<string, unknown> = { ...presets[preset], [key]: value };
        // Latent attention expands keys and values for every head.
        if (preset === 'deepseek-v3') config.num_key_value_heads = value;
        const text = JSON.stringify(config, undefined, 1);
        const { findings } = analyse({ text, path: 'config.json' }, defaultSettings);
        const errors = findings.filter(({ severity }) => severity === 'error');
        assert.deepEqual(
          errors.map(({ code, message }) => `${code} ${message}`),
          [],
          `${preset} ${key}=${value}`,
        );
      }
    }
  });

  it('answers within a frame, the slowest question included', () => {
    // The first dozen runs of a question are those in which its code is compiled.
    for (const query of [
      'd=? h=1 hd%1',
      'd=32768 h=? hd%1',
      '? params=7b layers=32',
      'cache<1TiB T=? L=1 h=1 hd=1',
      'd=? h=7 hd%13 hd<9999 hd>3',
      'deepseek-v3 T=32k tp=8 ep=8 pp=1 sp=8 B=4',
      'deepseek-v3 L=40 T=32k',
      'llama3-70b tp=? memory<80GB T=8k',
      'llama3-8b layers=? memory<80GB T=8k',
      'deepseek-v3 layers=? params<400b',
      'deepseek-v3 ep=? memory<80GB',
      'llama3-8b d=? params<9b',
      'deepseek-v3 d=? params<700b',
      'llama3-8b ff=? params=9b',
      'llama3-70b zero=3 dp=? memory<80GB T=4k',
      'qwen3-235b-a22b T=? memory<80GB tp=8 ep=4',
      'whisper-tiny params=7b ?',
      'whisper-tiny d=? params<1b',
    ])
      assert.ok(fastest(() => calculate(query), 25) < 16, query);
  });

  it('answers every keystroke within a frame', () => {
    const times: number[] = [];
    for (const query of [
      'd=4096 h=32 kv=8 T=8k B=4 bf16',
      'deepseek-v3 T=32k B=4 tp=8 ep=8 zero=1 h100',
      'llama3-70b memory<80GB tp=? T=8k',
      'qwen3-235b-a22b L=90 ff=8k T=? memory<640GB tp=8',
      'params=7b layers=32 ?',
      'deepseek-v3 d=? params<700b',
      'llama3-70b zero=3 dp=? memory<80GB T=4k',
    ])
      for (let end = 1; end <= query.length; end++) {
        const typed = query.slice(0, end);
        times.push(fastest(() => calculate(typed), 3));
      }
    times.sort((a, b) => a - b);
    const p99 = times[Math.floor(times.length * 0.99)] ?? Number.POSITIVE_INFINITY;
    assert.ok(p99 < 16, `p99 ${p99.toFixed(1)} ms of ${times.length} keystrokes`);
  });
});
