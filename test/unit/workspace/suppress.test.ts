import assert from 'node:assert/strict';
import { parseConfig } from '../../../src/syntax/read.ts';
import { applyEdits } from '../../../src/text/edit.ts';
import type { Finding } from '../../../src/text/finding.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { defaultSettings, type Settings } from '../../../src/workspace/settings.ts';
import { suppressionEdit } from '../../../src/workspace/suppress.ts';

/** Only rules of heads and of the file: what others may say about the width is not the matter here. */
const findingsOf = (text: string, path: string, settings: Partial<Settings> = {}): readonly Finding[] =>
  analyse({ text, path }, { ...defaultSettings, ...settings }).findings.filter(({ code }) => /^HW[19]/.test(code));

/** Codes with the text they stand on. */
const shown = (text: string, path: string, settings?: Partial<Settings>): string[] =>
  findingsOf(text, path, settings).map(({ code, range }) => `${code} ${text.slice(range.start, range.end)}`);

/** A YAML config whose heads do not divide its width, with `comment` after the heads and `above` before them. */
const yaml = (comment: string, above = ''): string =>
  `model_type: llama\nhidden_size: 770\n${above}num_attention_heads: 12${comment}\nnum_hidden_layers: 12\n`;

const fixed = (text: string, path: string): string => {
  const [finding] = findingsOf(text, path).filter(({ code }) => code === 'HW901');
  const [fix] = finding?.fixes ?? [];
  assert.ok(fix?.safe, 'a safe fix');
  return applyEdits(text, fix.edits);
};

