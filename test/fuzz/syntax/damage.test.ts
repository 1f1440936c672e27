// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are YAML and shell
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseConfig } from '../../../src/syntax/read.ts';
import { parseAnyYaml, parseYaml } from '../../../src/syntax/yaml.ts';
import { readPlainYaml } from '../../../src/syntax/yamlPlain.ts';
import { corpusFiles, findCorpus } from '../../corpus/corpus.ts';
import { assertSound } from '../../unit/syntax/tree.ts';

const fixtures: readonly (readonly [string, string])[] = [
  [
    'config.json',
    '{\n  "model_type": "llama",\n  "hidden_size": 4096, // width\n  "rope_scaling": {"factor": 8.0, "type": "yarn"},\n  "layer_types": ["full", "sliding"],\n  "x": -Infinity\n}\n',
  ],
  [
    'model.yaml',
    "variables: &v\n  max_seq_len: 2048\n  path: \"a b\"\nmodel:\n  <<: *v\n  n_heads: ${.n_layers}\n  n_layers: 32 # c\n  betas: [0.9, 0.95]\n  text: |\n    x\n     y\n  s: ${variables.path}/z\nlist:\n- a: 1\n  b: 'it''s'\n- *v\n",
  ],
  ['neox.yml', '# NeoX\n{\n  "num_layers": 16, # c\n  "opt": {"type": "Adam", "betas": [0.9, 0.95]},\n  "eps": 1.0e-8,\n}\n'],
  [
    'card.toml',
    'n_layers = 61\ntasks = ["a", \'b\']\n[modules.asr]\npath = """x\ny"""\nd.e = {f = 1, g = 2}\n[[m]]\nq = 1_000\n[[m]]\nq = 2 # c\n',
  ],
  [
    'train.sh',
    'TP=${TP:-2}\nH=4096\nARGS=(\n  --num-layers 24 # c\n  --hidden-size $H --ffn "$((4*H))"\n)\nif [ $M = 1 ]; then ARGS+=( --moe ); fi\nO="--a 1 \\\n --b=2"\ncat <<EOF\nx\nEOF\ntorchrun x.py ${ARGS[@]} $O --tp $TP \'q r\'\n',
  ],
  [
    't5.gin',
    "include 'base.gin'\nnetwork.T5Config:\n  emb_dim = 2048\n  heads = %N\nN = 32 # c\na/b.C.d = {'x': [1, (2, None)], \"y\": @f()}\nS = \\\n  'z'\n",
  ],
];

/** Within the quick reader's reach while undamaged. */
const plainFixtures: readonly string[] = [
  '---\n# c\na: &x 1\nb:\n- c: "d # e" # f\n  g: [1, \'x\', [2.5, y z], ]\n- - h\n  - i: {}\n-\nj: *x\nk:\n  l: ${a}\n  m: a b c\n  optional n@o: <p>\nq:\n',
  'm: &d\n  h: 08\n  e: 1e-05 # c\nn: *d\no: ${m.h}/x\n"p": -1\n\'r\': ???\n',
  '# c\n{\n  "a": 1, # x\n  "b": [true, null, {"c": "d#e"}],\n  "f": 1e-5,\n}\n',
];

interface Damage {
  readonly kind: 'delete' | 'insert' | 'duplicate' | 'truncate' | 'move';
  readonly at: number;
  readonly length: number;
  readonly to: number;
  readonly text: string;
}

const piece = fc.oneof(
  fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    ':',
    ',',
    '\n',
    '\r\n',
    '\t',
    '  ',
    '#',
    '&a',
    '*a',
    '*v',
    '<<: ',
    '${',
    '${a}',
    '}',
    '-',
    '- ',
    '|',
    '>',
    '%N',
    '@',
    '=',
    '$(',
    '$((',
    '`',
    '\\',
    '\\\n',
    '(',
    ')',
    '<<EOF\n',
    '--x',
    '!!int',
    '\u0000',
    '\uFEFF',
    '...',
    '---\n',
    '? ',
    '[[',
    ']]',
    '"""',
    'if ',
    'fi',
    ';;',
  ),
  fc.string({ maxLength: 8 }),
);

