import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { evaluateModel, type ModelAnswer } from '../../../../src/workspace/code/model.ts';
import { folderLoader } from '../../../../src/workspace/code/node.ts';
import { pythonParser } from '../../python/parser.ts';

/** Files of a scratch folder, by path. */
async function withFiles<Result>(files: Readonly<Record<string, string>>, work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'headwise-code-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const blocks = `
import torch.nn as nn

class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.up = nn.Linear(config.n_embd, 4 * config.n_embd)
        self.down = nn.Linear(4 * config.n_embd, config.n_embd, bias=False)

    def forward(self, x):
        h = self.up(x)
        h = self.down(
            h,
        )
        return x + h
`;

const model = `
from dataclasses import dataclass
import torch
import torch.nn as nn
from .blocks import Block

@dataclass
class Config:
    vocab_size: int = 50
    n_embd: int = 8
    n_layer: int = 2

class Model(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.h = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, idx, targets=None):
        x = self.wte(idx)
        for block in self.h:
            x = block(x)
        x += 1
        logits = self.head(x)
        return logits
`;

const evaluate = (
  files: Readonly<Record<string, string>>,
  path: string,
  className: string,
  config: Record<string, number>,
): Promise<ModelAnswer> =>
  withFiles(files, async (folder) => {
    const parser = await pythonParser();
    const parse = (text: string) => parser.parse(text);
    const loader = folderLoader(parse, new Map());
    const file = loader.open(join(folder, path));
    ok(file);
    const answer = evaluateModel({ loader, parse, file, className, config, inputs: { batch: 3, sequence: 5 } });
    const place = (name: string): string => name.slice(folder.length + 1).replaceAll('\\', '/');
    return { ...answer, variables: answer.variables.map((each) => ({ ...each, file: place(each.file) })) };
  });

describe('Whole models from source', () => {
  const files = { 'pkg/__init__.py': '', 'pkg/blocks.py': blocks, 'pkg/model.py': model };

  it('lists every parameter under every name that it has', async () => {
    const { parameters, unknown, problem } = await evaluate(files, 'pkg/model.py', 'Model', { n_embd: 16, n_layer: 3 });
    equal(problem, undefined);
    deepEqual(unknown, []);
    const block = (i: number): [string, number[]][] => [
      [`h.${i}.up.weight`, [64, 16]],
      [`h.${i}.up.bias`, [64]],
      [`h.${i}.down.weight`, [16, 64]],
    ];
    deepEqual(
      parameters.map(({ name, shape }) => [name, shape]),
      [['wte.weight', [50, 16]], ...block(0), ...block(1), ...block(2), ['head.weight', [50, 16]]],
    );
  });

  it('says which tensors the names of a forward pass held, and where', async () => {
    const { variables } = await evaluate(files, 'pkg/model.py', 'Model', {});
    const seen = new Set(
      variables.map(({ file, function: where, line, lastLine, name, shape }) =>
        [file, where, `${line}-${lastLine}`, name, shape?.join('x')].join(' '),
      ),
    );
    deepEqual(
      [...seen],
      [
        'pkg/model.py Model.forward 21-21 idx 3x5',
        'pkg/model.py Model.forward 22-22 x 3x5x8',
        'pkg/blocks.py Block.forward 10-10 x 3x5x8',
        'pkg/blocks.py Block.forward 11-11 h 3x5x32',
        'pkg/blocks.py Block.forward 12-14 h 3x5x8',
        'pkg/model.py Model.forward 24-24 x 3x5x8',
        'pkg/model.py Model.forward 26-26 logits 3x5x50',
      ],
    );
  });

  it('answers with a reason where a class cannot be built', async () => {
    equal((await evaluate(files, 'pkg/model.py', 'Missing', {})).problem, 'there is no class Missing');
  });

  it('reads a modeling file that was taken out of the library as if it were still there', async () => {
    const lone = `
from torch import nn
from ...activations import ACT2FN
from ...modeling_utils import PreTrainedModel
from ...configuration_utils import PreTrainedConfig

class TinyConfig(PreTrainedConfig):
    width: int = 6
    act: str = "gelu"

class TinyModel(PreTrainedModel):
    config: TinyConfig

    def __init__(self, config):
        super().__init__(config)
        self.fc = nn.Linear(config.width, 2 * config.width)
        self.act = ACT2FN[config.act]
        self.post_init()
`;
    const { parameters } = await evaluate({ 'tiny/modeling_tiny.py': lone }, 'tiny/modeling_tiny.py', 'TinyModel', { width: 10 });
    deepEqual(
      parameters.map(({ name, shape }) => [name, shape]),
      [
        ['fc.weight', [20, 10]],
        ['fc.bias', [20]],
      ],
    );
  });

  it('reads of modules that give all their names only those that have the one that is looked for', async () => {
    const wanted = 'import torch.nn as nn\nclass Wanted(nn.Linear):\n    pass\n';
    const tree = {
      'pkg/__init__.py': 'from .other import *\nfrom .sub import *\nfrom .last import *\n',
      'pkg/other.py': 'class Other:\n    pass\n',
      'pkg/sub/__init__.py': 'from .passing import *\n',
      'pkg/sub/passing.py': 'from .deep import *\n',
      'pkg/sub/deep.py': wanted,
      'pkg/last.py': 'Last = 1\n',
      'pkg/model.py':
        'import torch.nn as nn\nfrom pkg import Wanted\nclass Model(nn.Module):\n    def __init__(self, config):\n        super().__init__()\n        self.w = Wanted(2, config.n)\n',
    };
    await withFiles(tree, async (folder) => {
      const parser = await pythonParser();
      const parsed: string[] = [];
      const parse = (text: string) => {
        parsed.push(text);
        return parser.parse(text);
      };
      const loader = folderLoader(parse, new Map());
      const file = loader.open(join(folder, 'pkg', 'model.py'));
      ok(file);
      const { parameters } = evaluateModel({ loader, parse: (text) => parser.parse(text), file, className: 'Model', config: { n: 3 } });
      deepEqual(
        parameters.map(({ name, shape }) => [name, shape]),
        [
          ['w.weight', [3, 2]],
          ['w.bias', [3]],
        ],
      );
      deepEqual(
        Object.entries(tree)
          .filter(([, text]) => parsed.includes(text))
          .map(([path]) => path),
        ['pkg/__init__.py', 'pkg/sub/__init__.py', 'pkg/sub/passing.py', 'pkg/sub/deep.py', 'pkg/model.py'],
      );
    });
  });

  it('finds modules by the packages around a file and nothing else', async () => {
    await withFiles({ 'pkg/__init__.py': '', 'pkg/sub/__init__.py': 'x = 1\n', 'pkg/sub/a.py': 'y = 2\n' }, async (folder) => {
      const parser = await pythonParser();
      const loader = folderLoader((text) => parser.parse(text), new Map());
      const file = loader.open(join(folder, 'pkg', 'sub', 'a.py'));
      equal(file?.name, 'pkg.sub.a');
      const found = loader.load('pkg.sub');
      equal(found?.isPackage, true);
      equal(loader.load('pkg.sub'), found);
      equal(loader.load('pkg.sub.a'), file);
      equal(loader.load('pkg.absent'), undefined);
      equal(loader.load('..'), undefined);
    });
  });
});
