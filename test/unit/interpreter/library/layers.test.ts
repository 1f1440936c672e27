import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatDim } from '../../../../src/dims/format.ts';
import { formatShape } from '../../../../src/dims/shape.ts';
import { evaluateCall } from '../../../../src/interpreter/entry.ts';
import { Interpreter } from '../../../../src/interpreter/interpreter.ts';
import { parametersOf } from '../../../../src/interpreter/modules.ts';
import type { Failure } from '../../../../src/interpreter/recording.ts';
import type { SourceFile, Value } from '../../../../src/interpreter/value.ts';
import type { PythonParser } from '../../../../src/syntax/python/parse.ts';
import { pythonParser } from '../../python/parser.ts';

type Shapes = null | readonly number[] | { readonly tuple: readonly Shapes[] };

interface Case {
  readonly theme: string;
  readonly module: string;
  readonly inputs: string | null;
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  readonly buffers: Readonly<Record<string, readonly number[]>>;
  readonly output?: Shapes;
}

const cases: readonly Case[] = JSON.parse(readFileSync(join(process.cwd(), 'test/golden/layers.generated.json'), 'utf8'));

/** The shapes of a value as the golden file states them; text where something is not known. */
function shapesOf(value: Value): unknown {
  if (value.kind === 'none') return null;
  if (value.kind === 'tuple' && value.ellipsis === undefined) return { tuple: value.items.map(shapesOf) };
  if (value.kind !== 'tensor') return value.kind === 'unknown' ? value.reason : value.kind;
  if (value.shape.ellipsis !== undefined) return formatShape(value.shape);
  return value.shape.dims.map((dim) => dim.constant ?? formatDim(dim));
}

describe('layers of torch.nn, as PyTorch makes them', () => {
  let parser: PythonParser;
  before(async () => {
    parser = await pythonParser();
  });

  for (const theme of new Set(cases.map((each) => each.theme))) {
    it(theme, () => {
      const members = cases.filter((each) => each.theme === theme);
      const source = `import collections, copy\nimport torch\nfrom torch import nn\n${members
        .map(
          ({ module, inputs }, i) =>
            `def make_${i}():\n    return ${module}\n\ndef call_${i}(module):\n    return ${inputs === null ? 'None' : `module(${inputs})`}\n`,
        )
        .join('\n')}`;
      const parse = (text: string): SourceFile['module'] => parser.parse(text);
      const file: SourceFile = { path: 'layers.py', name: 'layers', isPackage: false, module: parse(source), isPrelude: false };
      const failures: Failure[] = [];
      const recorder = { failure: (failure: Failure): unknown => failures.push(failure) };
      const interpreter = new Interpreter({ loader: { load: () => undefined }, parse, recorder });
      const global = (name: string): Value => interpreter.names.global(interpreter.names.globalsOf(file), name) ?? assert.fail(name);
      const actual = members.map(({ module: name, inputs }, i) => {
        const module = evaluateCall(interpreter, global(`make_${i}`), []);
        if (module === undefined || !interpreter.isModule(module)) return { name, module: module?.kind };
        const { parameters, buffers, unknown } = parametersOf(interpreter, module);
        const listed = (all: typeof parameters): object =>
          Object.fromEntries(all.map((each) => [each.name, shapesOf(each.tensor)]).sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
        const output = inputs === null ? undefined : evaluateCall(interpreter, global(`call_${i}`), [module]);
        return {
          name,
          unknown,
          parameters: listed(parameters),
          buffers: listed(buffers),
          ...(inputs === null ? {} : { output: output === undefined ? 'raised' : shapesOf(output) }),
        };
      });
      const sorted = (all: Readonly<Record<string, unknown>>): object =>
        Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
      const expected = members.map(({ module, inputs, parameters, buffers, output }) => ({
        name: module,
        unknown: [],
        parameters: sorted(parameters),
        buffers: sorted(buffers),
        ...(inputs === null ? {} : { output }),
      }));
      assert.deepEqual(actual, expected);
      assert.deepEqual(
        failures.map(({ problem }) => problem.message),
        [],
      );
    });
  }
});
