import { deepEqual, equal, ok } from 'node:assert/strict';
import { type PythonModule, type Statement, spanIn, type UnitBody } from '../../../src/syntax/python/ast.ts';
import { stringValue } from '../../../src/syntax/python/literals.ts';
import { changeBetween, type PythonParser } from '../../../src/syntax/python/parse.ts';
import { pythonParser, unknownNodes } from './parser.ts';

/** Every statement and expression of the language, one a line or block. */
const everything = `import torch.nn as nn, os.path
from ..layers import (Block as B, Norm)
from . import *
from __future__ import annotations
@decorator(1)
@other.one
async def f(a, /, b: int, *, c: int = 2, d=3, **kw) -> list[int] | None:
    # (B, T, C)
    async with a as b, c: await z
    async for i, in y: yield i
    return 1, *z
class A(Base, metaclass=M, *more):
    x: int = 3
    y: float
    def g(self, *args: int): pass
def h[T](x: T, *, y): ...
type Pair[T] = tuple[T, T]
a = b = c, *d = (yield)
a: dict[Literal["x", "y"] : int] = {**a, 'b': 1}
x[1:2, ..., None, ::2] //= -1 ** ~y
x = [i for i, j in zip(*z) if i if not j for k in i] + [*a, b]
x = {1, 2}, {i async for i in y}, {k: v for k, v in z}, (i for i in y)
f(x for x in y)
f(*a, **k, n=1, m=(n := 10))
x = a if b else lambda *a, b=1: a < b not in c is not d and e or not g
x = f"a{b!r:>{w}}" 'd' r"\\n" b'x' """doc"""
x = 0x1F + 1_000 + 1e-5 + 3j + 0o17
if (n := 1) > 5: pass
elif y: pass
else: pass
while x: break
else: continue
try: a
except* E as e: b
except (A, B): c
except: raise
else: d
finally: e
with (open(x) as f, y): pass
match x, y:
    case A(b=c) | {"k": v, **rest} if d: pass
    case [1, *r]: pass
    case _: pass
del a, b[0]
raise X from Y
assert a, "b"
global g1, g2
print(await z)
x = yield from y
x = a @ b << 2 ^ c
`;

