import { strict as assert } from 'node:assert';
import { formatShape } from '../../../../src/dims/shape.ts';
import { Interpreter } from '../../../../src/interpreter/interpreter.ts';
import { parametersOf } from '../../../../src/interpreter/modules.ts';
import type { Failure } from '../../../../src/interpreter/recording.ts';
import type { SourceFile, Value } from '../../../../src/interpreter/value.ts';
import type { PythonParser } from '../../../../src/syntax/python/parse.ts';
import { pythonParser } from '../../python/parser.ts';

const imports = 'import copy, math, torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n';

describe('model code over the described libraries', () => {
  let parser: PythonParser;
  before(async () => {
    parser = await pythonParser();
  });

  /** Evaluates `run(*parameters)`, its parameters being names of which only that is known. */
  function evaluate(
    source: string,
    assumesShapes = false,
  ): {
    readonly value: Value;
    readonly problems: readonly string[];
    readonly parameters: Readonly<Record<string, string>>;
  } {
    const parse = (text: string): SourceFile['module'] => parser.parse(text);
    const file: SourceFile = { path: 'm.py', name: 'm', isPackage: false, module: parse(imports + source), isPrelude: false };
    const failures: Failure[] = [];
    const interpreter = new Interpreter({
      loader: { load: () => undefined },
      parse,
      recorder: { failure: (failure) => failures.push(failure) },
      assumesShapes,
    });
    const run = interpreter.names.global(interpreter.names.globalsOf(file), 'run');
    assert.equal(run?.kind, 'function');
    const names = run.definition.parameters.map(({ name }) => name?.name ?? '');
    const value = interpreter.call(
      run,
      names.map((name) => ({ kind: 'unknown', reason: name, path: name, scope: 'run' })),
    );
    const module = interpreter.isModule(value) ? value : undefined;
    const listed = module === undefined ? [] : parametersOf(interpreter, module).parameters;
    return {
      value,
      problems: failures.map(({ problem }) => problem.message),
      parameters: Object.fromEntries(listed.map(({ name, tensor }) => [name, formatShape(tensor.shape)])),
    };
  }

  const shape = (source: string, assumesShapes = false): string => {
    const { value, problems } = evaluate(source, assumesShapes);
    assert.deepEqual(problems, []);
    return value.kind === 'tensor' ? formatShape(value.shape) : value.kind;
  };

  it('names sizes anew each time a line reads them', () => {
    const source = `
class Down(nn.Module):
    def __init__(self, side):
        super().__init__()
        self.side = side

    def forward(self, x):
        B, N, C = x.shape
        return x.view(B, self.side, self.side, C)

def run():
    a = Down(4)(F.relu(torch.load('a')))
    return Down(2)(F.relu(torch.load('b')))
`;
    assert.equal(shape(source), '(B, 2, 2, C)');
  });

  it('calls the setter of a property', () => {
    const source = `
class Model(nn.Module):
    def __init__(self, length):
        super().__init__()
        self.length = length

    @property
    def length(self):
        return self._length

    @length.setter
    def length(self, value):
        self._length = value
        self.register_buffer('cos', torch.zeros(value, 8))

def run():
    model = Model(4)
    model.length = 6
    return model.cos + torch.zeros(model.length, 1)
`;
    assert.equal(shape(source), '(6, 8)');
  });

  it('takes members of an enumeration for their values', () => {
    const source = `
import enum

class Format(str, enum.Enum):
    WIDE = 'wide'
    NARROW = 'narrow'

def run():
    chosen = Format('narrow')
    return torch.zeros(3 if chosen == Format.NARROW else 4, 5 if Format.WIDE == 'wide' else 6)
`;
    assert.equal(shape(source), '(3, 5)');
  });

  it('looks into classes that derive from dict', () => {
    const source = `
class Settings(dict):
    def __getattr__(self, name):
        return self[name]

    def __setattr__(self, name, value):
        self[name] = value

def run():
    settings = Settings(width=8, heads=2)
    settings.depth = 3
    settings.update(heads=4)
    return torch.zeros(settings.width, settings['heads'], settings.depth, len(settings), *[1 for key in settings if key == 'depth'])
`;
    assert.equal(shape(source), '(8, 4, 3, 3, 1)');
  });

  it('lists modules that differ between branches but hold nothing', () => {
    const source = `
class Block(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.drop = nn.Dropout(rate) if rate > 0 else nn.Identity()
        self.proj = nn.Linear(4, 6)

def run(rate):
    return Block(rate)
`;
    assert.deepEqual(evaluate(source).parameters, { 'proj.weight': '(6, 4)', 'proj.bias': '(6,)' });
  });

  it('keeps widths that a factor makes whole', () => {
    const source = `
class Block(nn.Module):
    def __init__(self, width, heads, layers):
        super().__init__()
        hidden = int(width * 4.0)
        self.head_dim = int(width / heads)
        self.layers = nn.ModuleList([nn.Linear(width, hidden) for _ in range(layers)])
        self.out = nn.Sequential(nn.Linear(hidden, width, bias=False), nn.LayerNorm(width))
        self.scale = nn.Parameter(torch.ones(heads, self.head_dim))

def run(width, heads, layers):
    return Block(width, heads, layers)
`;
    assert.deepEqual(evaluate(source).parameters, {
      'layers.{i}.weight': '(4 * width, width)',
      'layers.{i}.bias': '(4 * width,)',
      'out.0.weight': '(width, 4 * width)',
      'out.1.weight': '(width,)',
      'out.1.bias': '(width,)',
      scale: '(heads, width // heads)',
    });
  });

  it('copies modules with parameters of their own', () => {
    const source = `
def run():
    first = nn.Linear(2, 3)
    both = nn.ModuleList([copy.deepcopy(first), first, first])
    both[0].bias = None
    return both
`;
    assert.deepEqual(Object.keys(evaluate(source).parameters), ['0.weight', '1.weight', '1.bias', '2.weight', '2.bias']);
  });

  it('unpacks named tuples', () => {
    const source = `
from typing import NamedTuple

class Cache(NamedTuple):
    keys: torch.Tensor
    values: torch.Tensor

    @staticmethod
    def of(width):
        return Cache(torch.zeros(2, width), values=torch.zeros(3, width))

def run():
    cache = Cache.of(4)
    keys, values = cache
    return torch.cat([keys, cache.values, values[:1], cache[0]])
`;
    assert.equal(shape(source), '(8, 4)');
  });

  it('keeps what a module binds when a branch that asked for it is taken back', () => {
    const source = `
WIDTH = 4

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(WIDTH, WIDTH)

def build():
    return Block()

def run(flag):
    if flag:
        build()
        raise ValueError('no')
    else:
        return build()
`;
    assert.deepEqual(evaluate(source).parameters, { 'proj.weight': '(4, 4)', 'proj.bias': '(4,)' });
  });

  it('keeps what a branch made that returns early', () => {
    const source = `
class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.proj = nn.Linear(width, width, bias=False)
        self.sizes = [width]

def make(kind, width):
    if kind == 'block':
        return Block(width)
    elif kind == 'other':
        raise ValueError(kind)
    if kind == 'wide':
        return Block(2 * width)
    raise ValueError(kind)

def one(kind):
    if kind == 'block':
        return Block(5)
    raise ValueError(kind)

def run(kind):
    block = one(kind)
    block.many = nn.ModuleList([make('block', 3), make('wide', 3)])
    return block
`;
    assert.deepEqual(evaluate(source).parameters, {
      'proj.weight': '(5, 5)',
      'many.0.proj.weight': '(3, 3)',
      'many.1.proj.weight': '(6, 6)',
    });
  });

  it('lets a base see the classes that derive from it', () => {
    const source = `
from dataclasses import dataclass, fields, replace

class Configurable:
    @dataclass
    class Config:
        def build(self):
            return self._owner(replace(self))

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if 'Config' in cls.__dict__:
            cls.Config._owner = cls

class Proj(nn.Module, Configurable):
    @dataclass
    class Config(Configurable.Config):
        width: int
        count: int = 3

    def __init__(self, config):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(config.width, config.count, len(fields(config)), len(fields(Proj.Config))))

def run():
    return Proj.Config(width=5).build()
`;
    assert.deepEqual(evaluate(source).parameters, { weight: '(5, 3, 2, 2)' });
  });

  it('sees attributes that are set through __dict__', () => {
    const source = `
from types import SimpleNamespace

class Config:
    def __init__(self):
        self.width = 768
        self.heads = 12

    @classmethod
    def of(cls, values):
        config = cls()
        for key, value in values.items():
            config.__dict__[key] = value
        return config

class Copy:
    def __init__(self, other):
        self.__dict__ = other

def run():
    config = Config.of({'width': 32, 'depth': 2})
    other = Copy(vars(config))
    space = SimpleNamespace(a=3, **config.__dict__)
    return torch.zeros(config.width, config.heads, config.depth, other.width, space.depth, len(vars(space)))
`;
    assert.equal(shape(source), '(32, 12, 2, 32, 2, 4)');
  });

  it('does not rely on settings that may have been replaced', () => {
    const source = `
class Config:
    def __init__(self, width, **kwargs):
        self.width = width
        self.heads = 12
        for key, value in kwargs.items():
            setattr(self, key, value)

def run(options):
    entries = {'a': 1}
    entries[options.name] = 2
    config = Config(5, **options)
    plain = Config(4, heads=3)
    return torch.zeros(config.heads if config.heads else 1, entries['a'], plain.heads, plain.width)
`;
    // The entry is the one that was there, or what the unknown name puts in its place.
    assert.equal(shape(source), '(?, (1 or 2), 3, 4)');
  });

  it('takes a named argument of a layer for a tensor', () => {
    const source = `
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(10, 4)
        self.places = nn.Embedding(8, 4)

    def forward(self, ids):
        batch, length = ids.shape
        return self.tokens(ids) + self.places(torch.arange(length))

def run(ids):
    return Model()(ids)
`;
    assert.equal(shape(source), '(..., ?, 4)');
  });

  it('reads a tensor that is a default as one that may be given, when linting', () => {
    const source = `
def attend(x, cache=torch.zeros((0, 0, 0, 0))):
    if cache.size(0) > 0:
        x = torch.cat([x, cache], dim=1)
    return x.sum() + cache[0, 0, 0, 0]

def run():
    return torch.zeros(3) * attend(torch.zeros(2, 3)).reshape(1)
`;
    assert.equal(shape(source, true), '(3,)');
    assert.equal(evaluate(source).problems.length, 1);
  });
});
