import assert from 'node:assert/strict';
import { annotationsOf, moduleBindings } from '../../../src/annotations/code.ts';
import { formatWritten } from '../../../src/annotations/contract.ts';
import type { PlacedContract, Subject } from '../../../src/annotations/place.ts';
import type { PythonParser } from '../../../src/syntax/python/parse.ts';
import { pythonParser } from '../python/parser.ts';

let parser: PythonParser;
before(async () => {
  parser = await pythonParser();
});

/** `q>` is q after the statement, `x<` before it; `{...}` is what an expression gives. */
function subject(each: Subject, text: string): string {
  switch (each.kind) {
    case 'parameter':
      return `parameter ${each.name}`;
    case 'return':
      return each.item === undefined ? 'return' : `return ${each.item}`;
    case 'variable':
      return `${each.name}${each.when === 'before' ? '<' : '>'}`;
    case 'expression':
      return `{${text.slice(each.node.start, each.node.end).replace(/^[\s\S]*\n\s*/, '..')}}`;
  }
}

const show = ({ subjects, shape, contract }: PlacedContract, text: string): string =>
  `${subjects.map((each) => subject(each, text)).join(' | ')} ${formatWritten(shape)}${contract.stated === 'prose' ? ' in prose' : ''}`;

/** Every contract of a text that is one top-level statement, in source order. */
function placed(text: string): readonly string[] {
  const { units } = parser.parse(text);
  const [unit] = units;
  assert.ok(unit !== undefined && unit.start === 0, text);
  const { functions, statements } = annotationsOf(unit, text);
  return [...functions.values(), ...statements.values()]
    .flat()
    .sort((a, b) => a.contract.range.start - b.contract.range.start)
    .map((each) => show(each, text));
}

/** The body of a method, indented. */
const method = (body: string, parameters = 'x'): string =>
  `def forward(self, ${parameters}):\n${body
    .split('\n')
    .map((line) => (line === '' ? '' : `    ${line}`))
    .join('\n')}\n`;

interface Case {
  readonly says: string;
  readonly code: string;
  readonly parameters?: string;
  readonly contracts: readonly string[];
}

