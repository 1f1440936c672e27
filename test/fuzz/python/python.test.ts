import { deepEqual, equal, ok } from 'node:assert/strict';
import fc from 'fast-check';
import type { PythonParser } from '../../../src/syntax/python/parse.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../../unit/python/parser.ts';

const samples = [
  `import torch.nn as nn
from dataclasses import dataclass, field

# A small model.
@dataclass
class GPTConfig:
    n_layer: int = 12
    n_head: int = 12  # heads
    n_embd: int = 768
    names: list = field(default_factory=list)

GPT_CONFIG = {"emb_dim": 768, "n_heads": 12, **{"a": [1, 2, (3,)]}}

class Block(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.attn = nn.MultiheadAttention(512, num_heads=8)

    def forward(self, x):
        B, T, C = x.size()  # (B, T, C)
        q = x.view(B, T, 8, C // 8).transpose(1, 2)
        return x + self.attn(q, q, q)[0] if T > 1 else f"{x!r}"
`,
  `def f(a, *b, c=1, **d):
\twith open(a) as g, h: yield from (i for i in g if i)
\ttry:
\t\tmatch a:
\t\t\tcase [1, *rest]: pass
\texcept (A, B) as e: raise X from e
\tfinally: x[1:, ..., ::2] @= lambda: not y
n_embd = 768
n_head = 12; n_layer = 2 ** 3
config = dict(d_model=n_embd, nhead=n_head)
s = """a
# no comment
"""
`,
];

/** A change as typing makes them: a piece replaced by a few characters. */
const edit = fc.record({
  at: fc.nat(),
  removed: fc.nat({ max: 6 }),
  added: fc.oneof(
    fc.constantFrom(
      '',
      '(',
      ')',
      '"',
      "'''",
      '#',
      '\n',
      '\n    ',
      ':',
      '=',
      ' ',
      '\t',
      '12',
      'if x:\n',
      '\\',
      '@',
      '[',
      '}',
      ';',
      ',',
      '\r\n',
      '\0',
      'é😀',
    ),
    fc.string({ maxLength: 4 }),
  ),
});

describe('Python under fuzz', () => {
  let parser: PythonParser;
  before(async () => {
    parser = await pythonParser();
  });

  it('says after any edits what a first parse says', () => {
    fc.assert(
      fc.property(fc.constantFrom(...samples), fc.array(edit, { minLength: 1, maxLength: 8 }), (sample, edits) => {
        let document = parser.open(sample);
        let text = sample;
        for (const { at, removed, added } of edits) {
          const start = at % (text.length + 1);
          text = text.slice(0, start) + added + text.slice(start + removed);
          document = document.update(text);
          deepEqual(document.module, parser.parse(text));
        }
        document.dispose();
      }),
      { numRuns: 400 },
    );
  });

  it('keeps every range inside the text and statements in order', () => {
    fc.assert(
      fc.property(fc.constantFrom(...samples), fc.array(edit, { maxLength: 5 }), (sample, edits) => {
        let text = sample;
        for (const { at, removed, added } of edits) {
          const start = at % (text.length + 1);
          text = text.slice(0, start) + added + text.slice(start + removed);
        }
        let last = 0;
        for (const { start, body } of parser.parse(text).units) {
          ok(start >= last);
          last = start + body.statement.end;
          ok(last <= text.length);
          JSON.stringify(body.statement, (_, value: unknown) => {
            if (typeof value === 'object' && value !== null && 'start' in value && 'end' in value)
              ok(Number(value.start) >= 0 && Number(value.start) <= Number(value.end) && start + Number(value.end) <= text.length);
            return value;
          });
        }
      }),
      { numRuns: 300 },
    );
  });

  it('analyses damaged code without failing', () => {
    const python = pythonReader(parser);
    fc.assert(
      fc.property(fc.constantFrom(...samples), fc.array(edit, { minLength: 1, maxLength: 6 }), (sample, edits) => {
        let text = sample;
        for (const { at, removed, added } of edits) {
          const start = at % (text.length + 1);
          text = text.slice(0, start) + added + text.slice(start + removed);
        }
        const { findings } = analyse({ text, path: 'a.py', python }, defaultSettings);
        for (const { range } of findings) ok(range.start >= 0 && range.start <= range.end && range.end <= text.length);
      }),
      { numRuns: 300 },
    );
  });

  describe('reads bad input in bounded time', () => {
    const line = 'n_head = 12; n_embd = 768\n';
    const cases: Readonly<Record<string, string>> = {
      'nested parentheses': `n_head = ${'('.repeat(100_000)}1${')'.repeat(100_000)}\n`,
      'open parentheses': `n_head = ${'('.repeat(100_000)}`,
      'open parentheses a line': 'n_head(\n'.repeat(50_000),
      'nested lists behind names': `n_head = ${'a['.repeat(50_000)}`,
      'a chain of attributes': `n_head = a${'.b'.repeat(100_000)}\n`,
      'a chain of operators': `n_head = 1${' + 1'.repeat(100_000)}\n`,
      'a chain of calls': `n_head = f${'()'.repeat(100_000)}\n`,
      'a chain of not': `n_head = ${'not '.repeat(50_000)}x\n`,
      'nested lambdas': `n_head = ${'lambda: '.repeat(20_000)}x\n`,
      'nested conditionals': `n_head = ${'a if b else '.repeat(20_000)}c\n`,
      'nested blocks': Array.from({ length: 1000 }, (_, i) => `${' '.repeat(i)}if n_head:\n`).join(''),
      'an open string': `n_head = """${'x\n'.repeat(100_000)}`,
      'NUL bytes': `${line}\0\0\0${line}`,
      'tabs and spaces': 'if n_head:\n\tx = 1\n        y = 2\n    z = 3\n',
      'Python 2': 'print "n_head", 3\nexec "x"\nraise E, "m"\nexcept E, e: pass\n`x`\n',
      'notebook magics': '%matplotlib inline\n!pip install x\n%%time\nn_head = 12\nx?\n',
      'half a class': 'class GPTConfig:\n    n_head: int = \n    n_embd: int = 7',
      'one long line': `n_head = [${'1, '.repeat(200_000)}]\n`,
      'names that follow each other': `${Array.from({ length: 5000 }, (_, i) => `a${i} = a${i + 1}`).join('\n')}\nn_head = a0\nn_embd = a1\n`,
      'many configurations': 'c = dict(d_model=512, nhead=7)\n'.repeat(5000),
    };
    for (const [name, text] of Object.entries(cases))
      it(name, function () {
        this.timeout(10_000);
        const started = performance.now();
        const { parsed } = analyse({ text, path: 'a.py', python: pythonReader(parser) }, defaultSettings);
        equal(parsed.text, text);
        const took = performance.now() - started;
        ok(took < 8000, `${took.toFixed(0)} ms`);
      });

    it('a generated file of 5 MB', function () {
      this.timeout(60_000);
      const text = 'x = {"a": [1, 2, 3], "n_head": 12}\n'.repeat(Math.ceil(5e6 / 35));
      const started = performance.now();
      const { units } = parser.parse(text);
      equal(units.length, Math.ceil(5e6 / 35));
      ok(performance.now() - started < 50_000);
      // Too large to be a configuration: not even parsed.
      equal(analyse({ text, path: 'a.py', python: pythonReader(parser) }, defaultSettings).reading, undefined);
    });
  });
});
