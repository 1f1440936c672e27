import assert from 'node:assert/strict';
import { blockSummaries } from '../../../src/rules/code/blockSummary.ts';
import { blocksOf } from '../../../src/rules/code/blocks.ts';
import type { Finding } from '../../../src/text/finding.ts';
import { LineIndex } from '../../../src/text/lineIndex.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { type PythonReader, pythonReader } from '../../../src/workspace/python.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';
import { pythonParser } from '../../unit/python/parser.ts';

let python: PythonReader;
before(async () => {
  python = pythonReader(await pythonParser());
});

const read = (text: string) => analyse({ text, path: 'model.py', python }, defaultSettings);

/** Findings about norms, each of which must be announced in its line: `# HW321: part of the message`. */
function check(code: string): void {
  const text = `${head}\n${code}`;
  const lines = text.split('\n');
  const index = new LineIndex(text);
  const expected = lines.flatMap((line, i) => {
    const match = /# (HW32\d): (.*)$/.exec(line);
    return match === null ? [] : [{ line: i, code: match[1] as string, says: match[2] as string }];
  });
  const found = read(text).findings.filter((finding) => /^HW32/.test(finding.code) && finding.severity !== 'information');
  const shown = found.map((each) => `${lineOf(index, each) + 1}: ${each.code} ${each.message}`).join('\n');
  assert.equal(found.length, expected.length, shown || 'nothing was found');
  for (const want of expected)
    assert.ok(
      found.some((each) => each.code === want.code && lineOf(index, each) === want.line && each.message.includes(want.says)),
      `${want.line + 1}: ${want.code} ${want.says} is not among\n${shown}`,
    );
}

const lineOf = (index: LineIndex, { range }: Finding): number => index.positionAt(range.start).line;

/** The placement of each block of the code, by the name of its class. */
function placements(code: string): Readonly<Record<string, string>> {
  const studies = read(`${head}\n${code}`).code?.studies ?? [];
  return Object.fromEntries(studies.flatMap((study) => blocksOf(study).blocks.map((block) => [block.class.name, block.placement])));
}

const head = `import torch
import torch.nn as nn
import torch.nn.functional as F


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        y = x.float()
        return (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.eps)).type_as(x) * self.weight


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x, context=None):
        b, t, c = x.shape
        k, v = self.kv(x if context is None else context).chunk(2, dim=-1)
        q, k, v = (u.view(b, -1, self.heads, c // self.heads).transpose(1, 2) for u in (self.q(x), k, v))
        y = F.softmax(q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5, dim=-1) @ v
        return self.out(y.transpose(1, 2).reshape(b, t, c))


class FeedForward(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, x):
        return self.net(x)
`;

/** A block whose `forward` has this body. */
const block = (body: string): string => `
class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.attn = Attention(dim, heads)
        self.mlp = FeedForward(dim, 4 * dim)
        self.norm1 = RMSNorm(dim)
        self.norm2 = RMSNorm(dim)
        self.drop = nn.Dropout(0.1)
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, x):
${body
  .trim()
  .split('\n')
  .map((line) => `        ${line}`)
  .join('\n')}
`;

/** A wrapper around each sublayer, as the Annotated Transformer has it. */
const wrapped = (call: string, sublayers = 'x = self.wrap[0](x, lambda y: self.attn(y))\nreturn self.wrap[1](x, self.mlp)'): string => `
class Residual(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.drop = nn.Dropout(0.1)

    def forward(self, x, sublayer):
        ${call}


class Layer(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.attn = Attention(dim, heads)
        self.mlp = FeedForward(dim, 4 * dim)
        self.wrap = nn.ModuleList([Residual(dim) for _ in range(2)])

    def forward(self, x):
${sublayers
  .split('\n')
  .map((line) => `        ${line}`)
  .join('\n')}
`;

