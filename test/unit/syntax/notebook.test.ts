import assert from 'node:assert/strict';
import fc from 'fast-check';
import { joinCells, parseNotebook } from '../../../src/syntax/notebook.ts';
import type { PythonParser } from '../../../src/syntax/python/parse.ts';
import { applyEdits } from '../../../src/text/edit.ts';
import { pythonParser } from '../python/parser.ts';

let parser: PythonParser;
before(async () => {
  parser = await pythonParser();
});

const join = (...sources: readonly string[]) => joinCells(sources.map((source, index) => ({ index, source })));

/** A notebook of format 4 with sources as lists of lines, as Jupyter writes it. */
const notebook = (...cells: readonly (readonly [type: 'code' | 'markdown', source: string])[]): string =>
  `${JSON.stringify(
    {
      cells: cells.map(([type, source]) => ({
        cell_type: type,
        metadata: {},
        ...(type === 'code' ? { execution_count: null, outputs: [] } : {}),
        source: source.match(/[^\n]*\n|[^\n]+/g) ?? [],
      })),
      metadata: { kernelspec: { display_name: 'Python 3', language: 'python', name: 'python3' } },
      nbformat: 4,
      nbformat_minor: 5,
    },
    null,
    1,
  )}\n`;

/** What a cell becomes, without what parts it from the next. */
const masked = (source: string): string => join(source).text.slice(0, source.length);

