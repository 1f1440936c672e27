import assert from 'node:assert/strict';
import fc from 'fast-check';
import { contradictionsIn } from '../../../src/annotations/reading.ts';
import { studyFile } from '../../../src/interpreter/student.ts';
import type { CodeReading } from '../../../src/interpreter/study.ts';
import type { PythonParser } from '../../../src/syntax/python/parse.ts';
import { pythonReader } from '../../../src/workspace/python.ts';
import { pythonParser } from '../python/parser.ts';

let parser: PythonParser;
before(async () => {
  parser = await pythonParser();
});

/** `says (...) is (...): reason`, with the text that each stands on. */
function contradictions(text: string): readonly string[] {
  const module = parser.parse(text);
  const file = { path: 'model.py', name: 'model', isPackage: false, module, isPrelude: false };
  const code = studyFile(file, { loader: { load: () => undefined }, parse: (source) => parser.parse(source) });
  return contradictionsIn(code).map(({ unit, range, kind, sure, subject, inferred, reason }) => {
    const at = text.slice(unit.start + range.start, unit.start + range.end);
    const name = 'name' in subject ? subject.name : subject.kind;
    return `${at}: ${kind}${sure ? '' : ' perhaps'}: ${name} is ${inferred}: ${reason}`;
  });
}

/** A causal attention block; each comment may be replaced. */
const attention = (forward: string): string => `import torch
import torch.nn as nn
import torch.nn.functional as F
import math

class Attention(nn.Module):
    def __init__(self, n_embd, n_head):
        super().__init__()
        self.n_head = n_head
        self.n_embd = n_embd
        self.head_dim = n_embd // n_head
        self.c_attn = nn.Linear(n_embd, 3 * n_embd)
        self.c_proj = nn.Linear(n_embd, n_embd)

    def forward(self, x):
        B, T, C = x.size()  # (B, T, C)
${forward
  .split('\n')
  .map((line) => (line === '' ? '' : `        ${line}`))
  .join('\n')}
`;

const right = `qkv = self.c_attn(x)  # (B, T, 3 * C)
q, k, v = qkv.split(self.n_embd, dim=2)  # (B, T, C)
k = k.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)  # (B, nh, T, hs)
q = q.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)  # (B, nh, T, hs)
# v: (B, T, C) -> (B, nh, T, hs)
v = v.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
# (B, nh, T, hs) x (B, nh, hs, T) -> (B, nh, T, T)
att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
att = F.softmax(att, dim=-1)
y = att @ v  # (B, nh, T, T) x (B, nh, T, hs) -> (B, nh, T, hs)
y = y.transpose(1, 2).contiguous().view(B, T, C)  # (B, T, C)
return self.c_proj(y)`;

const replaced = (from: string, to: string): string => {
  assert.ok(right.includes(from), from);
  return attention(right.replace(from, to));
};

