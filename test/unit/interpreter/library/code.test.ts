import { strict as assert } from 'node:assert';
import { formatShape } from '../../../../src/dims/shape.ts';
import { type Failure, Interpreter } from '../../../../src/interpreter/interpreter.ts';
import { parametersOf } from '../../../../src/interpreter/modules.ts';
import type { SourceFile, Value } from '../../../../src/interpreter/value.ts';
import type { PythonParser } from '../../../../src/syntax/python/parse.ts';
import { pythonParser } from '../../python/parser.ts';

const imports = 'import copy, math, torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n';

describe('model code over the described libraries', () => {
  let parser: PythonParser;
  before(async () => {
    parser = await pythonParser();
  });

  /** Evaluates `run(*parameters)`, its parameters being names of which only that is known. */
  function evaluate(source: string): {
    readonly value: Value;
    readonly problems: readonly string[];
    readonly parameters: Readonly<Record<string, string>>;
  } {
    const parse = (text: string): SourceFile['module'] => parser.parse(text);
    const file: SourceFile = { path: 'm.py', name: 'm', isPackage: false, module: parse(imports + source), isPrelude: false };
    const failures: Failure[] = [];
    const interpreter = new Interpreter({
      loader: { load: () => undefined },
      parse,
      recorder: { failure: (failure) => failures.push(failure) },
    });
    const run = interpreter.global(interpreter.globalsOf(file), 'run');
    assert.equal(run?.kind, 'function');
    const names = run.definition.parameters.map(({ name }) => name?.name ?? '');
    const value = interpreter.call(
      run,
      names.map((name) => ({ kind: 'unknown', reason: name, path: name, scope: 'run' })),
    );
    const module = interpreter.isModule(value) ? value : undefined;
    const listed = module === undefined ? [] : parametersOf(interpreter, module).parameters;
    return {
      value,
      problems: failures.map(({ problem }) => problem.message),
      parameters: Object.fromEntries(listed.map(({ name, tensor }) => [name, formatShape(tensor.shape)])),
    };
  }

  const shape = (source: string): string => {
    const { value, problems } = evaluate(source);
    assert.deepEqual(problems, []);
    return value.kind === 'tensor' ? formatShape(value.shape) : value.kind;
  };

  it('names sizes anew each time a line reads them', () => {
    const source = `
class Down(nn.Module):
    def __init__(self, side):
        super().__init__()
        self.side = side

    def forward(self, x):
        B, N, C = x.shape
        return x.view(B, self.side, self.side, C)

def run():
    a = Down(4)(F.relu(torch.load('a')))
    return Down(2)(F.relu(torch.load('b')))
`;
    assert.equal(shape(source), '(B, 2, 2, C)');
  });
});