const cases: Readonly<Record<string, readonly Case[]>> = {
  'behind a statement': [
    { says: 'is the shape of what it assigns', code: 'y = f(x)  # (B, T, C)', contracts: ['y> (B, T, C)'] },
    { says: 'is that of an attribute', code: 'self.bias = torch.zeros(n, n)  # (T, T, C)', contracts: ['self.bias> (T, T, C)'] },
    {
      says: 'may be that of the name before, where the statement reshapes it',
      code: 'x = x.view(B, T, 12, 64).transpose(1, 2)  # (B, nh, T, hs)',
      contracts: ['x> | x< (B, nh, T, hs)'],
    },
    { says: 'is that of the sum', code: 'x += y  # (B, T, C)', contracts: ['x> (B, T, C)'] },
    { says: 'is that of what is returned', code: 'return self.proj(x)  # (B, T, C)', contracts: ['{self.proj(x)} (B, T, C)'] },
    { says: 'is that of the tensor whose sizes are read', code: 'B, T, C = x.size()  # (B, T, C)', contracts: ['x< (B, T, C)'] },
    { says: 'is that of the tensor whose shape is printed', code: 'print(x.shape)  # (B, T, C)', contracts: ['x< (B, T, C)'] },
    {
      says: 'is that of each of several that are alike',
      code: 'q, k, v = qkv.chunk(3, dim=-1)  # (B, T, C)',
      contracts: ['q> (B, T, C)', 'k> (B, T, C)', 'v> (B, T, C)'],
    },
    { says: 'is that of one of several results', code: 'y, w = self.attn(x)  # (B, T, C)', contracts: ['y> | w> (B, T, C)'] },
    { says: 'is that of the result that is kept', code: 'y, _ = self.attn(x)  # (B, T, C)', contracts: ['y> (B, T, C)'] },
    { says: 'has names, and may have been copied', code: 'y = f(x)\nz = g(y)  # y: (B, T, C)', contracts: ['y< | z> (B, T, C)'] },
    { says: 'has the name that is assigned', code: 'x = g(x)  # x: (B, T, C)', contracts: ['x> (B, T, C)'] },
    { says: 'has a name that the code has not', code: 'y = g(x)  # scores: (B, T, C)', contracts: ['y> (B, T, C) in prose'] },
    {
      says: 'has an arrow: what goes in, and the result',
      code: 'y = self.drop(self.proj(x))  # (B, T, C) -> (B, T, D)',
      contracts: ['y> (B, T, D)', 'x< (B, T, C)'],
    },
    {
      says: 'has a product: both operands, and the result',
      code: 'att = (q @ k.transpose(-2, -1)) * scale  # (B, nh, T, hs) x (B, nh, hs, T) -> (B, nh, T, T)',
      contracts: ['att> (B, nh, T, T)', 'q< (B, nh, T, hs)', '{k.transpose(-2, -1)} (B, nh, hs, T)'],
    },
    {
      says: 'is that of the reshaped name alone behind an arrow',
      code: 'x = x.transpose(1, 2)  # (B, T, C) -> (B, C, T)',
      contracts: ['x> (B, C, T)', 'x< (B, T, C)'],
    },
    { says: "is nobody's where two statements share the line", code: 'a = f(x); b = g(x)  # (B, T, C)', contracts: ['b> | a> (B, T, C)'] },
    {
      says: 'is that of the buffer that is registered',
      code: 'self.register_buffer("mask", m)  # (B, 1, T, T)',
      contracts: ['m< (B, 1, T, T)'],
    },
    { says: 'is that of what a loop takes', code: 'for h in heads:  # (B, T, C)\n    pass', contracts: ['h> (B, T, C)'] },
    {
      says: 'says nothing behind a condition',
      code: 'if x.dim() == 3:  # (B, T, C)\n    pass\nelse:  # (T, B, C)\n    pass',
      contracts: [],
    },
  ],
  'in a statement of several lines': [
    {
      says: 'is that of the whole behind its opening and its end',
      code: 'y = f(  # (B, T, C)\n    x,\n)\nz = f(\n    x,\n)  # (B, T, D)',
      contracts: ['y> (B, T, C)', 'z> (B, T, D)'],
    },
    {
      says: 'is that of the argument on the line',
      code: 'y = attention(\n    q,  # (B, nh, T, hs)\n    key=k.mT,  # (B, nh, hs, T)\n    dim=1,  # (B, nh, T, T)\n)',
      contracts: ['q< (B, nh, T, hs)', '{k.mT} (B, nh, hs, T)'],
    },
    {
      says: 'is that of each step of a chain',
      code: 'y = (\n    x.view(B, T, nh, hs)  # (B, T, nh, hs)\n    .transpose(1, 2)  # (B, nh, T, hs)\n)',
      contracts: ['{x.view(B, T, nh, hs)} (B, T, nh, hs)', '{...transpose(1, 2)} (B, nh, T, hs)'],
    },
    {
      says: 'is that of the item on the line',
      code: 'return {\n    "x": x,  # (B, T, C)\n    "mask": mask,  # (B, T)\n}',
      parameters: 'x, mask',
      contracts: ['x< (B, T, C)', 'mask< (B, T)'],
    },
  ],
  'above a statement': [
    { says: 'is the shape of what it assigns', code: '# (B, T, C)\ny = f(x)\n\nz = 1', contracts: ['y> | parameter x (B, T, C)'] },
    {
      says: 'may be that of the statement above it',
      code: 'z = g(x)\n# (B, T, C)\ny = f(z)',
      contracts: ['y> | z< (B, T, C)'],
    },
    {
      says: 'may be that of what the lines below lead to',
      code: 'z = 1\n\n# (B, T, C)\ny = f(z)\ny = y.flatten(2)\nw = 3\n\nv = y',
      contracts: ['y> | y> | y< (B, T, C)'],
    },
    {
      says: 'may be that of the name that goes in',
      code: 'z = 1\n\n# (B, T, C)\nx = f(x)',
      contracts: ['x> | x< (B, T, C)'],
    },
    {
      says: 'is that of the statement above where a blank line follows, or of the next',
      code: 'y = f(x)\n# (B, T, C)\n\nz = g(y)',
      contracts: ['y> | z> (B, T, C)'],
    },
    { says: 'says nothing between two blank lines', code: 'y = f(x)\n\n# (B, T, C)\n\nz = g(y)', contracts: [] },
    { says: 'says nothing above a branch', code: 'z = 1\n\n# (B, T, C)\nif z:\n    y = f(z)', contracts: [] },
    {
      says: 'has names',
      code: 'z = 1\n# y: (B, T, C)\n# w: (B, T)\ny, w = f(z)',
      contracts: ['y> (B, T, C)', 'w> (B, T)'],
    },
    {
      says: 'has the name of something made before',
      code: 'y = f(x)\n# y: (B, T, C)\nif y is None:\n    pass',
      contracts: ['y< (B, T, C)'],
    },
    {
      says: 'has the name that the statement reads and makes',
      code: 'y = f(x)\n# y: (B, T, C)\ny = g(y)',
      contracts: ['y> | y< (B, T, C)'],
    },
    {
      says: 'is the last of several steps',
      code: 'z = 1\n# (B, T, C)\n# -> (B, T, nh, hs)\n# -> (B, nh, T, hs)\ny = f(z)',
      contracts: ['y> | z< (B, nh, T, hs)'],
    },
    { says: 'says nothing where it is one of two', code: 'z = 1\n\n# (B, T, C)\n# (B, C, T)\ny = f(z)', contracts: [] },
    {
      says: 'says nothing inside a sentence',
      code: 'z = 1\n\n# the scores must have the shape\n# (B, nh, T, T)\n# before they are masked\ny = f(z)',
      contracts: [],
    },
    {
      says: 'has an arrow',
      code: 'z = 1\n\n# (B, T, C) -> (B, T, D)\ny = self.proj(x)',
      contracts: ['y> (B, T, D)', 'x< (B, T, C)'],
    },
    {
      says: 'has an arrow above the line that reads the sizes',
      code: '# (B, T, C) -> (B, nh, T, hs)\nB, T, C = x.shape\nreturn x.view(B, T, 12, 64).transpose(1, 2)',
      contracts: ['{x.view(B, T, 12, 64).transpose(1, 2)} (B, nh, T, hs)', 'x< (B, T, C)'],
    },
    {
      says: 'belongs to the block of its indentation',
      code: 'if x is None:\n    y = f(x)\n    # (B, T, C)\nz = g(x)',
      contracts: ['y> (B, T, C)'],
    },
  ],
  'of parameters': [
    {
      says: 'stand at the head of the body by name',
      code: '# x: (B, T, C)\n# mask: (B, 1, T, T)\ny = f(x)',
      parameters: 'x, mask',
      contracts: ['parameter x (B, T, C)', 'parameter mask (B, 1, T, T)'],
    },
    {
      says: 'stand behind the docstring',
      code: '"""Attends."""\n# x: (B, T, C)\n\ny = f(x)',
      contracts: ['parameter x (B, T, C)'],
    },
    {
      says: 'stand in the docstring',
      code: '"""Attends.\n\nArgs:\n    x: input of shape (B, T, C)\n\nReturns:\n    Tensor of shape (B, T, D)\n"""\nreturn x',
      contracts: ['parameter x (B, T, C)', 'return (B, T, D)'],
    },
    {
      says: 'stand in fields of the docstring, but not for what is no parameter',
      code: '""":param x: [batch, length, d_model]\n:param y: [batch, length]\n"""',
      contracts: ['parameter x (batch, length, d_model)'],
    },
  ],
};

