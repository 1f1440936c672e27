import { deepEqual, equal, ok } from 'node:assert/strict';
import {
  type ConfigObject,
  configurationClassOf,
  makeConfiguration,
  makeNamespace,
  pythonValue,
  readConfiguration,
} from '../../../src/interpreter/configs.ts';
import { classNamed } from '../../../src/interpreter/entry.ts';
import { Interpreter } from '../../../src/interpreter/interpreter.ts';
import type { ClassValue, InstanceValue, SourceFile, Value } from '../../../src/interpreter/value.ts';
import { pythonParser } from '../python/parser.ts';

/** A value as JSON would show it; unknown values as 'unknown'. */
function plain(value: Value | undefined): unknown {
  switch (value?.kind) {
    case 'int':
      return value.dim.constant;
    case 'float':
    case 'bool':
    case 'string':
      return value.value;
    case 'none':
      return null;
    case 'list':
    case 'tuple':
      return value.items.map(plain);
    case 'dict':
      return Object.fromEntries([...value.entries.values()].map(({ key, value: held }) => [plain(key), plain(held)]));
    case 'instance':
      return value.class.name;
    default:
      return 'unknown';
  }
}

interface Setting {
  readonly interpreter: Interpreter;
  readonly classNamed: (name: string) => ClassValue;
  /** The attribute as the code would read it. */
  readonly read: (of: InstanceValue, name: string) => unknown;
}

async function reading(source: string): Promise<Setting> {
  const parser = await pythonParser();
  const file: SourceFile = { path: 'm.py', name: 'm', isPackage: false, module: parser.parse(source), isPrelude: false };
  const interpreter = new Interpreter({ loader: { load: () => undefined }, parse: (text) => parser.parse(text) });
  return {
    interpreter,
    classNamed: (name) => {
      const found = classNamed(interpreter, file, name);
      ok(found, `no class ${name}`);
      return found;
    },
    read: (of, name) => plain(interpreter.guard(() => interpreter.attribute(of, name))),
  };
}

const made = ({ interpreter, classNamed: find }: Setting, name: string, values: ConfigObject): InstanceValue => {
  const instance = makeConfiguration(interpreter, find(name), values);
  ok(instance, `${name} was not built`);
  return instance;
};

const library = `
from transformers.configuration_utils import PreTrainedConfig

class InnerConfig(PreTrainedConfig):
    model_type = "inner"
    hidden_size: int = 16
    depth: int = 3

class OuterConfig(PreTrainedConfig):
    model_type = "outer"
    attribute_map = {"hidden_size": "n_embd", "num_hidden_layers": "n_layer"}
    sub_configs = {"inner_config": InnerConfig}
    n_embd: int = 64
    n_layer: int = 2
    n_head: int = 4
    rope_parameters: dict | None = None
    inner_config: dict | PreTrainedConfig | None = None

    def __post_init__(self, **kwargs):
        if self.inner_config is None:
            self.inner_config = InnerConfig()
        elif isinstance(self.inner_config, dict):
            self.inner_config = InnerConfig(**self.inner_config)
        super().__post_init__(**kwargs)

    @property
    def head_dim(self):
        return self.hidden_size // self.n_head

class PickyConfig(PreTrainedConfig):
    layers: int = 4
    chosen: int = 0

    def __post_init__(self, **kwargs):
        if self.chosen >= self.layers:
            raise ValueError("no such layer")
        super().__post_init__(**kwargs)

class OldConfig(PreTrainedConfig):
    model_type = "old"
    def __init__(self, width=8, layers=2, **kwargs):
        self.width = width
        self.layers = layers
        super().__init__(**kwargs)
`;

