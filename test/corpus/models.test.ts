import { deepEqual, equal, ok } from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parametersOf } from '../../src/calculator/parameters.ts';
import { readDesign } from '../../src/design/read.ts';
import type { ConfigObject } from '../../src/interpreter/configs.ts';
import { parseConfig } from '../../src/syntax/read.ts';
import { differingTensors } from '../../src/workspace/code/compare.ts';
import type { ModelAnswer, ModelParameter, ModelVariable } from '../../src/workspace/code/model.ts';
import { useLayoutsOfSource } from '../unit/calculator/layouts.ts';
import { pythonParser } from '../unit/python/parser.ts';
import { compareVariables, examineActivations, type RealVariable } from './activations.ts';
import { compareParameters, examineParameters } from './modelParameters.ts';
import { corpusFile, corpusFolder, foldName, Models } from './models.ts';

const nothing: ModelAnswer = { parameters: [], unknown: [], variables: [], failures: [] };
const parameters = (...list: readonly ModelParameter[]): ModelAnswer => ({ ...nothing, parameters: list });

describe('Comparing evaluated models with real ones', () => {
  it('folds the numbers in names', () => {
    deepEqual(['h.0.ln_1.weight', '12.bias', 'a.b2.c', 'x.10'].map(foldName), ['h.{i}.ln_1.weight', '{i}.bias', 'a.b2.c', 'x.{i}']);
  });

  it('takes a model for exact only where every name, shape and count agrees', () => {
    const real = { 'h.{i}.w': [2, [4, 3]], b: [1, [5]] } as const;
    const [first, second, b] = [
      { name: 'h.0.w', shape: [4, 3] },
      { name: 'h.1.w', shape: [4, 3] },
      { name: 'b', shape: [5] },
    ] as const;
    equal(compareParameters(parameters(first, second, b), real).verdict, 'exact');
    const lacking = compareParameters(parameters(first, b), real);
    deepEqual([lacking.verdict, lacking.missing, lacking.wrong], ['incomplete', 1, 0]);
    const other = compareParameters(parameters(first, { name: 'h.1.w', shape: [4, 4] }, b), real);
    deepEqual([other.verdict, other.wrong], ['differing', 1]);
    const extra = compareParameters(parameters(first, second, { name: 'h.2.w', shape: [4, 3] }, b), real);
    deepEqual([extra.verdict, extra.wrong], ['differing', 1]);
    const vague = compareParameters(parameters(first, second, { name: 'b', shape: ['n'] }), real);
    deepEqual([vague.verdict, vague.reported, vague.wrong], ['incomplete', 2, 0]);
    const layers = {
      'h.{i}.w': [
        2,
        [
          [4, 3],
          [8, 3],
        ],
      ],
    } as const; // prettier-ignore
    equal(compareParameters(parameters(first, { name: 'h.1.w', shape: [8, 3] }), layers).verdict, 'exact');
    equal(compareParameters(parameters(first, second), layers).verdict, 'incomplete');
  });

  it('judges variables by their line', () => {
    const at = (line: number, lastLine: number, shape: ModelVariable['shape']): ModelVariable => ({
      file: '/x/transformers/models/m/modeling_m.py',
      function: 'M.forward',
      line,
      lastLine,
      name: 'h',
      shape,
    });
    const answer: ModelAnswer = {
      ...nothing,
      variables: [at(3, 5, [2, 7]), at(8, 8, [2, 7]), at(8, 8, [2, 1]), at(9, 9, [2, 7]), at(10, 10, undefined)],
    };
    const real = (line: number, ...shapes: readonly (readonly number[])[]): RealVariable => ({
      file: 'm/modeling_m.py',
      function: 'M.forward',
      def_line: 1,
      line,
      name: 'h',
      shapes,
    });
    const judged = compareVariables(answer, [
      real(4, [2, 7]),
      real(8, [2, 7]),
      real(9, [2, 7], [2, 1]),
      real(10, [2, 7]),
      real(11, [2, 7]),
    ]);
    deepEqual(
      judged.map(({ verdict }) => verdict),
      ['right', 'wrong', 'partly', 'missing', 'missing'],
    );
  });
});

// The library's source is not part of this project: a run that is to read it says where it is.
const library = process.env.HEADWISE_TRANSFORMERS;
if (library === undefined)
  console.log('  Models from source are not evaluated: HEADWISE_TRANSFORMERS names no folder of transformers 5.18.0.');
else if (!existsSync(corpusFolder)) console.log(`  Models from source are not evaluated: there is no ${corpusFolder}.`);
else {
  describe('Models of transformers, evaluated from source', () => {
    it('have the parameters of the real models', async () => {
      const parser = await pythonParser();
      const totals = examineParameters(
        new Models(library, (text) => parser.parse(text)),
        corpusFile('hf-shapes.json'),
        [],
        () => undefined,
      );
      ok(totals.architectures >= 326);
      ok(totals.exact >= 0.97 * totals.architectures, `${totals.exact} of ${totals.architectures} exact`);
      ok(totals.wrong < 0.001 * totals.reported, `${totals.wrong} of ${totals.reported} wrong`);
    }).timeout(300_000);

    it('have the parameters that the calculator counts for their families', async () => {
      useLayoutsOfSource();
      const parser = await pythonParser();
      const models = new Models(library, (text) => parser.parse(text));
      // The same file as text: numbers that are written as floats are kept apart above.
      const written = JSON.parse(readFileSync(join(corpusFolder, 'hf-shapes.json'), 'utf8')) as Record<string, { readonly config: object }>;
      let agreeing = 0;
      const differing: string[] = [];
      for (const [name, value] of Object.entries(corpusFile('hf-shapes.json'))) {
        const entry = value as unknown as { readonly class: string; readonly model_type: string; readonly config: ConfigObject };
        const config = { ...written[name]?.config, architectures: [entry.class] };
        const reading = readDesign(parseConfig(JSON.stringify(config), { path: 'config.json' }));
        const counted = reading === undefined ? undefined : parametersOf(reading);
        if (counted?.known !== true) continue;
        const found = differingTensors(models.evaluate(entry.class, entry.model_type, entry.config), counted.tensors);
        if (found?.length === 0) agreeing++;
        else if (found !== undefined) differing.push(`${name}: ${found.join(', ')}`);
      }
      deepEqual(differing, []);
      ok(agreeing >= 300, `${agreeing} agree`);
    }).timeout(300_000);

    it('hold the tensors that the real models held', async () => {
      const parser = await pythonParser();
      const models = new Models(library, (text) => parser.parse(text));
      const { right, partly, wrong, missing } = examineActivations(models, corpusFile('hf-activations.json.gz'), [], () => undefined);
      const all = right + partly + wrong + missing;
      ok(all > 11_000);
      ok(right >= 0.97 * all, `${right} of ${all} right`);
      ok(wrong < 0.002 * all, `${wrong} of ${all} wrong`);
    }).timeout(300_000);
  });
}
