import { deepEqual, equal } from 'node:assert/strict';
import { studyFile } from '../../../../src/interpreter/student.ts';
import { type FolderLoader, mayBind, sourceLoader, sourceLoaders } from '../../../../src/workspace/code/loader.ts';
import { pythonParser } from '../../python/parser.ts';

/** Texts of a module that another takes all names of, and whether `name` is among them then, by the language's rules for binding. */
const bound: readonly (readonly [text: string, is: boolean])[] = [
  ['def name(x):\n    return x\n', true],
  ['async def name(x):\n    return x\n', true],
  ['class name:\n    pass\n', true],
  ['name = 1\n', true],
  ['a = name = 1\n', true],
  ['a, (b, *name) = 1, (2, 3)\n', true],
  ['name: int = 1\n', true],
  ['if True: name = 1\n', true],
  ['a = 1; name = 2\n', true],
  ['import name\n', true],
  ['import numbers as name\n', true],
  ['from os import path as a, sep as name\n', true],
  ['from os import (\n    path as a,\n    sep as name,\n)\n', true],
  ['from m import (\n    a, name\n)\n', true],
  ['from m import a, \\\n    name\n', true],
  ['for a, name in [(1, 2)]:\n    pass\n', true],
  ['with open(__file__) as name:\n    pass\n', true],
  ['try:\n    name = 1\nexcept ValueError:\n    pass\n', true],
  ['if (name := 1):\n    pass\n', true],
  ['def f():\n    global name\n    name = 1\nf()\n', true],
  ['x = name_of = rename = 1\n', false],
  ['a = dict()\nb = a.get(name(1))\n', false],
  ['# name = 1\n', false],
  ['"""The name of it, as a name: it is given."""\n', false],
  ['import os\nos.name\n', false],
  ['a = [b for b in name.values()]\n', false],
];

