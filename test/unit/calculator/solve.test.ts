import assert from 'node:assert/strict';
import fc from 'fast-check';
import { calculate } from '../../../src/calculator/calculate.ts';
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

  it('answers within a frame, the slowest question included', () => {
    for (const query of [
      'd=? h=1 hd%1',
      'd=32768 h=? hd%1',
      '? params=7b layers=32',
      'cache<1TiB T=? L=1 h=1 hd=1',
      'd=? h=7 hd%13 hd<9999 hd>3',
    ])
      assert.ok(fastest(() => calculate(query)) < 16, query);
  });
});
