import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseQuery, type QuantityName, quantities } from '../../../src/calculator/query.ts';
import { fastest } from './timing.ts';

const valuesOf = (text: string): Record<string, bigint> =>
  Object.fromEntries(Object.entries(parseQuery(text).values).map(([name, { value }]) => [name, value]));

/** The query's only problem, as the characters it stands at and its message. */
function problemOf(text: string): readonly [string, string] {
  const { problems } = parseQuery(text);
  assert.equal(problems.length, 1, JSON.stringify(problems));
  const [problem] = problems;
  assert.ok(problem !== undefined);
  return [text.slice(problem.range.start, problem.range.end), problem.message];
}

describe('calculator queries', () => {
  it('reads short and long names, bare data types and units', () => {
    const query = parseQuery('d=4096 h=32 kv=8 T=8k B=4 bf16');
    assert.deepEqual(query.problems, []);
    assert.deepEqual(valuesOf('d=4096 h=32 kv=8 T=8k B=4 bf16'), {
      hiddenSize: 4096n,
      queryHeads: 32n,
      keyValueHeads: 8n,
      sequenceLength: 8192n,
      batch: 4n,
    });
    assert.equal(query.dtype?.name, 'bfloat16');
    assert.deepEqual(valuesOf('hidden_size: 4096, num_attention_heads: 32; head_dim=128'), {
      hiddenSize: 4096n,
      queryHeads: 32n,
      headDim: 128n,
    });
    assert.deepEqual(valuesOf('T=128K L=1_000 vocab=2MiB'), { sequenceLength: 131072n, layers: 1000n, vocabularySize: 2097152n });
    assert.deepEqual(valuesOf('T=0.5k d=1.5e3'), { sequenceLength: 512n, hiddenSize: 1500n });
    assert.equal(parseQuery('dtype=torch.float16').dtype?.name, 'float16');
    assert.equal(parseQuery('nobias').bias?.value, false);
  });

  it('computes whole numbers, other names included, in any order', () => {
    assert.deepEqual(valuesOf('d = h*hd h=32 hd=2^7'), { hiddenSize: 4096n, queryHeads: 32n, headDim: 128n });
    assert.deepEqual(valuesOf('ff=(8*d)//3 d=4096'), { intermediateSize: 10922n, hiddenSize: 4096n });
    assert.deepEqual(valuesOf('d=2*3+4*-5+100'), { hiddenSize: 86n });
    // Through a fraction and back: 4096 / 3 * 3 is whole.
    assert.deepEqual(valuesOf('d=4096/3*3'), { hiddenSize: 4096n });
  });

  it('says what is wrong at the characters that cause it', () => {
    assert.deepEqual(problemOf('d=4096 hedas=32'), ['hedas', 'No quantity is called hedas. Did you mean heads?']);
    assert.deepEqual(problemOf('d=4096 bf61'), ['bf61', 'bf61 is no data type. Did you mean bf16?']);
    assert.deepEqual(problemOf('d=100/3 h=4'), ['100/3', 'This is the width, a whole number, not 100/3: 33 or 34 would work.']);
    assert.deepEqual(problemOf('h=0'), ['0', 'At least 1 is needed here (query heads), not 0.']);
    assert.deepEqual(problemOf('h=-4')[0], '-4');
    assert.deepEqual(problemOf('d=1e400'), ['1e400', '1e400 is beyond what can be meant; sizes go up to 10^15.']);
    assert.deepEqual(problemOf('d=NaN')[0], 'NaN');
    assert.deepEqual(problemOf('d=10^16')[0], '10^16');
    assert.deepEqual(problemOf('d=4096 d=2048'), ['d', 'The width (d) is set twice.']);
    assert.deepEqual(problemOf('d=5 $ h=1')[0], '$');
    assert.deepEqual(problemOf('d=1/0'), ['0', 'Division by zero.']);
    assert.deepEqual(problemOf('d=ff'), ['ff', 'ff is not set in this query.']);
    assert.deepEqual(problemOf('d=(4')[1], 'A closing parenthesis belongs here.');
    assert.deepEqual(problemOf('d=4qq')[0], 'qq');
    assert.deepEqual(problemOf('h=? d=?')[0], '?');
    assert.match(problemOf('kv')[1], /needs a value/);
    assert.match(problemOf('d=')[1], /number belongs here/);
  });

  it('finds circles instead of following them', () => {
    const { problems, values } = parseQuery('d=h*2 h=d/2 T=5');
    assert.ok(problems.length > 0);
    for (const { message } of problems) assert.match(message, /defined by itself/);
    assert.equal(values.sequenceLength?.value, 5n);
  });

  it('keeps what is right beside what is wrong', () => {
    assert.deepEqual(valuesOf('d=4096 h=oops kv=8'), { hiddenSize: 4096n, keyValueHeads: 8n });
  });

  it('knows every name of every quantity, and no name twice', () => {
    const seen = new Set<string>();
    for (const [quantity, { names }] of Object.entries(quantities)) {
      for (const name of names) {
        assert.deepEqual(valuesOf(`${name}=7`), { [quantity as QuantityName]: 7n }, name);
        assert.ok(!seen.has(name.toLowerCase()), `${name} is used twice`);
        seen.add(name.toLowerCase());
      }
    }
  });

  it('never throws and keeps its ranges inside the text', () => {
    const word = fc.constantFrom(
      'd',
      'h',
      'kv',
      'T',
      '=',
      ' ',
      '8k',
      '4096',
      '*',
      '/',
      '(',
      ')',
      '^',
      '-',
      '?',
      'bf16',
      'x',
      '1e9',
      '.5',
      ',',
      '9'.repeat(50),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word, { maxLength: 40 }).map((words) => words.join('')),
        ),
        (text) => {
          for (const { range } of parseQuery(text).problems) {
            assert.ok(range.start >= 0 && range.start <= range.end && range.end <= text.length, JSON.stringify(text));
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('computes what BigInt computes', () => {
    const size = fc.bigInt(1n, 10n ** 6n);
    fc.assert(
      fc.property(size, size, size, (a, b, c) => {
        assert.equal(parseQuery(`d=${a}*${b}+${c}`).values.hiddenSize?.value, a * b + c);
        assert.equal(parseQuery(`d=(${a}*${b})/${b}`).values.hiddenSize?.value, a);
      }),
    );
  });

  it('answers the slowest inputs within a frame', () => {
    const nested = `d=${'('.repeat(1900)}1${')'.repeat(1900)}`;
    const powers = `d=${'(2^64)^64^'.repeat(300)}2`;
    const chain = `d=${'9999999*'.repeat(450)}1`;
    for (const text of [nested, powers, chain, 'd'.repeat(4000), 'd='.repeat(2000)]) {
      const elapsed = fastest(() => parseQuery(text));
      assert.ok(elapsed < 16, `${text.slice(0, 20)}...: ${elapsed.toFixed(1)} ms`);
    }
  });
});
