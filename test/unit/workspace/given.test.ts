import { deepEqual, equal, match } from 'node:assert/strict';
import { blockLenses, codeHints } from '../../../src/features/code.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { type PythonReader, pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../python/parser.ts';

let python: PythonReader;
before(async () => {
  python = pythonReader(await pythonParser());
});

const study = (text: string, config?: unknown) =>
  analyse(
    {
      text,
      path: 'model.py',
      python,
      ...(config === undefined ? {} : { values: () => ({ uri: 'config.json', text: JSON.stringify(config) }) }),
    },
    defaultSettings,
  );

/** `q (B, 12, T, 64)` for each assigned tensor of that name. */
const shapes = (text: string, name: string, config?: unknown): string[] => {
  const analysis = study(text, config);
  return codeHints(analysis)
    .map(({ offset, label }) => `${/[\w.]+$/.exec(text.slice(0, offset))?.[0]}${label}`)
    .filter((hint) => hint.startsWith(`${name}:`));
};

const attention = (head = '', inside = ''): string => `import torch.nn as nn
${head}
class Attention(nn.Module):${inside}
    def __init__(self, dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.proj = nn.Linear(dim, 3 * dim)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.proj(x).chunk(3, dim=-1)
        q = q.view(B, T, self.num_heads, C // self.num_heads)
        return q
`;

const configured = (use: string, annotation = '', more = ''): string => `import torch.nn as nn
${more}
class MLP(nn.Module):
    def __init__(self, config${annotation}):
        super().__init__()
        self.up = nn.Linear(config.hidden_size, config.intermediate_size)
        self.down = nn.Linear(${use}, config.hidden_size)

    def forward(self, x):
        h = self.up(x)
        return self.down(h)
`;

describe('numbers that are given to model code', () => {
  describe('by comments', () => {
    it('are those of the file, or of a class, by the names of the code', () => {
      deepEqual(shapes(attention(), 'q').slice(-1), ['q: (B, T, num_heads, dim // num_heads)']);
      for (const text of [
        attention('# headwise: dim=768 num_heads=12'),
        attention('', '  # headwise: dim=768, num_heads=12'),
        attention('', '\n    # headwise: dim=768 num_heads=12'),
        attention('# headwise: width=768 heads=12'),
        attention('# headwise: dim=1024 num_heads=4\n', '  # headwise: dim=768 num_heads=12'),
      ])
        deepEqual(shapes(text, 'q').slice(-1), ['q: (B, T, 12, 64)'], text);
    });

    it('bind only what they name', () => {
      deepEqual(shapes(attention('# headwise: num_heads=12'), 'q').slice(-1), ['q: (B, T, 12, dim // 12)']);
      // Something is called like this, and it is not the number of heads.
      const named = `${attention('# headwise: heads=12')}\nheads = 3\n`;
      deepEqual(shapes(named, 'q').slice(-1), ['q: (B, T, num_heads, dim // num_heads)']);
    });

    it('are checked', () => {
      const wrong = attention('# headwise: dim=768 num_heads=12').replace('C // self.num_heads', '72');
      const [finding] = study(wrong).findings;
      equal(finding?.code, 'HW222');
      equal(finding?.severity, 'warning');
      deepEqual(study(attention('# headwise: dim=768 num_heads=12')).findings, []);
    });

    it('reach the fields of a config', () => {
      const text = configured('config.intermediate_size', '', '# headwise: hidden_size=64 config.intermediate_size=256');
      deepEqual(shapes(text, 'h'), ['h: (B, T, 256)']);
    });
  });

  describe('by a configuration', () => {
    const config = { model_type: 'llama', hidden_size: 64, intermediate_size: 172, vocab_size: 320 };

    it('are those of its keys', () => {
      deepEqual(shapes(configured('config.intermediate_size'), 'h', config), ['h: (B, T, 172)']);
      match(blockLenses(study(configured('config.intermediate_size'), config))[0]?.title ?? '', /22\.\dk parameters/i);
    });

    it('win over the defaults of the class, which hold for what it leaves out', () => {
      const fields = `from dataclasses import dataclass

@dataclass
class ModelArgs:
    hidden_size: int = 32
    intermediate_size: int = 96
`;
      const text = configured('config.intermediate_size', ': ModelArgs', fields);
      deepEqual(shapes(text, 'h'), ['h: (B, T, 96)']);
      deepEqual(shapes(text, 'h', config), ['h: (B, T, 172)']);
      deepEqual(shapes(text, 'h', { hidden_size: 64 }), ['h: (B, T, 96)']);
    });

    it('are checked, and only where they are the numbers of the code', () => {
      // What its name tells nothing of may be any size, the right one too.
      const half = configured('config.inner');
      deepEqual(study(half).findings, []);
      const [finding] = study(half, { ...config, inner: 86 }).findings;
      equal(finding?.code, 'HW211');
      equal(finding?.severity, 'warning');
      deepEqual(study(half, { ...config, inner: 172 }).findings, []);
    });

    it('come from the part of the model that the class is of', () => {
      const parts = { model_type: 'clip', text_config: { hidden_size: 512 }, vision_config: { hidden_size: 768 } };
      const of = (name: string): string => `import torch.nn as nn

class ${name}(PretrainedConfig):
    hidden_size: int = 32

class MLP(nn.Module):
    def __init__(self, config: ${name}):
        super().__init__()
        self.up = nn.Linear(10, config.hidden_size)

    def forward(self, x):
        h = self.up(x)
        return h
`;
      deepEqual(shapes(of('CLIPVisionConfig'), 'h', parts), ['h: (B, T, 768)']);
      deepEqual(shapes(of('CLIPTextConfig'), 'h', parts), ['h: (B, T, 512)']);
      // Of this part the file says nothing.
      deepEqual(shapes(of('CLIPVisionConfig'), 'h', { hidden_size: 512 }), ['h: (B, T, 32)']);
    });

    it('say nothing of parameters of a class that it does not name', () => {
      const values = { dim: 768, num_heads: 12 };
      deepEqual(shapes(attention(), 'q', values).slice(-1), ['q: (B, T, num_heads, dim // num_heads)']);
      deepEqual(shapes(attention(), 'q', { ...values, architectures: ['Attention'] }).slice(-1), ['q: (B, T, 12, 64)']);
    });

    it('are none where the file cannot be read', () => {
      for (const text of ['', '[]', '{', '{"hidden_size": "64", "intermediate_size": null}', '\0', '7'])
        deepEqual(
          codeHints(
            analyse(
              { text: configured('config.intermediate_size'), path: 'model.py', python, values: () => ({ uri: 'c.json', text }) },
              defaultSettings,
            ),
          ).map(({ label }) => label),
          [': (B, T, intermediate_size)'],
          text,
        );
    });
  });
});