describe('Configurations for model code', () => {
  it('reads JSON with floats kept apart from whole numbers', () => {
    const values: ConfigObject | undefined = readConfiguration(
      '{"a": 4, "b": 4.0, "c": 1e-05, "d": "1.5", "e": [2, 2.5], "f": NaN, "g": {"h": null}}',
    );
    deepEqual<unknown>(values, {
      a: 4,
      b: { $float: 4 },
      c: { $float: 1e-5 },
      d: '1.5',
      e: [2, { $float: 2.5 }],
      f: { $float: null },
      g: { h: null },
    });
    deepEqual(
      ['a', 'b', 'd'].map((key) => pythonValue(values?.[key] ?? null).kind),
      ['int', 'float', 'string'],
    );
    equal(readConfiguration('[1, 2]'), undefined);
    equal(readConfiguration('{"a": '), undefined);
  });

  it('builds a class of transformers: defaults, aliases, nested configurations, properties', async () => {
    const setting = await reading(library);
    const config = made(setting, 'OuterConfig', { n_embd: 96, n_head: 6, inner_config: { depth: 5 }, extra: 'kept', model_type: 'outer' });
    deepEqual(
      ['n_embd', 'hidden_size', 'num_hidden_layers', 'head_dim', 'extra', 'num_labels', 'inner_config'].map((name) =>
        setting.read(config, name),
      ),
      [96, 96, 2, 16, 'kept', 2, 'InnerConfig'],
    );
    const inner = config.attributes.get('inner_config');
    ok(inner?.kind === 'instance');
    deepEqual([setting.read(inner, 'depth'), setting.read(inner, 'hidden_size')], [5, 16]);
    equal(setting.read(config, '_attn_implementation'), 'eager');
  });

  it('brings old and new ways of writing RoPE into one', async () => {
    const setting = await reading(library);
    const old = made(setting, 'OuterConfig', { rope_theta: { $float: 500_000 }, rope_scaling: { type: 'linear', factor: { $float: 2 } } });
    deepEqual(setting.read(old, 'rope_parameters'), { type: 'linear', factor: 2, rope_theta: 500_000, rope_type: 'linear' });
    const none = made(setting, 'OuterConfig', {});
    deepEqual(setting.read(none, 'rope_parameters'), { rope_theta: 10_000, rope_type: 'default' });
  });

  it('keeps values that a constructor refuses', async () => {
    const setting = await reading(library);
    const config = made(setting, 'PickyConfig', { layers: 2, chosen: 3 });
    deepEqual([setting.read(config, 'layers'), setting.read(config, 'chosen')], [2, 3]);
  });

  it('calls a constructor of the older kind', async () => {
    const setting = await reading(library);
    const config = made(setting, 'OldConfig', { width: 12, id2label: { '0': 'a', '1': 'b', '2': 'c' } });
    deepEqual([setting.read(config, 'width'), setting.read(config, 'layers'), setting.read(config, 'num_labels')], [12, 2, 3]);
  });

  it('fills a dataclass with the keys that it has', async () => {
    const setting = await reading(`
from dataclasses import dataclass, field

@dataclass
class GPTConfig:
    block_size: int = 1024
    n_embd: int = 768
    sizes: list = field(default_factory=lambda: [1, 2])
`);
    const config = made(setting, 'GPTConfig', { n_embd: 48, unrelated: 1 });
    deepEqual(
      ['block_size', 'n_embd', 'sizes'].map((name) => setting.read(config, name)),
      [1024, 48, [1, 2]],
    );
    equal(config.attributes.has('unrelated'), false);
  });

  it('makes a namespace of plain values, where what is absent stands under its name', async () => {
    const { interpreter, read } = await reading('');
    const space = makeNamespace(interpreter, 'config', { dim: 32, model: { heads: 4 } });
    equal(read(space, 'dim'), 32);
    const inner = space.attributes.get('model');
    ok(inner?.kind === 'instance');
    equal(read(inner, 'heads'), 4);
    const absent = interpreter.attribute(inner, 'depth');
    ok(absent?.kind === 'unknown');
    equal(absent.path, 'config.model.depth');
  });

  it("finds a model's class of configuration in what it declares", async () => {
    const setting = await reading(`${library}
class Base:
    config: OuterConfig

class Model(Base):
    def __init__(self, config):
        self.config = config

class Other:
    def __init__(self, args: "OldConfig"):
        self.args = args
`);
    equal(configurationClassOf(setting.interpreter, setting.classNamed('Model'))?.name, 'OuterConfig');
    equal(configurationClassOf(setting.interpreter, setting.classNamed('Other'))?.name, 'OldConfig');
  });
});