describe('Python syntax', () => {
  let parser: PythonParser;
  before(async () => {
    parser = await pythonParser();
  });

  const only = (text: string): Statement => {
    const { units } = parser.parse(text);
    equal(units.length, 1);
    const [unit] = units;
    ok(unit !== undefined && !unit.body.hasErrors);
    return unit.body.statement;
  };

  it('reads every statement and expression', () => {
    const module = parser.parse(everything);
    equal(unknownNodes(module.units), 0);
    deepEqual(
      module.units.filter(({ body }) => body.hasErrors),
      [],
    );
    const kinds = new Set<string>();
    JSON.stringify(module.units, (key, value: unknown) => {
      if (key === 'kind' && typeof value === 'string') kinds.add(value);
      return value;
    });
    const expected =
      'expression assign annotatedAssign augmentedAssign return raise assert delete pass break continue global import importFrom if for while ' +
      'try with function class match typeAlias name number string constant tuple list set dict unary binary boolean compare conditional lambda ' +
      'call attribute subscript slice starred await yield named comprehension positional keyword args kwargs plain slash star';
    deepEqual(
      expected.split(' ').filter((kind) => !kinds.has(kind)),
      [],
    );
  });

  it('keeps ranges relative to the top-level statement', () => {
    const text = '\n\n# c\nx = 1\nclass A:\n    n_head: int = 12\n';
    const [, unit] = parser.parse(text).units;
    ok(unit !== undefined && unit.body.statement.kind === 'class');
    const [field] = unit.body.statement.body;
    ok(field?.kind === 'annotatedAssign' && field.value !== undefined);
    const { start, end } = spanIn(unit, field.value);
    equal(text.slice(start, end), '12');
  });

  it('spreads the whole operand of a star', () => {
    const spread = (text: string): string => {
      const statement = only(text);
      ok(statement.kind === 'assign' && statement.value.kind === 'tuple');
      const [first] = statement.value.items;
      ok(first?.kind === 'starred');
      return `${text.slice(first.start, first.end)} | ${text.slice(first.value.start, first.value.end)} | ${first.value.kind}`;
    };
    equal(spread('b, n, h = *x.shape[:2], self.heads\n'), '*x.shape[:2] | x.shape[:2] | subscript');
    equal(spread('a = *x.size(), -1\n'), '*x.size() | x.size() | call');
    equal(spread('a = *x.a + y, 1\n'), '*x.a + y | x.a + y | binary');
    equal(spread('a = *x if y else z, 1\n'), '*x if y else z | x if y else z | conditional');
  });

  it('reads numbers and strings as Python does', () => {
    const value = (text: string) => {
      const statement = only(text);
      ok(statement.kind === 'expression');
      const { value: literal } = statement;
      return literal.kind === 'number' || literal.kind === 'string' ? literal.value : literal.kind;
    };
    equal(value('0x1F'), 31);
    equal(value('1_000_000'), 1e6);
    equal(value('0b101'), 5);
    equal(value('0o17'), 15);
    equal(value('1e-5'), 1e-5);
    equal(value('.5'), 0.5);
    ok(Number.isNaN(value('3j')));
    equal(value(`'a' "b"`), 'ab');
    equal(value(`f"{x}"`), undefined);
    equal(value(`b"x"`), undefined);
    equal(stringValue(String.raw`"\x41\u00e9\n\'\101\q"`), "Aé\n'A\\q");
    equal(stringValue(String.raw`r"\n"`), '\\n');
    equal(stringValue(`"""a\nb"""`), 'a\nb');
    equal(stringValue(`f"plain"`), 'plain');
    equal(stringValue(`"open`), undefined);
  });

  it('tells operators, chains and clauses apart', () => {
    const statement = only('a < b <= c is not d');
    ok(statement.kind === 'expression' && statement.value.kind === 'compare');
    deepEqual(statement.value.operators, ['<', '<=', 'is not']);
    const assigned = only('a = b = 3');
    ok(assigned.kind === 'assign');
    equal(assigned.targets.length, 2);
    const imported = only('from ...a.b import c as d, e');
    ok(imported.kind === 'importFrom');
    deepEqual([imported.level, imported.module, imported.names.map(({ name, alias }) => alias?.name ?? name)], [3, 'a.b', ['d', 'e']]);
    const sliced = only('x[:, 1:, ::2]');
    ok(sliced.kind === 'expression' && sliced.value.kind === 'subscript');
    deepEqual(
      sliced.value.indices.map((part) => part.kind === 'slice' && [part.lower, part.upper, part.step].map((one) => one !== undefined)),
      [
        [false, false, false],
        [true, false, false],
        [false, false, true],
      ],
    );
    const matched = only('match x:\n    case A(b=c, d.e) | {"k": v, **rest}: pass\n');
    ok(matched.kind === 'match');
    deepEqual(
      matched.cases[0]?.binds.map(({ name }) => name),
      ['c', 'v', 'rest'],
    );
  });

  it('gives a comment to the statement on its line', () => {
    const text = 'q = f(x)  # (B, T, C)\n# alone\nk = 1\n';
    const module = parser.parse(text);
    deepEqual(
      module.units.map((unit) => unit.body.comments.map((comment) => text.slice(unit.start + comment.start, unit.start + comment.end))),
      [['# (B, T, C)'], []],
    );
    deepEqual(
      module.comments.map(({ start, end }) => text.slice(start, end)),
      ['# alone'],
    );
  });

  it('covers what it cannot read by an unknown node and reads the rest', () => {
    const module = parser.parse('class A:\n    n = 12 @@ 3\n    m = 4\nd = {"a": 1, "b": }\nf(x)\n');
    deepEqual(
      module.units.map(({ body }) => [body.statement.kind, body.hasErrors, unknownNodes(body)]),
      [
        ['class', true, 1],
        ['assign', true, 1],
        ['expression', false, 0],
      ],
    );
    const [header] = parser.parse('def f(a, b:\n    pass\n').units;
    ok(header?.body.hasErrors);
  });

  it('keeps the units that a change does not touch', () => {
    const document = parser.open(everything);
    const bodies = new Set(document.module.units.map(({ body }) => body));
    const at = everything.indexOf('x: int = 3');
    const text = `${everything.slice(0, at)}longer: int = 4\n    ${everything.slice(at)}`;
    const next = document.update(text);
    deepEqual(next.module, parser.parse(text));
    const fresh = next.module.units.filter(({ body }) => !bodies.has(body));
    deepEqual(
      fresh.map(({ body }) => body.statement.kind),
      ['class'],
    );
    next.dispose();
  });

  it('says after edits inside a statement, between statements and back what a first parse says', () => {
    const inside = everything.replace('x: int = 3', 'x: int = 34');
    const versions = [
      inside,
      // What follows on the line is the statement's own; the next line is not.
      inside.replace('x: int = 34', 'x: int = 34  # a size\n    # and a line'),
      everything,
      `${everything}\nbehind = 1\n`,
      `# before\n${everything}\nbehind = 1\n`,
      `# before\n${everything}\nbehind = 12\n`,
      `# before\n${everything.replace('x: int = 3', 'x: int = (3')}\nbehind = 12\n`,
      inside,
      inside.replace('x: int = 34', 'x: int = 34\nouter = 1\nif outer:\n    y = 2'),
      everything,
    ];
    let document = parser.open(everything);
    for (const [i, version] of versions.entries()) {
      document = document.update(version);
      deepEqual(document.module, parser.parse(version), `after edit ${i}`);
    }
    document.dispose();
  });

  it('reads the one statement of a class that an edit touches, and says what a first parse says', () => {
    const text = [
      'import a',
      '@wrap',
      'class Model(a.Module):',
      '    """Of (b, t, d)."""',
      '    size = 4; other = 5  # two',
      '    # before',
      '    def first(self, x):  # (b, t)',
      '        if x:',
      '            return x  # as it is',
      '        return self.norm(x)',
      '  # low',
      '',
      '    @a.jit',
      '    async def second(self):',
      '        return f"{self.size}"',
      '',
      '    def last(self):',
      '        return [1, 2]  # both',
      '        # its end',
      '# behind',
      '_all = 1',
      '',
    ].join('\n');
    const edits: readonly (readonly [from: string, to: string])[] = [
      ['norm(x)', 'normal(x)'],
      ['x  # as it is', 'x + (1,\n  2)  # as\n            # it is'],
      ['[1, 2]', '[1, 2, 3]'],
      ['# its end', '# its very end\n    # of all'],
      ['{self.size}', '{self.size + 1}'],
      ['return x', 'return x; x = 1'],
      ['size = 4', 'size = 44'],
      ['(b, t, d)', '(b, t, d, e)'],
      ['other = 5', 'other = 55'],
      // What leaves the class, the statement or the language.
      ['        return self.norm(x)', '    return self.norm(x)'],
      ['        return self.norm(x)', '        return self.norm(x)\n    y = 1'],
      ['        return self.norm(x)', '        return self.norm(x)\ny = 1'],
      ['        return [1, 2]', '        return [1, 2]\ny = 1'],
      ['self.norm(x)', 'self.norm(x'],
      ['return x  # as', 'return """x  # as'],
      ['    async def second', 'async def second'],
    ];
    const before = parser.parse(text);
    for (const [from, to] of edits) {
      const version = text.replace(from, to);
      let document = parser.open(text).update(version);
      deepEqual(document.module, parser.parse(version), to);
      document = document.update(text);
      deepEqual(document.module, before, `${to}, taken back`);
      document.dispose();
    }
    const membersOf = ({ units }: PythonModule): readonly unknown[] => {
      const statement = units[1]?.body.statement;
      return statement?.kind === 'class' ? statement.body : [];
    };
    const opened = parser.open(text);
    const known = membersOf(opened.module);
    const edited = opened.update(text.replace('[1, 2]', '[1, 2, 3]'));
    deepEqual(
      membersOf(edited.module).map((member, i) => member === known[i]),
      [true, true, true, true, true, false],
      'statements before the edit are not read again',
    );
    edited.dispose();
  });

  it('reads the code around thousands of lines of comments, at its places', () => {
    const row = "    # don't\n".repeat(3) + '    # nothing but a remark\n'.repeat(10_000);
    const text = `def f(x):\n    a = 1\n${row}    b = """\n${'# in a string\n'.repeat(1000)}# its end"""\n    return b\nc = 2\n`;
    const started = process.cpuUsage().user;
    const document = parser.open(text);
    // Without care for such rows this takes half a minute.
    ok(process.cpuUsage().user - started < 5_000_000);
    const [f, c] = document.module.units;
    equal(document.module.units.length, 2);
    ok(f?.body.statement.kind === 'function' && c !== undefined);
    deepEqual(
      f.body.statement.body.map(({ kind, start, end }) => `${kind} ${text.slice(f.start + start, f.start + end).slice(0, 9)}`),
      ['assign a = 1', 'assign b = """\n#', 'return return b'],
    );
    equal(text.slice(c.start), 'c = 2\n');
    equal(unknownNodes(parser.parse(`a = 1\n${'# """\n'.repeat(5000)}`).units[0]?.body as UnitBody), 1);
    const edited = text.replace('a = 1', 'a = 12');
    deepEqual(document.update(edited).module, parser.parse(edited));
  }).timeout(20_000);

  it('finds the one replacement between two texts', () => {
    deepEqual(changeBetween('abcd', 'abXcd'), { start: 2, end: 2, newEnd: 3 });
    deepEqual(changeBetween('aaa', 'aa'), { start: 2, end: 3, newEnd: 2 });
    deepEqual(changeBetween('', 'x'), { start: 0, end: 0, newEnd: 1 });
  });
});
