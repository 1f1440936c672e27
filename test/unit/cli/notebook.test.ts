import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildCli, folder, headwise, type Ran } from './cli.ts';

const gate = `class Gate(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.proj = nn.Linear(width, inner)
        self.back = nn.Linear(inner + 1, width)

    def forward(self, x):
        h = self.proj(x)
        return self.back(h)`;

/** As Jupyter writes it: a list of lines for each cell. */
function notebook(...cells: readonly (readonly ['code' | 'markdown', string])[]): string {
  const written = cells.map(([type, source]) => ({
    cell_type: type,
    ...(type === 'code' ? { execution_count: null, outputs: [] } : {}),
    metadata: {},
    source: source.split(/(?<=\n)/),
  }));
  const metadata = { kernelspec: { display_name: 'Python 3', language: 'python', name: 'python3' }, language_info: { name: 'python' } };
  return `${JSON.stringify({ cells: written, metadata, nbformat: 4, nbformat_minor: 5 }, undefined, 1)}\n`;
}

const head = ['code', '%matplotlib inline\nimport torch.nn as nn'] as const;
const made = notebook(['markdown', '# "A" title'], head, ['code', gate]);

interface Finding {
  readonly file: string;
  readonly cell?: number;
  readonly line: number;
  readonly column: number;
  readonly code: string;
  readonly related: readonly { readonly file: string; readonly cell?: number; readonly line: number }[];
}

describe('headwise check on notebooks', function () {
  this.timeout(40_000);
  let remove: (() => void)[] = [];
  before(buildCli);
  afterEach(() => {
    for (const each of remove) each();
    remove = [];
  });
  const make = (files: Readonly<Record<string, string>>): string => {
    const { path, remove: gone } = folder(files);
    remove.push(gone);
    return path;
  };
  const run = (cwd: string, ...args: string[]): Promise<Ran> => headwise({ cwd }, 'check', ...args);

  it('finds them in folders, and prints the cell and the line in it', async () => {
    const cwd = make({ 'deep/train.ipynb': made });
    const text = await run(cwd);
    // Cells are counted from 1, those of text too.
    match(text.stdout, /^deep\/train\.ipynb:cell 3:5:21: HW211 error: /);
    match(text.stdout, /\n5 \|\s+self\.back = nn\.Linear\(inner \+ 1, width\)\n/);
    equal(text.status, 1);
    const { findings } = JSON.parse((await run(cwd, '--format', 'json')).stdout) as { readonly findings: readonly Finding[] };
    deepEqual(
      findings.map(({ file, cell, line, column, code }) => [file, cell, line, column, code]),
      [['deep/train.ipynb', 3, 5, 21, 'HW211']],
    );
    ok(findings[0]?.related.every(({ file, cell }) => file === 'deep/train.ipynb' && cell === 3));
  });

  it('prints lines of the file itself where a tool shows the file', async () => {
    const cwd = make({ 'train.ipynb': made });
    const line = made.split('\n').findIndex((each) => each.includes('inner + 1')) + 1;
    match((await run(cwd, '--format', 'github')).stdout, new RegExp(`^::error file=train\\.ipynb,line=${line},endLine=${line},`));
    const sarif = JSON.parse((await run(cwd, '--format', 'sarif')).stdout) as {
      readonly runs: readonly {
        readonly results: readonly {
          readonly locations: readonly { readonly physicalLocation: { readonly region: { readonly startLine: number } } }[];
        }[];
      }[];
    };
    deepEqual(
      sarif.runs[0]?.results.map(({ locations }) => locations[0]?.physicalLocation.region.startLine),
      [line],
    );
  });

  it('suppresses by comments in cells, and mends the file in place', async () => {
    const silent = gate.replace('width)\n\n', 'width)  # headwise: ignore[HW211]\n\n');
    const idle = silent.replace('inner + 1', 'inner');
    const cwd = make({ 'silent.ipynb': notebook(head, ['code', silent]), 'idle.ipynb': notebook(head, ['code', idle]) });
    equal((await run(cwd, 'silent.ipynb')).status, 0);
    match((await run(cwd, 'idle.ipynb')).stdout, /^idle\.ipynb:cell 2:5:\d+: HW901 warning/);
    await run(cwd, 'idle.ipynb', '--fix');
    equal(readFileSync(join(cwd, 'idle.ipynb'), 'utf8'), notebook(head, ['code', gate.replace('inner + 1', 'inner')]));
  });

  it('keeps a baseline of them', async () => {
    const cwd = make({ 'train.ipynb': made });
    await run(cwd, '--write-baseline');
    equal((await run(cwd, '--baseline', 'headwise-baseline.json')).status, 0);
  });

  it('says nothing of notebooks in other languages, and names what is none', async () => {
    const cwd = make({
      'r.ipynb': made.replace('"name": "python"', '"name": "R"'),
      'broken.ipynb': '{"cells": 7',
      'half.ipynb': made.slice(0, made.indexOf('forward')),
    });
    equal((await run(cwd, 'r.ipynb')).status, 0);
    const broken = await run(cwd, 'broken.ipynb');
    equal(broken.status, 2);
    match(broken.stderr, /broken\.ipynb was not read\. It is no notebook\./);
    equal((await run(cwd, 'half.ipynb')).status, 0);
  });
});