describe('contracts against code', () => {
  it('agree', () => assert.deepEqual(contradictions(attention(right)), []));

  it('are those of what comes after, where a line stands between a tensor and a number', () => {
    const about = (below: string): string => attention(`att = self.c_attn(x).view(B, T, 3, self.n_embd)\n# B, T, 3, nh, hs\n${below}`);
    assert.deepEqual(contradictions(about('count = x.shape[-1]\nreturn att')), []);
    assert.equal(contradictions(about('att = att * 2.0\nreturn att')).length, 1);
  });

  it('are not those of what other lines of a headed comment explain', () => {
    const under = (first: string): string =>
      attention(
        `y = self.c_attn(x)\n\n# ${first}\n# ids count the heads for the sake of broadcasting.\nids = torch.arange(self.n_head).unsqueeze(0)\nreturn y`,
      );
    assert.deepEqual(contradictions(under('Transformer: (B, T, C)')), []);
  });

  it('differ in their number of axes', () => {
    assert.deepEqual(contradictions(replaced('# (B, T, 3 * C)', '# (B, nh, T, 3 * C)')), [
      '(B, nh, T, 3 * C): rank: qkv is (B, T, 3 * n_embd): 4 axes are written, and there are 3',
    ]);
    assert.deepEqual(contradictions(replaced('.contiguous().view(B, T, C)', '.contiguous()')), [
      '(B, T, C): rank: y is (B, T, nh, hs): 3 axes are written, and there are 4',
    ]);
  });

  it('leave out of the message a size that takes a line to write', () => {
    const text = attention(`rows = self.n_embd * self.n_head + 7 * self.n_head * self.n_head + self.n_embd // 3 + self.n_head // 5
y = x.repeat(1, 1, rows)  # (B, T)
return y`);
    const [said = ''] = contradictions(text);
    assert.match(said, /y is \(B, T, \?\): 2 axes are written, and there are 3/);
  });

  it('differ in a size that the code names', () => {
    assert.deepEqual(contradictions(replaced('# (B, T, 3 * C)', '# (B, T, C)')), [
      'C: name: qkv is (B, T, 3 * n_embd): C is n_embd, and the size here is 3 * n_embd',
    ]);
    assert.deepEqual(contradictions(replaced('# (B, T, 3 * C)', '# (B, T, 2 * C)')), [
      '2 * C: name: qkv is (B, T, 3 * n_embd): 2 * C is 2 * n_embd in the code, and the size here is 3 * n_embd',
    ]);
  });

  it('have two axes in the wrong order', () => {
    // The transpose is missing, and the comment says what was meant.
    const [first, ...others] = contradictions(
      replaced('q = q.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)', 'q = q.view(B, T, self.n_head, C // self.n_head)'),
    );
    assert.equal(first, '(B, nh, T, hs): order: q is (B, T, nh, hs): nh and T are swapped');
    // What comes of it is in that order too.
    assert.deepEqual(others, ['(B, nh, T, hs): order: y is (B, T, nh, hs): nh and T are swapped']);
  });

  it('differ in a number', () => {
    const body = 'y = x.view(B, T, 3, -1)  # (B, T, 2, D)\nreturn y';
    assert.deepEqual(contradictions(attention(body)), ['2: number: y is (B, T, 3, C // 3): 2 is written where the size is 3']);
  });

  it('are those of parameters and results too', () => {
    const code = (comment: string, doc: string): string => `import torch.nn as nn

class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.proj = nn.Linear(width, width)

    def split(self, x):${comment}
        """${doc}"""
        return x.flatten(1)

    def forward(self, x):
        b, t, d = x.shape
        return self.split(self.proj(x))
`;
    assert.deepEqual(contradictions(code('  # (b, t, d)', '')), []);
    assert.deepEqual(contradictions(code('  # (b, h, t, d)', '')), [
      '(b, h, t, d): rank: x is (B, T, width): 4 axes are written, and there are 3',
    ]);
    assert.deepEqual(
      contradictions(
        code('', '\n        Args:\n            x: of shape (b, t)\n\n        Returns:\n            Tensor of shape (b, t, d)\n        '),
      ),
      [
        '(b, t): rank: x is (B, T, width): 2 axes are written, and there are 3',
        '(b, t, d): rank: return is (B, T * width): 3 axes are written, and there are 2',
      ],
    );
    assert.deepEqual(contradictions(code('', '').replace('split(self, x)', 'split(self, x: Float[Tensor, "b t"])')), [
      'b t: rank: x is (B, T, width): 2 axes are written, and there are 3',
    ]);
  });

  describe('say nothing', () => {
    const silent: Readonly<Record<string, string>> = {
      'of a sentence': 'y = x.flatten(1)  # the output later has shape (B, T, C)\nreturn y',
      'where the comment may be about what went in': 'x = x.flatten(1)  # (B, T, C)\nreturn x',
      'where the shape is not known': 'y = self.unknown(x)  # (B, T, C, D)\nreturn y',
      'where only one branch is known':
        'if self.training:\n    y = x.flatten(1)\nelse:\n    y = x\n# y: (B, T, C)\nif B:\n    pass\nreturn y',
      'of a letter that only comments use, for two things':
        'h = x.view(B, T, self.n_head, -1)  # (B, T, K, D)\nw = x.view(B, T, -1, 2)  # (B, T, D, K)\nreturn w',
      'of an axis of 1 that broadcasts': 'm = torch.ones(1, 1, T, T)  # (B, nh, T, T)\nreturn m',
      'of what is no tensor': 'n = self.n_head  # (B, T, C)\nreturn n',
      'of a list of tensors': 'parts = [x, x]  # (B, T, C)\nreturn parts',
      'where a statement further down makes the shape': '\n# (B, T * C)\ny = x * 2\ny = y.flatten(1)\nreturn y',
      'where the rounds of a loop differ': 'for i in range(2):\n    x = x.unsqueeze(0)  # (1, B, T, C)\nreturn x',
    };
    for (const [says, body] of Object.entries(silent)) it(says, () => assert.deepEqual(contradictions(attention(body)), []));

    it('of a helper that is called with several shapes', () => {
      const text = `import torch.nn as nn

class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.proj = nn.Linear(width, width)

    def helper(self, x):
        y = x * 2  # (B, T, C)
        return y

    def forward(self, x):
        b, t, d = x.shape
        return self.helper(x) + self.helper(x.flatten(1)).view(b, t, d)
`;
      assert.deepEqual(contradictions(text), []);
    });
  });
});

describe('contracts of half-typed code', () => {
  it('are read without failing, whatever is missing', function () {
    this.timeout(60_000);
    const whole = attention(right);
    fc.assert(
      fc.property(fc.nat(whole.length), fc.nat(60), fc.constantFrom('', '(', '"""', '\n', '# (B, T', ':', '\t'), (at, length, typed) => {
        const text = whole.slice(0, at) + typed + whole.slice(at + length);
        assert.ok(Array.isArray(contradictions(text)));
      }),
      { numRuns: 150 },
    );
  });

  it('are the same after an edit as of a new text', () => {
    const reader = pythonReader(parser, 4);
    let text = attention(right);
    const counts: number[] = [];
    const shown = (code: CodeReading | undefined): readonly string[] =>
      code === undefined ? [] : contradictionsIn(code).map(({ unit, range, reason }) => `${unit.start + range.start} ${reason}`);
    for (const [from, to] of [
      ['# (B, T, 3 * C)', '# (B, nh, T, 3 * C)'],
      ['import math', 'import math  # maths'],
      ['# (B, nh, T, 3 * C)', '# (B, T, 3 * C)'],
      ['.contiguous().view(B, T, C)', '.contiguous()'],
      ['return self.c_proj(y)', 'return self.c_proj(y)  # (B, T)'],
      ['# (B, T)\n', '# (B, S)\n'],
    ] as const) {
      assert.ok(text.includes(from), from);
      text = text.replace(from, to);
      const edited = shown(reader.code(text, 'model.py'));
      assert.deepEqual(edited, shown(pythonReader(parser).code(text, 'model.py')), `${from} -> ${to}`);
      counts.push(edited.length);
    }
    assert.deepEqual(counts.slice(0, 4), [1, 1, 0, 1]);
  });
});