/** Whole definitions, for what stands in headers. */
const definitions: readonly (readonly [says: string, code: string, contracts: readonly string[]])[] = [
  [
    "stand on the parameters' lines",
    'def f(\n    q: Tensor,  # (B, nh, T, hs)\n    k,  # (B, nh, S, hs)\n    scale=1.0,\n):\n    pass\n',
    ['parameter q (B, nh, T, hs)', 'parameter k (B, nh, S, hs)'],
  ],
  ['stand behind the header for the only parameter', 'def forward(self, x):  # (B, T, C)\n    pass\n', ['parameter x (B, T, C)']],
  ['stand behind the header by name', 'def forward(self, x, y):  # y: (B, T, C)\n    pass\n', ['parameter y (B, T, C)']],
  ['say nothing behind the header of two parameters', 'def forward(self, x, y):  # (B, T, C)\n    pass\n', []],
  [
    'say what comes in and what goes out',
    'def forward(self, x):  # (B, T, C) -> (B, T, D)\n    pass\n',
    ['parameter x (B, T, C)', 'return (B, T, D)'],
  ],
  [
    'are written as types',
    'def f(x: Float[Tensor, "b t d"], m: Optional[Bool[Tensor, "b t"]] = None) -> Float[Tensor, "b d"]:\n    y: Float[Tensor, "b t"] = g(x)\n',
    ['parameter x (b, t, d)', 'parameter m (b, t)', 'return (b, d)', 'y> (b, t)'],
  ],
  ['are written as types in strings', 'def f(x: "Float[Tensor, \'b t d\']"):\n    pass\n', ['parameter x (b, t, d)']],
  [
    'are written as types of a tuple',
    'def f(x) -> tuple[Float[Tensor, "b t"], int, Int[Tensor, "b"]]:\n    pass\n',
    ['return 0 (b, t)', 'return 2 (b,)'],
  ],
  ["are torchtyping's", 'def f(x: TensorType["b", "t", 512]):\n    pass\n', ['parameter x (b, t, 512)']],
];

