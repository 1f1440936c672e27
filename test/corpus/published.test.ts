import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '../../src/text/finding.ts';
import { analyse } from '../../src/workspace/analyse.ts';
import { defaultSettings } from '../../src/workspace/settings.ts';
import { corpusFiles, findCorpus, readJson } from './corpus.ts';

/** Warnings on published configs, each with the reason why it holds. */
const argued: Readonly<Record<string, string>> = {
  'qwen2_5_vl HW208': 'the library default pairs a vision tower with a text model of another width',
  'qwen3_vl_moe HW208': 'the library default pairs a vision tower with a text model of another width',
  'qwen3_5_moe HW208': 'the library default pairs a vision tower with a text model of another width',
};

/** Configs besides the tagged ones that hold no dimension: both towers are named. */
const withoutDimensions = new Set(['oclip-nllb-clip-base-siglip']);

const severe = (findings: readonly Finding[]): Finding[] =>
  findings.filter(({ severity }) => severity === 'error' || severity === 'warning');
const shown = (name: string, { code, severity, message }: Finding): string => `${name} ${code} ${severity}: ${message}`;

const corpus = findCorpus();
if (corpus !== undefined) {
  describe('published configs', () => {
    it('are all read, or hold no dimensions', () => {
      const tagged = new Set(
        readFileSync(join(corpus, 'SOURCES.tsv'), 'utf8')
          .split('\n')
          .map((line) => line.split('\t'))
          .filter((columns) => columns[8]?.includes('no-dims'))
          .map(([slug]) => slug),
      );
      const unread: string[] = [];
      let read = 0;
      for (const { slug, path, text } of corpusFiles(corpus)) {
        const { reading } = analyse({ text, path }, defaultSettings);
        const dimensions = reading?.designs.some(
          ({ fields }) => fields.hiddenSize !== undefined || fields.queryHeads !== undefined || fields.layers !== undefined,
        );
        if (dimensions === true) read++;
        else if (!tagged.has(slug) && !withoutDimensions.has(slug)) unread.push(slug);
      }
      console.log(`      ${read} read, ${corpusFiles(corpus).length - read} hold no dimensions`);
      assert.deepEqual(unread, []);
    });

    it('give no error, and no warning that is not argued', () => {
      const unexplained: string[] = [];
      const counts = new Map<string, number>();
      for (const { slug, path, text } of corpusFiles(corpus)) {
        const { findings } = analyse({ text, path }, defaultSettings);
        for (const { code, severity } of findings) counts.set(`${code} ${severity}`, (counts.get(`${code} ${severity}`) ?? 0) + 1);
        for (const finding of severe(findings)) if (argued[`${slug} ${finding.code}`] === undefined) unexplained.push(shown(slug, finding));
      }
      console.log(
        `      findings: ${[...counts]
          .sort()
          .map(([name, count]) => `${name} ${count}`)
          .join(', ')}`,
      );
      assert.deepEqual(unexplained, []);
    });
  });

  describe('configs that the library itself makes', () => {
    const check = (configs: Iterable<readonly [string, object]>): string[] => {
      const unexplained: string[] = [];
      for (const [type, config] of configs) {
        const { findings } = analyse({ text: JSON.stringify(config, null, 2), path: 'config.json' }, defaultSettings);
        for (const finding of severe(findings)) if (argued[`${type} ${finding.code}`] === undefined) unexplained.push(shown(type, finding));
      }
      return unexplained;
    };

    it('give no error and no warning: real models at their defaults', () => {
      const shapes = readJson(join(corpus, 'hf-shapes.json')) as Readonly<
        Record<string, { readonly model_type?: string; readonly config?: object }>
      >;
      const configs = Object.entries(shapes).map(
        ([type, entry]) => [type, { model_type: entry.model_type ?? type, ...entry.config }] as const,
      );
      assert.ok(configs.length > 300);
      assert.deepEqual(check(configs), []);
    });

    it('give no error and no warning: the defaults of every config class', () => {
      const { models } = readJson(join(corpus, 'hf-config-keys.json')) as {
        readonly models: Readonly<Record<string, { readonly all_fields: object; readonly model_type: string | null }>>;
      };
      const configs = Object.entries(models).map(
        ([type, model]) => [type, { ...(model.model_type ? { model_type: model.model_type } : {}), ...model.all_fields }] as const,
      );
      assert.ok(configs.length > 700);
      assert.deepEqual(check(configs), []);
    });
  });
}
