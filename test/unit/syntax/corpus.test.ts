// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are YAML and shell
import assert from 'node:assert/strict';
import { getStaticTOMLValue, parseTOML } from 'toml-eslint-parser';
import { parse as parseYamlValue } from 'yaml';
import type { ConfigNode, ParsedConfig, ScalarNode } from '../../../src/syntax/node.ts';
import { parseConfig } from '../../../src/syntax/read.ts';
import { parseAnyYaml } from '../../../src/syntax/yaml.ts';
import { readPlainYaml } from '../../../src/syntax/yamlPlain.ts';
import { corpusFiles, findCorpus } from '../../corpus/corpus.ts';
import { assertSound, plain } from './tree.ts';

function* scalars(node: ConfigNode | undefined): Generator<ScalarNode> {
  if (node === undefined) return;
  if (node.kind === 'scalar') yield node;
  else for (const child of node.kind === 'mapping' ? node.entries : node.items) yield* scalars('key' in child ? child.value : child);
}

/** The scalar's own text read by a library that had no part in reading the file. */
function again(parsed: ParsedConfig, raw: string): unknown {
  switch (parsed.format) {
    case 'json':
      return /^-?(?:NaN|Infinity)$/.test(raw) ? Number(raw) : JSON.parse(raw);
    case 'yaml':
      return (parseYamlValue(`k: ${raw}\n`, { version: '1.1' }) as { k: unknown }).k;
    case 'toml':
      return (getStaticTOMLValue(parseTOML(`k = ${raw}`)) as { k: unknown }).k;
    default:
      return undefined;
  }
}

const corpus = findCorpus();
if (corpus !== undefined) {
  describe('configs of the corpus', () => {
    const files = corpusFiles(corpus).map((file) => ({ ...file, parsed: parseConfig(file.text, { path: file.path }) }));

    it('are all there', () => assert.ok(files.length >= 229));

    for (const format of ['json', 'yaml', 'toml', 'shell', 'gin'] as const) {
      const some = files.filter((file) => file.parsed.format === format);
      if (some.length === 0) continue;
      it(`read without a problem: ${format}, ${some.length} files`, () => {
        for (const { path, parsed } of some) {
          assert.deepEqual(parsed.problems, [], path);
          assertSound(parsed);
          assert.equal(parsed.root?.kind, 'mapping', path);
          const byContent = parseConfig(parsed.text, {}).format;
          // GPT-NeoX files are JSON to the eye; their extension says YAML.
          if (format !== 'yaml' || byContent !== 'json' || !/^\s*\{/.test(parsed.text))
            assert.equal(byContent, format, `${path}: by content`);
        }
      });

      if (format !== 'gin' && format !== 'shell') {
        it(`have scalars whose text reads to their value: ${format}`, () => {
          let checked = 0;
          for (const { path, parsed } of some) {
            for (const scalar of scalars(parsed.root)) {
              if (scalar.origin !== undefined || scalar.unresolved) continue;
              if (scalar.raw.includes('${')) continue;
              // The library takes `04:00:00` for base sixty; PyYAML, which loads these files, does not.
              if (/^\d+(?::\d+)+$/.test(scalar.raw)) continue;
              assert.deepEqual(scalar.value, again(parsed, scalar.raw), `${path}: ${scalar.raw}`);
              checked++;
            }
          }
          assert.ok(checked > some.length);
        });
      }
    }

    it('read the same by the quick YAML reader and the full one', () => {
      const yaml = files.filter((file) => file.parsed.format === 'yaml');
      const quick = yaml.filter((file) => readPlainYaml(file.text) !== undefined);
      for (const { path, text, parsed } of quick) assert.deepEqual(parsed, parseAnyYaml(text), path);
      // The full reader is for the rare ones; a quick one that gives up everywhere would pass unseen.
      assert.ok(quick.length >= yaml.length * 0.8, `${quick.length} of ${yaml.length}`);
    });

    it('read as JSON.parse reads them', () => {
      for (const { path, text, parsed } of files) {
        if (parsed.format === 'json' && !/[:,]\s*-?(?:NaN|Infinity)/.test(text))
          assert.deepEqual(plain(parsed.root), JSON.parse(text), path);
      }
    });
  });
}