describe('shape contracts of code', () => {
  for (const [place, list] of Object.entries(cases)) {
    describe(place, () => {
      for (const { says, code, parameters, contracts } of list) {
        it(says, () => assert.deepEqual(placed(method(code, parameters)), contracts));
      }
    });
  }
  describe('of parameters, in headers', () => {
    for (const [says, code, contracts] of definitions) it(says, () => assert.deepEqual(placed(code), contracts));
  });

  it('belong to the innermost function', () => {
    const text =
      'class A(nn.Module):\n    def f(self, x):\n        def g(y):\n            z = y  # (B, T, C)\n        w = g(x)  # (B, T)\n';
    const [unit] = parser.parse(text).units;
    assert.ok(unit !== undefined);
    const owners = [...annotationsOf(unit, text).statements.values()].flat().map((each) => each.function?.name.name);
    assert.deepEqual(owners, ['g', 'f']);
  });

  it('have ranges relative to the statement, wherever it stands', () => {
    const body = 'def f(x):\n    y = g(x)  # y: (B, T, C)\n';
    const text = `import torch\n\n\n${body}`;
    const unit = parser.parse(text).units[1];
    assert.ok(unit !== undefined);
    const [found] = [...annotationsOf(unit, text).statements.values()].flat();
    assert.ok(found !== undefined);
    const at = ({ start, end }: { readonly start: number; readonly end: number }) => text.slice(unit.start + start, unit.start + end);
    assert.equal(at(found.shape.range), '(B, T, C)');
    assert.deepEqual(
      found.contract.names.map(({ range }) => at(range)),
      ['y'],
    );
  });

  it('are kept while the statement is not touched', () => {
    const text = 'a = 1\n\n\ndef f(x):\n    y = g(x)  # (B, T, C)\n    return y  # (B, T)\n';
    const first = parser.open(text);
    const before = annotationsOf(first.module.units[1] as never, text);
    const moved = text.replace('a = 1', 'a = 100');
    const second = first.update(moved);
    assert.equal(annotationsOf(second.module.units[1] as never, moved), before);
    // The comment behind the last line is no part of the statement; one letter of it changes.
    const edited = moved.replace('# (B, T)', '# (B, S)');
    const third = second.update(edited);
    const [unit] = third.module.units.slice(1);
    assert.ok(unit !== undefined);
    const shapes = [...annotationsOf(unit, edited).statements.values()].flat().map(({ shape }) => formatWritten(shape));
    assert.deepEqual(shapes, ['(B, T, C)', '(B, S)']);
    third.dispose();
  });

  it('are read off half-typed code, and take linear time', () => {
    for (const text of ['def f(x:  # (B, T, C)\n  y = \n', 'class A:  # (B, T, C)\n', 'y = (  # (B, T, C)\n', '# (B, T, C)\n']) {
      for (const unit of parser.parse(text).units) annotationsOf(unit, text);
    }
    const long = `def f(x):\n${'    # (B, T, C)\n    x = g(x)  # (B, T, C)\n'.repeat(5000)}`;
    const [unit] = parser.parse(long).units;
    assert.ok(unit !== undefined);
    const start = performance.now();
    annotationsOf(unit, long);
    assert.ok(performance.now() - start < 3000, `${performance.now() - start} ms`);
    const block = `def f(x):\n${'    # (B, T, C)\n'.repeat(1000)}    x = g(x)\n`;
    const [other] = parser.parse(block).units;
    assert.ok(other !== undefined);
    const again = performance.now();
    annotationsOf(other, block);
    assert.ok(performance.now() - again < 3000, `${performance.now() - again} ms`);
  });
});