describe('what a configuration sets besides numbers', () => {
  const gated = (hidden: string, test = 'config.gated'): string => `import torch.nn as nn

class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gated = ${test}
        self.up = nn.Linear(config.hidden_size, (2 if self.gated else 1) * config.intermediate_size)
        self.down = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x):
        hidden = self.up(x)
        if self.gated:
            ${hidden}
        return self.down(hidden)
`;
  const sizes = { hidden_size: 64, intermediate_size: 172 };
  const found = (text: string, config: unknown): readonly string[] => study(text, config).findings.map(({ code }) => code);

  it('chooses the branches that are followed', () => {
    const right = gated('gate, hidden = hidden.chunk(2, -1); hidden = gate.sigmoid() * hidden');
    const wrong = gated('hidden = hidden.sigmoid()');
    for (const setting of [true, false]) deepEqual(found(right, { ...sizes, gated: setting }), []);
    deepEqual(found(wrong, { ...sizes, gated: false }), []);
    deepEqual(found(wrong, { ...sizes, gated: true }), ['HW223']);
    const [finding] = study(wrong, { ...sizes, gated: true }).findings;
    equal(finding?.related.at(-1)?.file?.uri, 'config.json');
    const named = (hidden: string): string => gated(hidden, "config.hidden_act == 'swiglu'");
    deepEqual(found(named('hidden = hidden.sigmoid()'), { ...sizes, hidden_act: 'swiglu' }), ['HW223']);
    deepEqual(found(named('hidden = hidden.sigmoid()'), { ...sizes, hidden_act: 'gelu' }), []);
  });

  it('is held against where the norms stand, where no code reads it', () => {
    const block = (forward: string, more = ''): string => `import torch.nn as nn

class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm1 = nn.LayerNorm(config.hidden_size)
        self.attn = nn.MultiheadAttention(config.hidden_size, config.num_attention_heads, batch_first=True)
        self.norm2 = nn.LayerNorm(config.hidden_size)
        self.mlp = nn.Sequential(
            nn.Linear(config.hidden_size, config.intermediate_size), nn.GELU(), nn.Linear(config.intermediate_size, config.hidden_size)
        )${more}

    def forward(self, x):
        ${forward.replaceAll('\n', '\n        ')}
        return x
`;
    const post = 'x = self.norm1(x + self.attn(x, x, x)[0])\nx = self.norm2(x + self.mlp(x))';
    const pre = 'h = self.norm1(x)\nx = x + self.attn(h, h, h)[0]\nx = x + self.mlp(self.norm2(x))';
    const config = { model_type: 'opt', num_attention_heads: 4, ...sizes };
    for (const [forward, flag] of [
      [post, true],
      [pre, false],
    ] as const) {
      const [finding, ...others] = study(block(forward), { ...config, do_layer_norm_before: flag }).findings;
      equal(finding?.code, 'HW329');
      deepEqual(others, []);
      equal(finding?.related[0]?.file?.uri, 'config.json');
      deepEqual(found(block(forward), { ...config, do_layer_norm_before: !flag }), []);
      deepEqual(
        found(block(forward, '\n        self.before = config.do_layer_norm_before'), { ...config, do_layer_norm_before: flag }),
        [],
      );
      // The configuration of something else.
      deepEqual(found(block(forward), { hidden_size: 64, do_layer_norm_before: flag }), []);
    }
  });
});

describe('a binding without effect', () => {
  const found = (comment: string): readonly (readonly [string, string])[] => {
    const text = attention(comment);
    return study(text).findings.map(({ code, range, message }) => {
      equal(code, 'HW902');
      return [text.slice(range.start, range.end), message] as const;
    });
  };

  it('is pointed out with what is called nearly so', () => {
    const [finding, ...others] = found('# headwise: num_hed=12 proj_dim=3');
    equal(others.length, 1);
    equal(finding?.[0], 'num_hed=12');
    const [unknown] = found('# headwise: num_haeds=12 dim=768');
    deepEqual(unknown?.[0], 'num_haeds=12');
    match(unknown?.[1] ?? '', /Did you mean num_heads\?/);
  });

  it('is one whose value is no size, each by itself', () => {
    deepEqual(
      found('# headwise: dim=7.5, num_heads=0 dim=big 12').map(([at]) => at),
      ['dim=7.5', 'num_heads=0', 'dim=big', '12'],
    );
  });

  it('is not one that names a parameter, an attribute, or what one of them stands for', () => {
    for (const comment of [
      '# headwise: dim=768',
      '# headwise: self.num_heads=12 C=768',
      '# headwise: hidden_size=768 n_head=12',
      '# headwise: off',
    ])
      deepEqual(
        found(comment).filter(([at]) => at !== 'off'),
        [],
        comment,
      );
  });
});
