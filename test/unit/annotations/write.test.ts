import assert from 'node:assert/strict';
import { parseShapeComment } from '../../../src/annotations/comment.ts';
import { formatWritten } from '../../../src/annotations/contract.ts';
import { contradictionsIn } from '../../../src/annotations/reading.ts';
import { shapeCommentAt, styleOf, writeShape } from '../../../src/annotations/write.ts';
import { multiply, number, rigid, unknownDim } from '../../../src/dims/dim.ts';
import { openShape, shapeOf } from '../../../src/dims/shape.ts';
import { studyFile } from '../../../src/interpreter/student.ts';
import type { CodeReading } from '../../../src/interpreter/study.ts';
import type { PythonParser } from '../../../src/syntax/python/parse.ts';
import { applyEdits } from '../../../src/text/edit.ts';
import { pythonParser } from '../python/parser.ts';

let parser: PythonParser;
before(async () => {
  parser = await pythonParser();
});

const study = (text: string): CodeReading => {
  const file = { path: 'model.py', name: 'model', isPackage: false, module: parser.parse(text), isPrelude: false };
  return studyFile(file, { loader: { load: () => undefined }, parse: (source) => parser.parse(source) });
};

/** The line of the cursor `|`, completed; undefined where nothing is offered. The result agrees with the code. */
function completed(marked: string): string | undefined {
  const offset = marked.indexOf('|');
  const text = marked.replace('|', '');
  const completion = shapeCommentAt(study(text), offset);
  if (completion === undefined) return undefined;
  const edited = applyEdits(text, [{ range: completion.range, newText: completion.text }]);
  assert.deepEqual(contradictionsIn(study(edited)), [], edited);
  const start = edited.lastIndexOf('\n', offset) + 1;
  return edited.slice(start, edited.indexOf('\n', offset)).trim();
}

const attention = (body: string): string => `import torch
import torch.nn as nn

class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.n_head = config.n_head
        self.n_embd = config.n_embd
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd)

    def forward(self, x):
        B, T, C = x.size()
${body
  .split('\n')
  .map((line) => (line === '' ? '' : `        ${line}`))
  .join('\n')}
        return x
`;

describe('writing shape comments', () => {
  const [B, T, C] = [rigid('B'), rigid('T'), rigid('config.n_embd')];
  const none = new Map<string, string>();

  it('uses the names given, else those of the code', () => {
    assert.equal(writeShape(shapeOf(B, T, C), none), '(B, T, n_embd)');
    assert.equal(writeShape(shapeOf(B, T, C), new Map([[C.key, 'C']])), '(B, T, C)');
    assert.equal(writeShape(shapeOf(B, multiply(number(3), C)), new Map([[C.key, 'C']])), '(B, 3 * C)');
    assert.equal(writeShape(shapeOf(rigid('a.n'), rigid('b.n')), none), '(a.n, b.n)');
    assert.equal(writeShape(shapeOf(T), none), '(T,)');
    assert.equal(writeShape(openShape([], [T, C]), none), '(..., T, n_embd)');
  });

  it('marks what is not known, and leaves it where that is most', () => {
    const unknown = unknownDim('a test');
    assert.equal(writeShape(shapeOf(B, T, unknown), none), '(B, T, ?)');
    assert.equal(writeShape(shapeOf(B, unknown), none), undefined);
    assert.equal(writeShape(openShape([], []), none), undefined);
  });

  it('writes in a style that is read back as the same', () => {
    const shape = shapeOf(B, multiply(number(2), C), T);
    const expected: readonly (readonly ['()' | '[]' | '', string, string])[] = [
      ['()', ', ', '(B, 2 * n_embd, T)'],
      ['[]', ', ', '[B, 2 * n_embd, T]'],
      ['()', ',', '(B,2 * n_embd,T)'],
      ['', ' x ', 'B x (2 * n_embd) x T'],
      ['', ' ', 'B (2*n_embd) T'],
      ['[]', ' ', '[B (2*n_embd) T]'],
    ];
    for (const [brackets, separator, text] of expected) {
      assert.equal(writeShape(shape, none, { brackets, separator, lead: '' }), text);
      const read = parseShapeComment(`# ${text}`);
      assert.ok(read !== undefined, text);
      assert.equal(formatWritten(read.to).replace(/[()\s]/g, ''), 'B,2*n_embd,T', text);
    }
    assert.equal(writeShape(shapeOf(B, T), none, { brackets: '', separator: ' ', lead: '' }), '(B, T)');
    assert.equal(writeShape(shapeOf(B, T), none, { brackets: '[]', separator: ', ', lead: 'Shape: ' }), 'Shape: [B, T]');
  });

  it('finds the style of a file', () => {
    const style = (text: string) => styleOf(parser.parse(text));
    assert.deepEqual(style('def f(x):\n    pass\n'), { brackets: '()', separator: ', ', lead: '' });
    assert.deepEqual(style('def f(x):\n    y = g(x)  # [b, t, d]\n    z = g(x)  # [b, t]\n    w = g(x)  # (b, t, d)\n'), {
      brackets: '[]',
      separator: ', ',
      lead: '',
    });
    assert.deepEqual(style('def f(x):\n    y = g(x)  # B x T x C\n'), { brackets: '', separator: ' x ', lead: '' });
    assert.deepEqual(style('def f(x):\n    y = g(x)  # b t d\n'), { brackets: '', separator: ' ', lead: '' });
    assert.deepEqual(style('def f(x):\n    y = g(x)  # Shape: [b, t, d]\n'), { brackets: '[]', separator: ', ', lead: 'Shape: ' });
  });

  it('completes a comment behind a statement', () => {
    const first = 'q, k, v = self.c_attn(x).split(self.n_embd, dim=2)\n';
    const split = `${first}k = k.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)  # (B, nh, T, hs)\n`;
    const view = 'q = q.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)';
    assert.equal(completed(attention(`${split}${view}  #|`)), `${view}  # (B, nh, T, hs)`);
    assert.equal(completed(attention(`${split}${view}  # |`)), `${view}  # (B, nh, T, hs)`);
    assert.equal(completed(attention(`${split}${view}  # (|)`)), `${view}  # (B, nh, T, hs)`);
    assert.equal(completed(attention(`${split}${view}  # (B, n|`)), `${view}  # (B, nh, T, hs)`);
    assert.equal(completed(attention(`y = self.c_attn(x)  # |`)), 'y = self.c_attn(x)  # (B, T, 3 * C)');
  });

  it('completes a comment above a statement, and below one', () => {
    assert.equal(completed(attention('# |\ny = x.transpose(1, 2)')), '# (B, C, T)');
    assert.equal(completed(attention('y = x.transpose(1, 2)\n# |\n')), '# (B, C, T)');
  });

  it('offers nothing for what is no single tensor, is not known, or is being written otherwise', () => {
    for (const body of [
      'q, k, v = self.c_attn(x).split(self.n_embd, dim=2)  # |',
      'n = self.n_head  # |',
      'y = self.unknown(x)  # |',
      'y = x.transpose(1, 2)  # the keys: |',
      'y = x.transpose(1, 2)  # |TODO',
      'y = x.transpose(1, 2) |',
      'y = "# |"',
    ]) {
      assert.equal(completed(attention(body)), undefined, body);
    }
  });
});