describe('notebooks', () => {
  it('are one text of their code cells', () => {
    const { text, problems, isPython } = parseNotebook(
      notebook(['markdown', '# Title\n'], ['code', 'import torch\n\nx = 1'], ['markdown', 'y'], ['code', 'y = x\n']),
    );
    assert.equal(text, 'import torch\n\nx = 1\ny = x\n\n');
    assert.deepEqual(problems, []);
    assert.ok(isPython);
  });

  it('lead back to the cell', () => {
    const cells = join('import torch\n', 'x = torch.ones(2)', '', 'y = x');
    const at = cells.text.indexOf('ones');
    assert.deepEqual(cells.placeOf(at), { cell: 1, offset: 'x = torch.'.length });
    assert.equal(cells.offsetOf({ cell: 1, offset: 'x = torch.'.length }), at);
    assert.deepEqual(cells.rangeIn({ start: at, end: at + 4 }), { cell: 1, range: { start: 10, end: 14 } });
    assert.equal(cells.rangeIn({ start: at, end: cells.text.length - 1 }), undefined);
    assert.equal(cells.offsetOf({ cell: 7, offset: 0 }), undefined);
    assert.equal(cells.offsetOf({ cell: 1, offset: 100 }), undefined);
  });

  it('lead back to the file', () => {
    const source = 'name = "Größe 😀"\n\tq = \'\\n\'\nz = "\\u00e9"  # é\n';
    for (const file of [
      notebook(['markdown', 'text'], ['code', source]),
      // As one string, and with everything escaped that may be.
      `{"cells": [{"cell_type": "code", "source": ${JSON.stringify(source)}}]}`,
      `{"cells": [{"source": ["${[...Array(source.length).keys()].map((i) => `\\u${source.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"], "cell_type": "code"}]}`,
    ]) {
      const read = parseNotebook(file);
      assert.equal(read.text, `${source}\n`);
      for (let start = 0; start < source.length; start++) {
        for (const end of [start, start + 1, Math.min(source.length, start + 7)]) {
          const place = read.rangeInFile({ start, end });
          assert.ok(place !== undefined);
          // What lies there decodes to what was asked for; between lines the list's punctuation lies in it.
          const inner = file.slice(place.start, place.end).replace(/",\s*"/g, '');
          assert.equal(JSON.parse(`"${inner}"`), source.slice(start, end), `${start}-${end}`);
        }
      }
    }
  });

  it('are edited as JSON', () => {
    const file = notebook(['code', 'x = "a"\ny = x\nz = y\n']);
    const read = parseNotebook(file);
    const edited = (start: number, end: number, newText: string): string => {
      const edit = read.editOfFile({ range: { start, end }, newText });
      assert.ok(edit !== undefined);
      const result = applyEdits(file, [edit]);
      assert.ok(JSON.parse(result) !== undefined);
      return parseNotebook(result).text;
    };
    assert.equal(edited(4, 7, '"b\\n"'), 'x = "b\\n"\ny = x\nz = y\n\n');
    assert.equal(edited(8, 8, '# "é"\n'), 'x = "a"\n# "é"\ny = x\nz = y\n\n');
    // Across the strings of the list.
    assert.equal(edited(6, 14, '";'), 'x = "a";z = y\n\n');
    assert.equal(read.editOfFile({ range: { start: 0, end: read.text.length }, newText: '' }), undefined);
  });

  it('may be of format 3', () => {
    const file = '{"worksheets": [{"cells": [{"cell_type": "code", "input": ["x = 1\\n", "y = 2"]}]}], "nbformat": 3}';
    assert.equal(parseNotebook(file).text, 'x = 1\ny = 2\n');
  });

  it('may hold another language', () => {
    const file = '{"cells": [{"cell_type": "code", "source": "x <- 1"}], "metadata": {"language_info": {"name": "R"}}}';
    const { text, isPython, problems } = parseNotebook(file);
    assert.deepEqual([text, isPython, problems.length], ['', false, 0]);
  });

  it('may be broken', () => {
    for (const [file, problem] of [
      ['', 'Expected a notebook: a JSON object with cells.'],
      ['[1, 2]', 'Expected a notebook: a JSON object with cells.'],
      ['{"nbformat": 4}', 'Expected a notebook: there are no cells.'],
    ] as const) {
      assert.deepEqual(
        parseNotebook(file).problems.map(({ message }) => message),
        [problem],
        file,
      );
    }
    const cut = notebook(['code', 'x = 1\n'], ['code', 'y = 2\n']);
    for (let length = 0; length < cut.length - 2; length += 3) {
      const { problems, text } = parseNotebook(cut.slice(0, length));
      assert.ok(problems.length > 0, `${length}`);
      assert.ok('x = 1\n\ny = 2\n\n'.startsWith(text.trimEnd()), text);
    }
    for (const cells of [
      '[1, null, "x", {}]',
      '[{"cell_type": "code"}]',
      '[{"cell_type": "code", "source": 3}]',
      '[{"cell_type": "code", "source": [1, {}]}]',
    ]) {
      assert.equal(parseNotebook(`{"cells": ${cells}}`).text.trim(), '');
    }
  });

  describe("are read without what is IPython's own", () => {
    const same: readonly (readonly [source: string, masked: string])[] = [
      ['%matplotlib inline\nx = 1', '                  \nx = 1'],
      ['!pip install torch\nx = 1', '                  \nx = 1'],
      ['!pip install \\\n  torch\nx = 1', '              \n       \nx = 1'],
      ['?torch.nn\nx = 1', '         \nx = 1'],
      ['torch.nn??\nx = 1', '          \nx = 1'],
      ['%time x = f()\n', 'if 1: x = f()\n'],
      ['%timeit -n 10 f()\n', '                 \n'],
      ['if x:\n    !ls\ny = 1', 'if x:\n    0  \ny = 1'],
      ['files = !ls *.py\n', 'files = _       \n'],
      ['t = %timeit -o f()\n', 't = _             \n'],
      ['%%bash\nls\necho "$x"', '      \n  \n         '],
      ['\n%%html\n<b>(</b>\n', '\n      \n        \n'],
      ['%%time\nx = f()\n', '      \nx = f()\n'],
      ['%%capture out\r\nx = f()\r\n', '             \r\nx = f()\r\n'],
    ];
    for (const [source, expected] of same) {
      it(JSON.stringify(source), () => {
        assert.equal(masked(source), expected);
        assert.ok(parser.parse(masked(source)).units.every(({ body }) => !body.hasErrors));
      });
    }
    for (const source of [
      'x = (a\n% b)\n',
      'x = """\n!ls\n%time\n"""\n',
      'x = a \\\n% b\n',
      'x = [\n  "(",  # (\n  3,\n]\n',
      'x != y\n',
      "s = 'it\\'s'\n# don't\nx = 1\n",
      'x = a if b else c  # what?\n',
    ]) {
      it(`keep ${JSON.stringify(source)}`, () => assert.equal(masked(source), source));
    }
  });

  it('keep a cell that is half typed to itself', () => {
    for (const half of ['x = f(a,  # more', 's = """text\n', 'd = {"a": [1, (2', 'x = 1 \\', "s = 'open", 'def f(x):', 'x = f"""{a(']) {
      const cells = join('import torch\n', half, 'def g(y):\n    return y\n\nclass A:\n    pass\n');
      const kinds = parser.parse(cells.text).units.map(({ body: { statement } }) => statement.kind);
      assert.deepEqual(kinds.slice(-2), ['function', 'class'], `${half}: ${kinds}`);
    }
  });

  it('lead back from every offset, whatever the cells hold', () => {
    const source = fc.string({ unit: fc.constantFrom('a', '(', ')', '"', "'", '\n', '%', '!', ' ', '\\', '#', '?', '=', '😀') });
    fc.assert(
      fc.property(fc.array(source, { maxLength: 5 }), (sources) => {
        const cells = join(...sources);
        const file = parseNotebook(notebook(...sources.map((each) => ['code', each] as const)));
        assert.equal(file.text, cells.text);
        for (const [cell, each] of sources.entries()) {
          for (let offset = 0; offset <= each.length; offset++) {
            const at = cells.offsetOf({ cell, offset });
            assert.ok(at !== undefined);
            assert.deepEqual(cells.placeOf(at), { cell, offset });
            // Line ends are where they were.
            if (offset < each.length) assert.equal(cells.text.charAt(at) === '\n', each.charAt(offset) === '\n');
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('take linear time', () => {
    const output = JSON.stringify('A'.repeat(5_000_000));
    const cells = Array.from({ length: 2000 }, () => '{"cell_type": "code", "source": ["x = 1\\n", "(\\n"]}').join(',');
    const file = `{"cells": [{"cell_type": "code", "outputs": [${output}], "source": "y = 1"}, ${cells}]}`;
    const start = performance.now();
    const { text } = parseNotebook(file);
    assert.ok(text.startsWith('y = 1\nx = 1\n(\n'));
    parseNotebook(`{"cells": ${'['.repeat(200_000)}`);
    assert.ok(performance.now() - start < 5000, `${performance.now() - start} ms`);
  });
});