const damages: fc.Arbitrary<readonly Damage[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('delete', 'insert', 'duplicate', 'truncate', 'move'),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.integer({ min: 1, max: 40 }),
    to: fc.double({ min: 0, max: 1, noNaN: true }),
    text: piece,
  }),
  { minLength: 1, maxLength: 5 },
);

function damaged(original: string, list: readonly Damage[]): string {
  let text = original;
  for (const { kind, at, length, to, text: inserted } of list) {
    const start = Math.floor(at * text.length);
    const end = Math.min(text.length, start + length);
    const target = Math.floor(to * text.length);
    if (kind === 'delete') text = text.slice(0, start) + text.slice(end);
    else if (kind === 'insert') text = text.slice(0, start) + inserted + text.slice(start);
    else if (kind === 'duplicate') text = text.slice(0, target) + text.slice(start, end) + text.slice(target);
    else if (kind === 'move') {
      const cut = text.slice(0, start) + text.slice(end);
      text = cut.slice(0, target) + text.slice(start, end) + cut.slice(target);
    } else if (list.length === 1 || at > 0.5) text = text.slice(0, start);
  }
  return text;
}

/** Milliseconds for one reading: far above what it takes, far below what a runaway would. */
const limit = (text: string): number => 1000 + text.length / 50;

function check(path: string, text: string): void {
  const start = performance.now();
  const parsed = parseConfig(text, { path });
  const took = performance.now() - start;
  assert.ok(took < limit(text), `took ${took.toFixed(0)} ms`);
  // The bulkhead of parseConfig must never be what answers.
  assert.ok(!parsed.problems.some((problem) => problem.message === 'The file cannot be read.'));
  assertSound(parsed);
}

describe('damaged configs', function () {
  this.timeout(60_000);

  it('give a sound tree where fuzzing once found none', () => {
    check('a.yaml', '[}>c = ');
    check('a.json', '/*');
    check('train.sh', 'N=${M:-}\npython train.py --num-layers $N --hidden-size ${M:-}\n');
  });

  for (const [path, text] of fixtures) {
    it(`read without a problem whole: ${path}`, () => {
      assert.deepEqual(parseConfig(text, { path }).problems, []);
      check(path, text);
    });
    it(`give a sound tree: ${path}`, () => {
      fc.assert(
        fc.property(damages, (list) => check(path, damaged(text, list))),
        { numRuns: 1500 },
      );
    });
    it(`give a sound tree cut anywhere: ${path}`, () => {
      for (let cut = 0; cut <= text.length; cut++) {
        check(path, text.slice(0, cut));
        check(path, text.slice(cut));
      }
    });
  }

  it('give a sound tree for any text in any format', () => {
    const soup = fc
      .array(fc.oneof(piece, fc.constantFrom('a', 'b: ', 'c = ', ' ', '1', '\n')), { maxLength: 60 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(soup, fc.constantFrom('a.json', 'a.yaml', 'a.toml', 'a.sh', 'a.gin'), (text, path) => check(path, text)),
      { numRuns: 4000 },
    );
  });

  it('read the same by the quick YAML reader and the full one', () => {
    let quick = 0;
    fc.assert(
      fc.property(fc.constantFrom(...plainFixtures), damages, (original, list) => {
        const text = damaged(original, list);
        if (readPlainYaml(text) === undefined) return;
        quick++;
        assert.deepEqual(parseYaml(text), parseAnyYaml(text));
      }),
      { numRuns: 4000 },
    );
    assert.ok(quick > 400, `only ${quick} texts were plain`);
  });

  const corpus = findCorpus();
  if (corpus !== undefined) {
    const files = corpusFiles(corpus);
    it('give a sound tree for damage to the corpus', () => {
      fc.assert(
        fc.property(fc.constantFrom(...files), damages, ({ path, text }, list) => check(path, damaged(text, list))),
        { numRuns: 1500 },
      );
    });
  }
});
