import assert from 'node:assert/strict';
import { readPythonConfigs } from '../../../src/design/python/configs.ts';
import { rules } from '../../../src/rules/registry.ts';
import type { PythonParser } from '../../../src/syntax/python/parse.ts';
import { applyEdits } from '../../../src/text/edit.ts';
import type { Finding } from '../../../src/text/finding.ts';
import { applySuppressions, suppressionEdit } from '../../../src/workspace/suppress.ts';
import { pythonParser } from '../python/parser.ts';

let parser: PythonParser;
before(async () => {
  parser = await pythonParser();
});

/** A finding of HW101 at every `bad` and of HW201 at every `wide` of the text. */
function findingsIn(text: string): readonly Finding[] {
  return [...text.matchAll(/\b(bad|wide)\d*\b/g)].map(({ 0: word, 1: kind, index }) => ({
    code: kind === 'bad' ? 'HW101' : 'HW201',
    rule: rules.find(({ code }) => code === (kind === 'bad' ? 'HW101' : 'HW201'))?.name ?? '',
    severity: 'error',
    message: word,
    range: { start: index, end: index + word.length },
    related: [],
    fixes: [],
    tags: [],
  }));
}

/** What is left: the words that are still reported, and the suppressions that are idle. */
function left(text: string): readonly string[] {
  const source = readPythonConfigs(parser.parse(text));
  return applySuppressions(source, findingsIn(text), rules, () => true).map(({ code, message, range }) =>
    code === 'HW901' ? `idle ${text.slice(range.start, range.end)}` : message,
  );
}

const cases: Readonly<Record<string, readonly (readonly [text: string, left: readonly string[]])[]>> = {
  'hold for their line': [
    ['x = bad1  # headwise: ignore\ny = bad2\n', ['bad2']],
    ['x = bad1, wide  # headwise: ignore[HW101]\n', ['wide']],
    ['def f(a=bad1):  # headwise: ignore[HW101]\n    return bad2\n', ['bad2']],
    ['class A(bad1):  # headwise: ignore[HW101]\n    x = bad2\n', ['bad2']],
  ],
  'hold for a statement of several lines, behind its first or its last': [
    ['x = f(  # headwise: ignore[HW101]\n    bad1,\n    bad2,\n)\ny = bad3\n', ['bad3']],
    ['x = f(\n    bad1,\n    bad2,\n)  # headwise: ignore[HW101]\ny = bad3\n', ['bad3']],
    ['x = """\nbad1\n"""  # headwise: ignore[HW101]\n', []],
    ['def f():\n    """\n    bad1\n    """  # headwise: ignore[HW101]\n    return bad2\n', ['bad2']],
    ['x = a + \\\n    bad1 + \\\n    b  # headwise: ignore[HW101]\n', []],
  ],
  'hold for one line of a statement, behind it': [
    ['x = f(\n    bad1,  # headwise: ignore[HW101]\n    bad2,\n)\n', ['bad2']],
    ['x = f(\n    # headwise: ignore[HW101]\n    bad1,\n    bad2,\n)\n', ['bad2']],
    // As in Ruff, a header is no statement: behind its first line a comment holds for that line.
    ['def f(  # headwise: ignore[HW101]\n    a=bad1,\n):\n    pass\n', ['bad1', 'idle HW101']],
    ['def f(\n    a=bad1,\n):  # headwise: ignore[HW101]\n    pass\n', ['bad1', 'idle HW101']],
  ],
  'hold for all lines of what stands below them': [
    ['# headwise: ignore[HW101]\nx = f(\n    bad1,\n    bad2,\n)\ny = bad3\n', ['bad3']],
    ['# headwise: ignore[HW101]\ndef f(\n    a=bad1,\n    b=bad2,\n):\n    return bad3\n', ['bad3']],
    ['# headwise: ignore[HW101]\nclass A(\n    bad1,\n):\n    x = bad2\n', ['bad2']],
    ['@decorate\n# headwise: ignore[HW101]\ndef f(\n    a=bad1,\n):\n    return 1\n', []],
    ['if a:\n    # headwise: ignore[HW101]\n\n    # why\n    x = bad1\n', []],
  ],
  'hold for comments, behind and above them': [
    ['# (bad1)  # headwise: ignore[HW101]\nx = 1\n', []],
    ['# headwise: ignore[HW101]\n# (bad1)\nx = bad2\n', []],
    ['# (bad1)\n# headwise: ignore[HW101]\nx = bad2\n', ['bad1']],
  ],
  'hold for the file': [['x = bad1\n\n\ndef f():\n    # headwise: file-ignore[HW101]\n    return bad2, wide\n', ['wide']]],
  'may be written as noqa': [
    ['x = bad1, wide  # noqa: HW101\n', ['wide']],
    ['x = bad1, wide  # noqa:E501, HW101,HW201 as trained\n', []],
    ['x = bad1  # NOQA : hw101\n', []],
    ['x = f(\n    bad1,\n)  # noqa: HW101\n', []],
    ['x = bad1  # the width. # noqa: HW101\n', []],
    // Written for other linters.
    ['x = bad1  # noqa\n', ['bad1']],
    ['x = bad1  # noqa: E501\n', ['bad1']],
    ['# noqa: HW101\nx = bad1\n', ['bad1', 'idle HW101']],
    ['x = 1  # noqa: E501, HW101\n', ['idle HW101']],
  ],
  'that suppress nothing are told': [
    ['x = 1  # headwise: ignore\n', ['idle headwise: ignore']],
    ['x = bad1  # headwise: ignore[HW101, HW201]\n', ['idle HW201']],
    ['x = "# headwise: ignore"\ny = bad1\n', ['bad1']],
  ],
};