describe('placement of norms in blocks of model code', () => {
  it('is read off the dataflow, whatever the style', () => {
    assert.deepEqual(placements(block('x = x + self.attn(self.norm1(x))\nreturn x + self.mlp(self.norm2(x))')), { Block: 'pre-norm' });
    assert.deepEqual(placements(block('x = self.norm1(x + self.attn(x))\nreturn self.norm2(x + self.mlp(x))')), { Block: 'post-norm' });
    assert.deepEqual(placements(block('x = x + self.norm1(self.attn(x))\nreturn x + self.norm2(self.mlp(x))')), { Block: 'output-norm' });
    assert.deepEqual(placements(block('return x + self.attn(self.norm1(x)) + self.mlp(self.norm2(x))')), { Block: 'parallel' });
    assert.deepEqual(placements(block('x = self.attn(self.norm1(x))\nreturn self.mlp(self.norm2(x))')), { Block: 'residual-free' });
    assert.deepEqual(placements(block('x = x + self.scale * self.attn(x)\nreturn x + self.scale * self.mlp(x)')), { Block: 'norm-free' });
    assert.deepEqual(placements(block('x = x + self.attn(self.norm1(x))\nreturn self.norm2(x + self.mlp(x))')), { Block: 'mixed' });
    assert.deepEqual(placements(wrapped('return x + self.drop(sublayer(self.norm(x)))')), { Layer: 'pre-norm' });
    assert.deepEqual(placements(wrapped('return self.norm(x + self.drop(sublayer(x)))')), { Layer: 'post-norm' });
  });

  it('is summed up in a line, with heads and parameters', () => {
    const text = `${head}\n${block('x = x + self.attn(self.norm1(x))\nreturn x + self.mlp(self.norm2(x))').replace('dim, heads', 'dim=256, heads=8')}`;
    const { code } = read(text);
    assert.ok(code !== undefined);
    // 2 * (256 * 256 + 256) + (512 * 256 + 512) + 2 * 1024 * 256 + 1024 + 256 + 3 * 256 = 789504
    assert.deepEqual(
      blockSummaries(code).map((summary) => summary.text),
      ['pre-norm, 8 heads x 32, 789.5K parameters'],
    );
  });

  it('is unknown where a flag of another name decides', () => {
    const code = block('h = self.norm1(x) if self.training else x\nx = x + self.attn(h)\nreturn x + self.mlp(self.norm2(x))');
    assert.deepEqual(placements(code), { Block: 'unknown' });
    check(code);
  });
});

