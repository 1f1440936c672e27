import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parseConfig } from '../../../src/syntax/read.ts';
import { configFor, familyOf, isExcluded, matchesGlob } from '../../../src/workspace/filter.ts';
import { mergeSettings, readProjectSettings, rebaseSettings } from '../../../src/workspace/projectSettings.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';

const read = (text: string, path = 'headwise.json') => readProjectSettings(parseConfig(text, { path }));

/** Problems with the text they stand on. */
const problems = (text: string, path?: string): string[] =>
  (read(text, path)?.problems ?? []).map(({ range, message }) => `${text.slice(range.start, range.end)} | ${message}`);

const whole = {
  rules: { HW101: 'warning', heads: 'off', 'unused-suppression': 'hint', HW9: 'information' },
  parallel: { tensor: 8, pipeline: 2, context: 4, expert: 16, stack: 'vllm' },
  perFileIgnores: { 'old/**': ['HW101', '*'] },
  families: { 'mine/*.json': 'llama' },
  configs: { 'src/model.py': 'configs/7b.json' },
  exclude: ['vendor'],
};

describe('project settings', () => {
  it('are read from headwise.json', () => {
    const result = read(JSON.stringify({ $schema: './x.json', ...whole }));
    assert.deepEqual(result, { settings: whole, problems: [] });
  });

  it('are read from pyproject.toml, in either spelling', () => {
    const toml = `
[project]
name = "x"
rules = "not ours"

[tool.headwise]
exclude = ["vendor"]

[tool.headwise.rules]
HW101 = "warning"
heads = "off"
unused-suppression = "hint"
HW9 = "information"

[tool.headwise.parallel]
tensor = 8
pipeline = 2
context = 4
expert = 16
stack = "vllm"

[tool.headwise.per-file-ignores]
"old/**" = ["HW101", "*"]

[tool.headwise.families]
"mine/*.json" = "llama"

[tool.headwise.configs]
"src/model.py" = "configs/7b.json"
`;
    assert.deepEqual(read(toml, 'pyproject.toml'), { settings: whole, problems: [] });
    assert.deepEqual(read(toml.replace('per-file-ignores', 'perFileIgnores'), 'pyproject.toml')?.settings, whole);
    assert.equal(read('[tool.ruff]\nselect = []\n', 'pyproject.toml'), undefined);
  });

  it('name what is wrong where it is wrong, and keep the rest', () => {
    assert.deepEqual(problems('{"ruels": {}, "exclude": ["a"]}'), ['ruels | There is no setting "ruels". Did you mean rules?']);
    assert.deepEqual(read('{"ruels": {}, "exclude": ["a"]}')?.settings, { exclude: ['a'] });
    assert.deepEqual(problems('{"rules": {"HW1O1": "off"}}'), [
      'HW1O1 | No rule, code prefix or category is called "HW1O1". Did you mean HW101?',
    ]);
    assert.deepEqual(problems('{"rules": {"HW101": "wraning"}}'), [
      '"wraning" | A level is one of error, warning, information, hint, off, not the string "wraning". Did you mean warning?',
    ]);
    assert.deepEqual(problems('{"rules": ["HW101"]}'), ['["HW101"] | rules is an object, not a list.']);
    assert.deepEqual(problems('{"parallel": {"tensor": 0, "expert": 2.5, "context": "4"}}'), [
      '0 | tensor is a whole number of devices, at least 1, not the number 0.',
      '2.5 | expert is a whole number of devices, at least 1, not the number 2.5.',
      '"4" | context is a whole number of devices, at least 1, not the string "4".',
    ]);
    assert.deepEqual(problems('{"parallel": {"stack": "megatorn"}}'), [
      '"megatorn" | stack is one of megatron, torchtitan, vllm, not the string "megatorn".',
    ]);
    assert.deepEqual(problems('{"exclude": "vendor"}'), ['"vendor" | exclude is a list of strings, not the string "vendor".']);
    assert.deepEqual(
      problems('{"perFileIgnores": {"a": ["HW101", 5, "nope-nope"]}}'),
      [
        '5 | perFileIgnores of "a" holds strings, not the number 5.',
        'nope-nope | No rule, code prefix or category is called "nope-nope".',
      ].map((text) => text.replace(/^nope-nope/, '"nope-nope"')),
    );
    assert.deepEqual(problems('[]'), [
      '[] | Settings are an object with the properties rules, parallel, perFileIgnores, families, configs and exclude.',
    ]);
    assert.equal(problems('{"exclude": ["a"').length > 0, true);
    assert.deepEqual(problems('[tool.headwise]\nper-file-ignore = {}\n', 'pyproject.toml'), [
      'per-file-ignore | There is no setting "per-file-ignore". Did you mean per-file-ignores?',
    ]);
  });

  it('merge key by key', () => {
    const merged = mergeSettings(
      { ...defaultSettings, rules: { HW1: 'off', HW2: 'off' }, exclude: ['a'], parallel: { tensor: 2, stack: 'vllm' } },
      {
        rules: { HW2: 'error' },
        exclude: ['b'],
        parallel: { tensor: 4 },
      },
    );
    assert.deepEqual(merged.rules, { HW1: 'off', HW2: 'error' });
    assert.deepEqual(merged.exclude, ['a', 'b']);
    assert.deepEqual(merged.parallel, { tensor: 4, stack: 'vllm' });
  });

  it('of a folder read from above as they do in it', () => {
    const moved = rebaseSettings(
      {
        rules: { HW1: 'off' },
        perFileIgnores: { '*.json': ['HW1'], '/top.json': ['HW2'], 'a/b/': ['HW3'] },
        families: { old: 'gpt2' },
        configs: { '*.py': 'c.json', 'x/*.py': '', '/y.py': '/abs/c.json' },
        exclude: ['./gone.py'],
      },
      'sub/[x]',
    );
    const settings = mergeSettings(defaultSettings, moved);
    const ignored = (path: string): string[] =>
      Object.entries(settings.perFileIgnores).flatMap(([glob, codes]) => (matchesGlob(glob, path) ? codes : []));
    assert.deepEqual(ignored('sub/[x]/deep/c.json'), ['HW1']);
    assert.deepEqual(ignored('sub/[x]/top.json'), ['HW1', 'HW2']);
    assert.deepEqual(ignored('sub/[x]/a/b/c.yaml'), ['HW3']);
    assert.deepEqual([ignored('c.json'), ignored('sub/x/c.json'), ignored('sub/[x]/d/a/b/c.yaml')], [[], [], []]);
    assert.equal(familyOf('sub/[x]/d/old/c.json', settings), 'gpt2');
    assert.equal(familyOf('old/c.json', settings), undefined);
    assert.deepEqual(
      ['sub/[x]/d/m.py', 'sub/[x]/x/m.py', 'sub/[x]/y.py', 'm.py', 'n/m.py'].map((path) => configFor(path, settings)),
      ['sub/[x]/c.json', undefined, '/abs/c.json', 'config.json', 'n/config.json'],
    );
    assert.deepEqual([isExcluded('sub/[x]/gone.py', settings), isExcluded('gone.py', settings)], [true, false]);
    assert.deepEqual(moved.rules, { HW1: 'off' });
  });

  it('never throw', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom('headwise.json', 'pyproject.toml'), (text, path) => {
        read(text, path);
        read(
          `{"rules": ${text}, "parallel": ${text}, "perFileIgnores": ${text}, "families": {"a": ${text}}, "configs": {"a": ${text}}, "exclude": ${text}}`,
        );
        read(`[tool.headwise]\n${text}`, path);
      }),
      { numRuns: 300 },
    );
  });

  it('have a schema with the same properties', () => {
    const schema = JSON.parse(readFileSync(join(process.cwd(), 'schemas/headwise.schema.json'), 'utf8')) as {
      readonly properties: Readonly<Record<string, { readonly properties?: Readonly<Record<string, unknown>> }>>;
    };
    assert.deepEqual(Object.keys(schema.properties).sort(), ['$schema', ...Object.keys(whole)].sort());
    assert.deepEqual(Object.keys(schema.properties.parallel?.properties ?? {}).sort(), Object.keys(whole.parallel).sort());
  });
});