describe('suppression comments', () => {
  it('reports without a comment', () => {
    assert.deepEqual(shown(yaml(''), 'config.yaml'), ['HW101 12']);
  });

  it('hold for their line', () => {
    assert.deepEqual(shown(yaml('  # headwise: ignore'), 'config.yaml'), []);
    assert.deepEqual(shown(yaml('  # headwise: ignore[HW101]'), 'config.yaml'), []);
    assert.deepEqual(shown(yaml('  # headwise:ignore[HW1]'), 'config.yaml'), []);
    assert.deepEqual(shown(yaml('  # headwise: ignore[heads-do-not-divide-width]'), 'config.yaml'), []);
    assert.deepEqual(shown(yaml('  # as trained. # headwise: ignore[heads]'), 'config.yaml'), []);
  });

  it('hold for the next line of code when they stand alone, and can be stacked', () => {
    assert.deepEqual(shown(yaml('', '# headwise: ignore[HW101]\n'), 'config.yaml'), []);
    assert.deepEqual(shown(yaml('', '# headwise: ignore[HW101]\n\n# trained so\n'), 'config.yaml'), []);
    const other = `# headwise: ignore[HW101]\nmodel_type: llama\nhidden_size: 770\nnum_attention_heads: 12\nnum_hidden_layers: 12\n`;
    assert.deepEqual(shown(other, 'config.yaml'), ['HW901 HW101', 'HW101 12']);
  });

  it('hold for the whole file where they say so, anywhere', () => {
    assert.deepEqual(shown(yaml('', '# headwise: file-ignore[HW101]\n'), 'config.yaml'), []);
    assert.deepEqual(shown(`${yaml('')}# headwise: file-ignore\n`, 'config.yaml'), []);
  });

  it('are read in every format that has comments', () => {
    const pairs: readonly (readonly [string, string])[] = [
      [
        'config.jsonc',
        '{\n"model_type": "llama",\n"hidden_size": 770,\n"num_attention_heads": 12, // headwise: ignore[HW101]\n"num_hidden_layers": 12\n}',
      ],
      [
        'config.jsonc',
        '{\n"model_type": "llama",\n"hidden_size": 770,\n/* headwise: ignore[HW101] */\n"num_attention_heads": 12,\n"num_hidden_layers": 12\n}',
      ],
      [
        'config.toml',
        'model_type = "llama"\nhidden_size = 770\nnum_attention_heads = 12 # headwise: ignore[HW101]\nnum_hidden_layers = 12\n',
      ],
    ];
    for (const [path, text] of pairs) {
      assert.deepEqual(shown(text, path), [], text);
      assert.ok(shown(text.replace('headwise: ', 'heedwise: '), path).includes('HW101 12'), text);
    }
  });

  it('are not strings, other words or other codes', () => {
    assert.ok(shown(yaml('', 'comment: "# headwise: ignore[HW101]"\n'), 'config.yaml').includes('HW101 12'));
    assert.ok(shown(yaml('  # not-headwise: ignore'), 'config.yaml').includes('HW101 12'));
    assert.ok(shown(yaml('  # headwise: ignored'), 'config.yaml').includes('HW101 12'));
    assert.deepEqual(shown(yaml('  # headwise: ignore[HW2]'), 'config.yaml').includes('HW101 12'), true);
  });

  describe('that suppress nothing', () => {
    it('are reported at the part that does', () => {
      const good = yaml('  # headwise: ignore').replace('770', '768');
      assert.deepEqual(shown(good, 'config.yaml'), ['HW901 headwise: ignore']);
      assert.deepEqual(shown(yaml('  # headwise: ignore[HW101, HW900]'), 'config.yaml'), ['HW901 HW900']);
      const [unknown] = findingsOf(yaml('  # headwise: ignore[HW1O1]'), 'config.yaml').filter(({ code }) => code === 'HW901');
      assert.equal(unknown?.message, 'No rule is called HW1O1. Did you mean HW101?');
    });

    it('are removed with the space or the line they took', () => {
      const good = (comment: string, above = ''): string => yaml(comment, above).replace('770', '768');
      assert.equal(fixed(good('  # headwise: ignore'), 'config.yaml'), good(''));
      assert.equal(fixed(good('', '  # headwise: ignore[HW101]\n'), 'config.yaml'), good(''));
      assert.equal(
        fixed(good('', '# headwise: file-ignore[HW101]\n').replaceAll('\n', '\r\n'), 'config.yaml'),
        good('').replaceAll('\n', '\r\n'),
      );
      assert.equal(fixed(good('  # as trained # headwise: ignore'), 'config.yaml'), good('  # as trained'));
      assert.equal(fixed(yaml('  # headwise: ignore[HW900, HW101, HW12]'), 'config.yaml'), yaml('  # headwise: ignore[HW101]'));
    });

    it('are left alone where the rule is not reported at all', () => {
      const good = yaml('  # headwise: ignore[HW101]').replace('770', '768');
      assert.deepEqual(shown(good, 'config.yaml'), ['HW901 HW101']);
      assert.deepEqual(shown(good, 'config.yaml', { rules: { HW101: 'off' } }), []);
      assert.deepEqual(shown(good, 'config.yaml', { perFileIgnores: { '*.yaml': ['heads'] } }), []);
      assert.deepEqual(shown(good, 'config.yaml', { rules: { 'unused-suppression': 'off' } }), []);
    });

    it('can be suppressed themselves', () => {
      const good = yaml('  # headwise: ignore[HW101]', '# headwise: ignore[HW901]\n').replace('770', '768');
      assert.deepEqual(shown(good, 'config.yaml'), []);
    });

    it('are silent in a file that is no model configuration', () => {
      assert.deepEqual(shown('# headwise: ignore\nname: x\n', 'x.yaml'), []);
    });
  });

  describe('as an edit', () => {
    const edited = (text: string, path: string): string | undefined => {
      const [finding] = findingsOf(text, path);
      assert.ok(finding !== undefined);
      const edit = suppressionEdit(parseConfig(text, { path }), path, finding);
      return edit === undefined ? undefined : applyEdits(text, [edit]);
    };

    it('take out the finding', () => {
      for (const path of ['config.yaml', 'a/b.yml']) {
        const text = edited(yaml(''), path);
        assert.equal(text, yaml('  # headwise: ignore[HW101]'));
        assert.deepEqual(shown(text ?? '', path), []);
      }
      assert.deepEqual(shown(edited(yaml('  # trained so'), 'config.yaml') ?? '', 'config.yaml'), []);
    });

    it('are not offered where a comment would break the file', () => {
      const json = '{"model_type": "llama", "hidden_size": 770, "num_attention_heads": 12, "num_hidden_layers": 12}';
      assert.equal(edited(json, 'config.json'), undefined);
      assert.ok(edited(json, 'config.jsonc')?.endsWith('}  // headwise: ignore[HW101]'));
    });
  });

  it('take linear time, however many there are', () => {
    const stacked = `${'# headwise: ignore[HW101]\n'.repeat(50_000)}${yaml('')}`;
    const one = yaml(`  # headwise: ignore[${'HW101,'.repeat(50_000)}]`);
    const wide = `{"model_type": "llama", "hidden_size": 770, "num_attention_heads": 12, ${'/* headwise: ignore[HW900] */ '.repeat(50_000)} "num_hidden_layers": 12}`;
    for (const [text, path] of [
      [stacked, 'a.yaml'],
      [one, 'b.yaml'],
      [wide, 'c.jsonc'],
    ] as const) {
      const start = performance.now();
      const findings = findingsOf(text, path);
      assert.ok(performance.now() - start < 5000, path);
      assert.ok(findings.length <= 300, `${path}: ${findings.length}`);
    }
  });
});