describe('rules about norms and residuals of model code', () => {
  it('leave known variants alone', () => {
    check(block('x = x + self.drop(self.attn(self.norm1(x)))\nreturn x + self.drop(self.mlp(self.norm2(x)))'));
    check(block('x = self.norm1(x * 1.5 + self.attn(x))\nreturn self.norm2(x * 1.5 + self.mlp(x))'));
    check(block('h = self.norm1(x)\nreturn x + self.attn(h) + self.mlp(self.norm2(x))'));
    check(block('x = x + self.norm1(self.attn(x))\nreturn x + self.norm2(self.mlp(x))'));
    check(wrapped('return self.norm(x + self.drop(sublayer(x)))'));
    // The name of a flag, and a norm that is called.
    check(
      block('x = self.layer_norm_before(x + self.attn(x))\nreturn self.norm2(x + self.mlp(x))').replace(
        'self.norm1 =',
        'self.layer_norm_before =',
      ),
    );
  });

  it('leave norms alone whose result code reads that cannot be followed', () => {
    check(block('h = self.norm1(x)\nx = x + self.attn(x)\nx = x + mixed_elsewhere(h)\nreturn x + self.mlp(self.norm2(x))'));
    check(block('h = self.norm1(x)  # HW324: thrown away\nx = x + self.attn(x)\nh = 2 * x\nreturn x + self.mlp(self.norm2(h))'));
  });

  it('find the residual that carries the normed stream', () => {
    check(
      block(
        'x = self.norm1(x)  # HW321: the residual carries the output of `norm1`\nx = x + self.attn(x)\nreturn x + self.mlp(self.norm2(x))',
      ),
    );
    check(block('x = x + self.attn(self.norm1(x))\ny = self.norm2(x)  # HW321: feed-forward\nreturn y + self.mlp(y)'));
    check(
      block(
        'residual = x\nx = self.attn(self.norm1(x))\nx = x + residual\nx = self.norm2(x)  # HW321: carries the output of `norm2`\nresidual = x\nx = self.mlp(x)\nreturn residual + x',
      ),
    );
  });

  it('find one norm applied at two steps of a stream whose sublayers are not known', () => {
    const layer = (last: string): string => `
class Layer(nn.Module):
    def __init__(self, self_attention, cross_attention, width):
        super().__init__()
        self.self_attention, self.cross_attention = self_attention, cross_attention
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, memory):
        x = self.norm1(x + self.self_attention(x, x, x)[0])
        x = self.norm2(x + self.cross_attention(x, memory, memory)[0])
        y = self.down(torch.relu(self.up(x)))
        return ${last}
`;
    check(layer('self.norm2(x + y)  # HW325: two different tensors'));
    check(layer('self.norm3(x + y)'));
  });

  it('find one norm in two functions of a forward, in each of several branches', () => {
    const nested = (second: string): string => `
class Nested(nn.Module):
    def __init__(self, width, heads, rate):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop, self.rate = nn.Dropout(rate), rate

    def forward(self, x):
        def attend(x):
            h = self.norm1(x)
            return self.attention(h, h, h)[0]

        def widen(x):
            h = ${second}
            return self.down(torch.relu(self.up(h)))

        if self.training and self.rate > 0.1:
            x = x + self.drop(attend(x))
            x = x + self.drop(widen(x))
        elif self.rate > 0.0:
            x = x + 1.0 * attend(x)
            x = x + 1.0 * widen(x)
        else:
            x = x + attend(x)
            x = x + widen(x)
        return x
`;
    check(nested('self.norm1(x)  # HW325: two different tensors'));
    check(nested('self.norm2(x)'));
  });

  it('take it for meant where every sublayer of a block adds to its normed input', () => {
    check(block('x = self.norm1(x)\nx = x + self.attn(x)\nx = self.norm2(x)\nreturn x + self.mlp(x)'));
  });

  it('find sublayers that are not added to the stream', () => {
    check(block('x = self.attn(self.norm1(x))  # HW322: attention takes the place\nreturn x + self.mlp(self.norm2(x))'));
    check(block('x = x + self.attn(self.norm1(x))\nx = self.mlp(self.norm2(x))  # HW322: feed-forward takes the place\nreturn x'));
    check(block('h = x + self.attn(self.norm1(x))\nreturn x + self.mlp(self.norm2(h))  # HW322: from before the attention'));
    check(wrapped('return x + self.drop(sublayer(self.norm(x)))', 'x = self.wrap[0](x, self.attn)\nreturn x + self.wrap[1](x, self.mlp)'));
  });

  it('find sublayers that place their norms differently', () => {
    check(block('x = x + self.attn(self.norm1(x))\nreturn self.norm2(x + self.mlp(x))  # HW320: The feed-forward normalises the sum'));
    check(block('x = self.norm1(x + self.attn(x))\nreturn x + self.norm2(self.mlp(x))  # HW320: normalises its output'));
  });

  it('know a norm of what attention reads beside the stream', () => {
    const memory = (given: string): string =>
      block(`x = x + self.mlp(self.norm2(x))\nx = x + self.attn(x, ${given}\nreturn x + self.mlp(self.norm3(x))`).replace(
        '        self.norm2',
        '        self.norm3 = RMSNorm(dim)\n        self.norm2',
      );
    check(memory('self.norm1(self.scale.expand(x.shape[0], 4, -1)))'));
    check(
      memory('self.scale.expand(x.shape[0], 4, -1))  # HW320: The attention has no norm').replace(
        '        self.norm1 = RMSNorm(dim)\n',
        '',
      ),
    );
  });

  it('know the norm of what a sublayer answers in whichever way the code takes', () => {
    const windowed = (flipped: string, whole = flipped.replaceAll('.flip(1)', '')): string =>
      block(
        `x = x + self.norm1(self.mlp(x))\nif self.training:\n    y = ${whole}\nelse:\n    y = ${flipped}\nx = x + y\nreturn x + self.norm2(self.mlp(x))`,
      ).replace('        self.norm2', '        self.norm = RMSNorm(dim)\n        self.norm2');
    check(windowed('self.norm(self.attn(x.flip(1)).flip(1))'));
    check(windowed('self.norm(self.attn(x.flip(1))).flip(1)'));
    check(windowed('self.attn(x.flip(1)).flip(1)', 'self.norm(self.attn(x))'));
    check(
      windowed('self.attn(x.flip(1)).flip(1)', 'self.attn(x)  # HW320: The attention has no norm').replace(
        '        self.norm = RMSNorm(dim)\n',
        '',
      ),
    );
  });

  it('find norms that are shared, doubled or not applied', () => {
    check(
      block('x = x + self.attn(self.norm1(x))\nreturn x + self.mlp(self.norm1(x))  # HW325: two different tensors').replace(
        '        self.norm2 = RMSNorm(dim)\n',
        '',
      ),
    );
    check(block('x = x + self.attn(self.norm1(x))\nreturn x + self.mlp(self.norm2(self.norm2(x)))  # HW326: just been normed'));
    check(block('x = x + self.attn(self.norm1(x))\nreturn x + self.mlp(x)  # HW324: `norm2` is created but never applied'));
    // A unit vector stretched by a weight is RMSNorm but for its constant; the length alone is no norm of the stream.
    const unit = (body: string): string =>
      block(body)
        .replaceAll('RMSNorm(dim)', 'Unit(dim)')
        .replace(
          'class Block',
          'class Unit(nn.Module):\n    def __init__(self, dim):\n        super().__init__()\n        self.gain = nn.Parameter(torch.ones(dim))\n\n    def forward(self, x):\n        return F.normalize(x, dim=-1) * self.gain\n\n\nclass Block',
        );
    check(unit('x = x + self.attn(self.norm1(x))\nreturn x + self.mlp(x)  # HW324: `norm2` is created but never applied'));
    check(unit('x = x + self.attn(self.norm1(x))\nreturn x + self.mlp(self.norm2(x))'));
    check(
      wrapped(
        'return x + self.drop(sublayer(self.norm(x)))',
        'x = self.wrap[0](x, self.attn)\nreturn self.wrap[0](x, self.mlp)  # HW325: same norm',
      ),
    );
  });
});
