import assert from 'node:assert/strict';
import { statedAxes } from '../../../src/annotations/stated.ts';
import { applyToShape, formatShape } from '../../../src/dims/shape.ts';
import type { PythonParser } from '../../../src/syntax/python/parse.ts';
import { pythonReader } from '../../../src/workspace/python.ts';
import { pythonParser } from '../python/parser.ts';

let parser: PythonParser;
before(async () => {
  parser = await pythonParser();
});

const model = (header: string, body: string): string => `import torch.nn as nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.proj = nn.Linear(width, 2 * width)

${header
  .split('\n')
  .map((line) => `    ${line}`)
  .join('\n')}
        ${body}
        return y
`;

describe('stated axes', () => {
  it("are the names of a parameter's sizes", () => {
    const axes = (text: string, parameter: string): readonly (string | undefined)[] | undefined => {
      const module = parser.parse(text);
      const statement = module.units.at(-1)?.body.statement;
      assert.ok(statement?.kind === 'function');
      return statedAxes(module)(statement, parameter)?.axes;
    };
    assert.deepEqual(axes('def f(\n    x,  # (B, 3, T // 2)\n    y,\n):\n    pass\n', 'x'), ['B', '3', undefined]);
    assert.deepEqual(axes('def f(x: Float[Tensor, "b t d"]):\n    pass\n', 'x'), ['b', 't', 'd']);
    assert.equal(axes('def f(x: Float[Tensor, "*batch d"]):\n    pass\n', 'x'), undefined);
    assert.deepEqual(axes('def f(x):\n    """x: (B, T)"""\n', 'x'), ['B', 'T']);
    assert.equal(axes('def f(\n    x: Float[Tensor, "b t d"],  # (B, T)\n):\n    pass\n', 'x'), undefined);
    assert.equal(axes('def f(x):  # (B, T)\n    pass\n', 'y'), undefined);
  });

  const shapeOfResult = (text: string): readonly string[] => {
    const code = pythonReader(parser).code(text, 'model.py');
    assert.ok(code !== undefined);
    assert.deepEqual(code.failures, []);
    return code.studies.flatMap(({ variables, substitution }) =>
      variables.flatMap(({ name, value }) =>
        name === 'y' && value.kind === 'tensor' ? [formatShape(applyToShape(value.shape, substitution))] : [],
      ),
    );
  };

  it('give inputs their shape', () => {
    const body = 'y = self.proj(stuff)';
    assert.deepEqual(shapeOfResult(model('def forward(self, stuff):  # (B, G, T, width)', body)), ['(B, G, T, 2 * width)']);
    assert.deepEqual(shapeOfResult(model('def forward(self, stuff: Float[Tensor, "b t w"]):', body)), ['(B, T, 2 * width)']);
  });

  it('give way where the code does not work under them', () => {
    const body = 'y = stuff.permute(0, 2, 1)';
    const [shape] = shapeOfResult(model('def forward(self, stuff):  # (B, width)', body));
    assert.ok(shape === undefined || shape.split(',').length === 3, shape);
  });

  const pair = (first: string, second: string, body: string): string =>
    model(`def forward(\n    self,\n    a,  # ${first}\n    b,  # ${second}\n):`, body);

  it('are one size where they have one name in two inputs', () => {
    assert.deepEqual(
      shapeOfResult(pair('(B, height, width, dim)', '(B, dim, height, width)', 'y = a.flatten(1, 2).transpose(1, 2) + b.flatten(2)')),
      ['(B, dim, height * width)'],
    );
  });

  it('are two where the code says that they are', () => {
    const header = 'def forward(self, a, memory):\n    """\n    a: (B, T, dim)\n    memory: (B, T, dim)\n    """';
    // It says that nothing fails, too.
    assert.equal(shapeOfResult(model(header, 'y = self.proj(a) + memory')).length, 1);
  });
});