describe('suppressions in Python', () => {
  for (const [says, list] of Object.entries(cases)) {
    it(says, () => {
      for (const [text, expected] of list) {
        assert.deepEqual(left(text), expected, text);
        // Without the comments every finding is there.
        const plain = text.replace(/headwise|noqa/gi, 'heedwise');
        assert.deepEqual(
          left(plain),
          [...text.matchAll(/\b(?:bad|wide)\d*\b/g)].map(({ 0: word }) => word),
          plain,
        );
      }
    });
  }

  const fixed = (text: string): string => {
    const source = readPythonConfigs(parser.parse(text));
    const idle = applySuppressions(source, findingsIn(text), rules, () => true).filter(({ code }) => code === 'HW901');
    const [fix] = idle[0]?.fixes ?? [];
    assert.ok(fix?.safe, text);
    return applyEdits(text, fix.edits);
  };

  it('that suppress nothing can be removed', () => {
    assert.equal(fixed('x = 1  # noqa: E501, HW101\n'), 'x = 1  # noqa: E501\n');
    assert.equal(fixed('x = 1  # noqa: HW101\n'), 'x = 1\n');
    assert.equal(fixed('x = 1  # (B, T)  # headwise: ignore[HW101]\n'), 'x = 1  # (B, T)\n');
    assert.equal(fixed('# headwise: ignore\nx = 1\n'), 'x = 1\n');
  });

  it('can be added', () => {
    const texts = [
      'x = bad\n',
      'x = f(\n    bad,\n)\n',
      'x = """\nbad\n"""\n',
      'x = a + \\\n    bad\n',
      'def f(\n    a=bad,\n):\n    pass\n',
      'def f(x):\n    # (bad)\n    y = x\n',
      'x = bad  # (B, T)\n',
      'x = bad  # headwise: ignore[HW201]\ny = wide\n',
    ];
    for (const text of texts) {
      const source = readPythonConfigs(parser.parse(text));
      const [finding] = findingsIn(text);
      assert.ok(finding !== undefined);
      const edit = suppressionEdit(source, 'model.py', finding);
      assert.ok(edit !== undefined, text);
      const edited = applyEdits(text, [edit]);
      assert.ok(!left(edited).includes('bad'), edited);
      assert.ok(
        parser.parse(edited).units.every(({ body }) => !body.hasErrors),
        edited,
      );
    }
  });

  it('take linear time', () => {
    const text = `x = f(\n${'    bad,  # headwise: ignore[HW101]\n'.repeat(5000)})\n`;
    const start = performance.now();
    assert.deepEqual(left(text), []);
    assert.ok(performance.now() - start < 5000);
  });
});