describe('bindings in code', () => {
  const bindings = (text: string): readonly string[] => {
    const module = parser.parse(text);
    const inside = module.units.flatMap((unit) => annotationsOf(unit, text).bindings);
    return [...moduleBindings(module), ...inside].map(({ scope, node, bindings: list }) => {
      const name = node?.kind === 'class' || node?.kind === 'function' ? ` ${node.name.name}` : '';
      return `${scope}${name} ${list.map((each) => `${each.name.text}=${each.value}`).join(' ')}`;
    });
  };

  it('hold for the file, the class or the function they stand at', () => {
    assert.deepEqual(bindings('# headwise: width=768 heads=12\n\nimport torch\n'), ['file width=768 heads=12']);
    assert.deepEqual(bindings('# headwise: width=768\nclass A:\n    pass\n'), ['class A width=768']);
    assert.deepEqual(bindings('# headwise: width=768\n# The attention.\nclass A:\n    pass\n'), ['class A width=768']);
    assert.deepEqual(bindings('# headwise: width=768\n\nclass A:\n    pass\n'), ['file width=768']);
    assert.deepEqual(bindings('class A:  # headwise: width=768\n    pass\n'), ['class A width=768']);
    assert.deepEqual(bindings('class A:\n    # headwise: width=768\n    def f(self):\n        pass\n'), ['class A width=768']);
    assert.deepEqual(bindings('class A:\n    a = 1\n\n    # headwise: width=768\n    def f(self):\n        pass\n'), [
      'function f width=768',
    ]);
    assert.deepEqual(bindings('class A:\n    def f(self):\n        # headwise: width=768\n        return 1\n'), ['function f width=768']);
    assert.deepEqual(bindings('def f(x):\n    y = 1  # headwise: width=768\n'), ['function f width=768']);
  });

  it('are no suppressions', () => {
    assert.deepEqual(bindings('# headwise: ignore[HW101]\nx = 1  # headwise: file-ignore\n'), []);
  });
});