describe('where names come from that a file takes all at once', () => {
  let read: (files: Readonly<Record<string, string>>) => FolderLoader & { readonly loaded: readonly string[] };
  let parse: Awaited<ReturnType<typeof pythonParser>>['parse'];
  before(async () => {
    const parser = await pythonParser();
    parse = (text) => parser.parse(text);
    read = (files) => {
      const loaded: string[] = [];
      const has = (path: string): boolean => Object.keys(files).some((file) => file === path || file.startsWith(`${path}/`));
      const loader = sourceLoader(
        { text: (path) => files[path], has, isTop: () => false },
        parser.parse.bind(parser),
        new Map([['', '/r']]),
      );
      const load = (name: string): ReturnType<FolderLoader['load']> => {
        const file = loader.load(name);
        if (file !== undefined && !loaded.includes(name)) loaded.push(name);
        return file;
      };
      return { ...loader, load, loaded };
    };
  });

  for (const [text, is] of bound) {
    it(`${is ? 'finds that' : 'sees no name in'} ${JSON.stringify(text)}${is ? ' binds it' : ''}`, () => equal(mayBind(text, 'name'), is));
  }

  it('takes names that begin with an underscore only where they are listed', () => {
    equal(mayBind('_name = 1\n', '_name'), false);
    equal(mayBind('_name = 1\n__all__ = ["_name"]\n', '_name'), true);
  });

  it('says no for a package by the texts of what it takes its names from, be they circular', () => {
    const loader = read({
      '/r/p/__init__.py': 'from .a import *\nfrom .b import *\n',
      '/r/p/a.py': 'from . import *\nfrom p.b import (\n    *\n)\ndef one(): pass\n',
      '/r/p/b.py': 'two = 1\n',
      '/r/p/c.py': '',
      '/r/q.py': 'from elsewhere import *\n',
    });
    const asked = ['one', 'two', 'three', 'c'].map((name) => loader.mentions?.('p', name));
    deepEqual(asked, [true, true, false, true]);
    // What is not here may hold anything.
    equal(loader.mentions?.('q', 'three'), true);
    deepEqual(loader.loaded, []);
  });

  it('finds packages without an __init__.py above the folder of a file, and none beside installed ones', () => {
    const texts: Record<string, string> = {
      '/r/app/nets/attention.py': 'from ..tools.shapes import split\n',
      '/r/app/nets/block.py': 'from app.nets.attention import A\n',
      '/r/app/tools/shapes.py': 'def split(x): return x\n',
      '/r/common/math.py': 'half = 2\n',
      '/lib/site-packages/app/nets/block.py': '',
      '/lib/site-packages/common/math.py': '',
    };
    const files = {
      text: (path: string) => texts[path],
      has: (path: string) => Object.keys(texts).some((file) => file === path || file.startsWith(`${path}/`)),
      isTop: () => false,
    };
    const paths = (of: string, names: readonly string[]): readonly (string | undefined)[] => {
      const loader = sourceLoader(files, parse, new Map());
      loader.nameOf(of);
      return names.map((name) => loader.load(name)?.path);
    };
    deepEqual(paths('/r/app/nets/block.py', ['app.nets.attention', 'app.tools.shapes', 'common.math', 'numpy.linalg', 'common']), [
      '/r/app/nets/attention.py',
      '/r/app/tools/shapes.py',
      '/r/common/math.py',
      undefined,
      undefined,
    ]);
    // Python names a module in such folders by the dots that it goes up.
    const relative = sourceLoader(files, parse, new Map());
    equal(relative.nameOf('/r/app/nets/attention.py'), 'nets.attention');
    equal(relative.load('tools.shapes')?.path, '/r/app/tools/shapes.py');
    deepEqual(paths('/lib/site-packages/app/nets/block.py', ['common.math']), [undefined]);
  });

  it('reads from a block for type checkers only what is asked for', () => {
    const root = `from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from .many import *
    from .other import Other
    from .base import Base as Shown
else:
    import sys
    table = [set(key) for key in range(10 ** 9)]
`;
    const model = `import torch.nn as nn
from lib import Shown

class Model(Shown):
    def __init__(self, width: int):
        super().__init__()
        self.up = nn.Linear(width, 4 * width)

    def forward(self, x):
        return self.up(x)
`;
    const loader = read({
      '/r/lib/__init__.py': root,
      '/r/lib/many.py': 'x = 1\n',
      '/r/lib/other.py': 'class Other: pass\n',
      '/r/lib/base.py': 'import torch.nn as nn\nclass Base(nn.Module):\n    pass\n',
    });
    const file = { path: '/r/model.py', name: 'model', isPackage: false, module: parse(model), isPrelude: false };
    const { studies } = studyFile(file, { loader, parse });
    deepEqual(
      studies.map(({ class: of }) => of.mro.map(({ qualifiedName }) => qualifiedName)),
      [['model.Model', 'lib.base.Base', 'torch.nn.Module']],
    );
    deepEqual(loader.loaded, ['lib', 'lib.base']);
  });
});

describe('where modules are looked for that do not lie beside the file', () => {
  let parse: Awaited<ReturnType<typeof pythonParser>>['parse'];
  before(async () => {
    const parser = await pythonParser();
    parse = (text) => parser.parse(text);
  });
  /** The path of the module that `/home/project/run/layers/block.py` gets. */
  const found = (name: string, files: readonly string[], top?: string): string | undefined => {
    const all = ['/home/project/run/layers/block.py', ...files];
    const has = (path: string): boolean => all.some((file) => file === path || file.startsWith(`${path}/`));
    const text = (path: string): string | undefined => (all.includes(path) ? 'size = 1\n' : undefined);
    const loaders = sourceLoaders({ text, has, isTop: (folder) => folder === top }, parse);
    return loaders.of('/home/project/run/layers/block.py').load(name)?.path;
  };

  it('looks in the folders around it, nearest first', () => {
    const beside = '/home/project/run/layers/parts.py';
    equal(found('layers.parts', [beside]), beside);
    equal(found('common.masks', ['/home/project/common/masks.py']), '/home/project/common/masks.py');
    const both = ['/home/project/common/masks.py', '/home/project/run/common/masks.py'];
    equal(found('common.masks', both, '/home/project'), '/home/project/run/common/masks.py');
  });

  it('looks nowhere outside of the repository, nor far away', () => {
    equal(found('common.masks', ['/home/common/masks.py'], '/home/project'), undefined);
    equal(found('common.masks', ['/home/project/src/common/masks.py'], '/home/project'), '/home/project/src/common/masks.py');
    equal(found('common.masks', ['/common/masks.py']), undefined);
  });
});
