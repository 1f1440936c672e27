import { deepEqual, equal } from 'node:assert/strict';
import { type Dim, flexible, number, rigid } from '../../../../src/dims/dim.ts';
import { formatShape, type Shape, shapeOf, unknownShape } from '../../../../src/dims/shape.ts';
import { Interpreter } from '../../../../src/interpreter/interpreter.ts';
import { int } from '../../../../src/interpreter/make.ts';
import type { SourceFile, TensorValue, Value } from '../../../../src/interpreter/value.ts';
import type { PythonParser } from '../../../../src/syntax/python/parse.ts';
import { pythonParser } from '../../python/parser.ts';

const [B, T] = [flexible('B'), flexible('T')];
const [d, h, kv] = [rigid('d'), rigid('h'), rigid('kv')];

const tensor = (dtype: string | undefined, shape: Shape): TensorValue => ({
  kind: 'tensor',
  id: 0,
  shape,
  dtype,
  op: 'input',
  arguments: new Map(),
  inputs: [],
  site: undefined,
});

/** What the snippets may name. */
const names: Readonly<Record<string, Value>> = {
  x: tensor('float32', shapeOf(B, T, d)),
  y: tensor('float32', shapeOf(B, T, d)),
  ids: tensor('int64', shapeOf(B, T)),
  mask: tensor('bool', shapeOf(B, T)),
  image: tensor('float32', shapeOf(B, number(3), number(224), number(224))),
  heads: tensor('float32', shapeOf(B, h, T, number(64))),
  fewer: tensor('float32', shapeOf(B, kv, T, number(64))),
  anything: tensor(undefined, unknownShape),
  table: tensor('float32', shapeOf(rigid('vocab'), d)),
  square: tensor('float32', shapeOf(d, d)),
  d: int(d),
  h: int(h),
  kv: int(kv),
  n: int(rigid('n')),
};

describe('operations on symbolic sizes', () => {
  let parser: PythonParser;
  before(async () => {
    parser = await pythonParser();
  });

  function evaluate(body: string): { readonly value: Value; readonly problems: readonly string[] } {
    const parameters = Object.keys(names);
    const lines = body.trim().split('\n');
    const last = lines.pop() ?? '';
    const source = [
      'import torch, math, einops',
      'import numpy as np',
      'import torch.nn as nn',
      'import torch.nn.functional as F',
      'from einops import rearrange, repeat, reduce',
      `def run(${parameters.join(', ')}):`,
      '    assert d % h == 0',
      '    B, T = ids.shape',
      ...lines.map((line) => `    ${line}`),
      `    return ${last}`,
      '',
    ].join('\n');
    const parse = (text: string): SourceFile['module'] => parser.parse(text);
    const file: SourceFile = { path: 'm.py', name: 'm', isPackage: false, module: parse(source), isPrelude: false };
    const problems: string[] = [];
    const interpreter = new Interpreter({
      loader: { load: () => undefined },
      parse,
      recorder: { failure: ({ problem }) => problems.push(problem.message) },
    });
    const run = interpreter.names.global(interpreter.names.globalsOf(file), 'run');
    const value = run === undefined ? undefined : interpreter.guard(() => interpreter.call(run, Object.values(names)));
    return { value: value ?? { kind: 'unknown', reason: 'the code was stopped' }, problems };
  }

  const show = (value: Value): string => {
    if (value.kind === 'tensor') return formatShape(value.shape);
    if (value.kind === 'tuple' || value.kind === 'list') return value.items.map(show).join(' ');
    if (value.kind === 'int') return formatDim(value.dim);
    return value.kind;
  };
  const formatDim = (dim: Dim): string => formatShape(shapeOf(dim)).slice(1, -2);

  const shapes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    creation: {
      'torch.arange(T)': '(T,)',
      'torch.arange(0, 64, 2)': '(32,)',
      'torch.arange(0, d, 2)': '(d % 2 + d // 2,)',
      'torch.arange(1, T + 1)': '(T,)',
      'torch.arange(n, n + T)': '(T,)',
      'torch.zeros(B, T, d).to(x.device)': '(B, T, d)',
      'torch.zeros((B, 1, T, T))': '(B, 1, T, T)',
      'torch.full((T, T), float("-inf")).triu(1)': '(T, T)',
      'torch.ones_like(x)': '(B, T, d)',
      'x.new_zeros(B, 1)': '(B, 1)',
      'torch.tril(torch.ones(n, n)).view(1, 1, n, n)': '(1, 1, n, n)',
      'torch.empty(x.size(0), *x.shape[2:])': '(B, d)',
      'torch.zeros(x.shape[:-1])': '(B, T)',
      'torch.zeros(x.shape[:-1] + (h,))': '(B, T, h)',
      'torch.tensor([1, 2, 3])': '(3,)',
      'nn.Parameter(torch.randn(1, 1, d))': '(1, 1, d)',
    },
    heads: {
      'x.view(B, T, h, d // h).transpose(1, 2)': '(B, h, T, d // h)',
      'x.view(B, T, h, -1)': '(B, T, h, d // h)',
      'x.view(*x.shape[:-1], h, d // h).permute(0, 2, 1, 3)': '(B, h, T, d // h)',
      'x.view(B, T, h, d // h).transpose(1, 2).transpose(1, 2).contiguous().view(B, T, d)': '(B, T, d)',
      'x.view(B, T, h, d // h).flatten(-2)': '(B, T, d)',
      'x.unflatten(-1, (h, -1)).flatten(2)': '(B, T, d)',
      'x.reshape(B * T, d)': '(B * T, d)',
      'x.reshape(-1, x.size(-1))': '(B * T, d)',
      'torch.cat([x, y, x], dim=-1).split(d, dim=2)': '(B, T, d) (B, T, d) (B, T, d)',
      'torch.cat([x, y, x], dim=-1).chunk(3, dim=-1)': '(B, T, d) (B, T, d) (B, T, d)',
      'torch.cat([x, y, x], -1).view(B, T, 3, h, d // h).unbind(2)': '(B, T, h, d // h) (B, T, h, d // h) (B, T, h, d // h)',
      'torch.cat([x, y, x], -1).reshape(B, T, 3, h, d // h).permute(2, 0, 3, 1, 4)[0]': '(B, h, T, d // h)',
      'fewer[:, :, None, :, :].expand(B, kv, n, T, 64).reshape(B, kv * n, T, 64)': '(B, kv * n, T, 64)',
      'fewer.repeat_interleave(n, dim=1)': '(B, kv * n, T, 64)',
      'heads @ heads.transpose(-2, -1)': '(B, h, T, T)',
      'torch.matmul(heads, heads.mT).softmax(-1) @ heads': '(B, h, T, 64)',
      'torch.einsum("bhid,bhjd->bhij", heads, heads)': '(B, h, T, T)',
      'F.scaled_dot_product_attention(heads, heads, heads, is_causal=True)': '(B, h, T, 64)',
      'F.scaled_dot_product_attention(heads, fewer, fewer, enable_gqa=True)': '(B, h, T, 64)',
      'torch.bmm(heads.flatten(0, 1), heads.flatten(0, 1).transpose(1, 2))': '(B * h, T, T)',
      'x @ square': '(B, T, d)',
      'F.linear(x, table)': '(B, T, vocab)',
      'F.embedding(ids, table)': '(B, T, d)',
      'table[ids]': '(B, T, d)',
    },
    masks: {
      'mask[:, None, None, :]': '(B, 1, 1, T)',
      '(heads @ heads.mT).masked_fill(~mask[:, None, None, :], float("-inf"))': '(B, h, T, T)',
      'torch.where(mask[:, :, None], x, 0.0)': '(B, T, d)',
      '(ids[:, :, None] == ids[:, None, :]).long()': '(B, T, T)',
      'torch.arange(T)[:, None] >= torch.arange(T)[None, :]': '(T, T)',
      'torch.ones(T, T, dtype=torch.bool).tril()[None, None]': '(1, 1, T, T)',
      'mask.unsqueeze(1).unsqueeze(2).expand(-1, 1, T, -1)': '(B, 1, T, T)',
      'mask.sum(-1)': '(B,)',
      'mask.cumsum(dim=1) - 1': '(B, T)',
      'torch.triu(torch.ones(T, T), diagonal=1).bool()': '(T, T)',
      'x[mask]': '(unknown, d)',
    },
    positions: {
      '1.0 / (10000 ** (torch.arange(0, 64, 2).float() / 64))': '(32,)',
      'torch.outer(torch.arange(T).float(), torch.arange(0, 64, 2).float())': '(T, 32)',
      'f = torch.einsum("i,j->ij", torch.arange(T).float(), torch.arange(0, 64, 2).float())\ntorch.cat((f, f), dim=-1)[None, None]':
        '(1, 1, T, 64)',
      'torch.cat((-heads[..., 32:], heads[..., :32]), dim=-1)': '(B, h, T, 64)',
      'torch.stack((-heads[..., 1::2], heads[..., ::2]), dim=-1).flatten(-2)': '(B, h, T, 64)',
      'heads[..., : heads.shape[-1] // 2]': '(B, h, T, 32)',
      'a, b = heads.chunk(2, dim=-1)\na * b': '(B, h, T, 32)',
      'torch.view_as_complex(heads.float().reshape(*heads.shape[:-1], -1, 2))': '(B, h, T, 32)',
      'torch.view_as_real(torch.view_as_complex(heads.float().reshape(*heads.shape[:-1], -1, 2))).flatten(3)': '(B, h, T, 64)',
      'torch.polar(torch.ones(T, 32), torch.ones(T, 32))': '(T, 32)',
      'heads * torch.ones(T, 64).unsqueeze(0).unsqueeze(1)': '(B, h, T, 64)',
    },
    indexing: {
      'x[:, -1]': '(B, d)',
      'x[:, -1:]': '(B, 1, d)',
      'x[:, 0, :]': '(B, d)',
      'x[:, :-1, :]': '(B, T - 1, d)',
      'x[..., None, :]': '(B, T, 1, d)',
      'x[None]': '(1, B, T, d)',
      'x[torch.arange(B), torch.argmax(ids, -1)]': '(B, d)',
      'x[..., 0]': '(B, T)',
      'image[:, 0]': '(B, 224, 224)',
      'x[0][0]': '(d,)',
    },
    reductions: {
      'x.mean(-1, keepdim=True)': '(B, T, 1)',
      'x.pow(2).mean(-1, keepdim=True)': '(B, T, 1)',
      'x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)': '(B, T, d)',
      'x.max(dim=-1).values': '(B, T)',
      'x.max(dim=1)[0]': '(B, d)',
      'torch.topk(x, 2, dim=-1)': '(B, T, 2) (B, T, 2)',
      'x.argmax(-1)': '(B, T)',
      'x.sum()': '()',
      'x.var(-1, unbiased=False, keepdim=True)': '(B, T, 1)',
      'x.norm(dim=-1)': '(B, T)',
      'F.one_hot(ids, n)': '(B, T, n)',
      'F.cross_entropy(x.view(-1, d), ids.view(-1))': '()',
    },
    convolutions: {
      'F.conv2d(image, torch.ones(d, 3, 16, 16), stride=16)': '(B, d, 14, 14)',
      'F.conv2d(image, torch.ones(d, 3, 16, 16), stride=16).flatten(2).transpose(1, 2)': '(B, 196, d)',
      'F.conv1d(x.transpose(1, 2), torch.ones(d, 1, 4), padding=3, groups=d)[..., :T]': '(B, d, T)',
      'F.conv1d(x.transpose(1, 2), torch.ones(d, d, 3), padding=1)': '(B, d, T)',
      'F.conv1d(x.transpose(1, 2), torch.ones(d, d, 3), stride=2, padding=1)': '(B, d, (T + 1) // 2)',
      'F.pad(x.transpose(1, 2), (3, 0))': '(B, d, T + 3)',
      'F.adaptive_avg_pool2d(image, (1, 1)).flatten(1)': '(B, 3)',
      'F.interpolate(image, scale_factor=2)': '(B, 3, 448, 448)',
      'F.unfold(image, kernel_size=16, stride=16)': '(B, 768, 196)',
    },
    einops: {
      'rearrange(x, "b t (h e) -> b h t e", h=h)': '(B, h, T, d // h)',
      'rearrange(heads, "b h t e -> b t (h e)")': '(B, T, 64 * h)',
      'rearrange(image, "b c (y p) (x q) -> b (y x) (p q c)", p=16, q=16)': '(B, 196, 768)',
      'repeat(x[0], "t e -> b t e", b=B)': '(B, T, d)',
      'reduce(x, "b t e -> b e", "mean")': '(B, d)',
      'rearrange(anything, "b t (h e) -> b h t e", h=8).size(1)': '8',
      'einops.einsum(x, square, "b t e, e f -> b t f")': '(B, T, d)',
    },
    'arrays of NumPy': {
      'torch.FloatTensor(np.array([[i / 10000 ** (j / 8) for j in range(8)] for i in range(20)])).unsqueeze(0)': '(1, 20, 8)',
      'torch.from_numpy(np.triu(np.ones((1, T, T)), k=1).astype("uint8")) == 0': '(1, T, T)',
      'np.arange(0, 10, dtype=np.float32)[:, np.newaxis]': '(10, 1)',
      'np.stack(np.meshgrid(np.arange(3), np.arange(4)), axis=0)': '(2, 4, 3)',
      'np.concatenate([np.zeros((1, d)), np.zeros((n, d))], axis=0)': '(n + 1, d)',
    },
    'unknown tensors': {
      'anything.view(B, T, d)': '(B, T, d)',
      'anything + 1': '(...)',
      'F.linear(anything, table)': '(..., vocab)',
      'anything.softmax(-1)': '(...)',
      'torch.cat([anything, x], dim=-1)': '(B, T, d + unknown)',
      'anything.transpose(1, 2)': '(...)',
      'anything.unsqueeze(-1)': '(..., 1)',
      'anything[:, -1]': '(unknown, ...)',
      'anything @ square': '(..., d)',
    },
  };
  for (const [theme, cases] of Object.entries(shapes)) {
    it(`knows ${theme}`, () => {
      const found = Object.entries(cases).map(([body]) => {
        const { value, problems } = evaluate(body);
        return { body, expected: problems.length > 0 ? problems.join('; ') : show(value).replace(/_\d+|\?/g, 'unknown') };
      });
      deepEqual(
        found,
        Object.entries(cases).map(([body, expected]) => ({ body, expected })),
      );
    });
  }

  const failures = [
    'x.view(B, T, h + 1, 2 * d)',
    'x @ square[:, 1:]  @ square',
    'torch.cat([x, x[..., 1:]], dim=1)',
    'x.view(B, T, d + 1)',
    'heads.permute(0, 2, 1)',
    'x.transpose(1, 3)',
    'F.linear(torch.cat([x, x], -1), square)',
    'rearrange(x, "b t e -> b e")',
    'torch.einsum("bhid,bhjd->bhij", heads, x)',
    'F.layer_norm(x, (d + 1,))',
    'torch.cat([x, y], -1).split([d, d, d], -1)',
    'F.conv2d(image, torch.ones(d, 4, 16, 16))',
    'image.expand(B, 4, 224, 224)',
    'x[0, 0, 0, 0]',
  ];
  it('finds what cannot be', () => {
    deepEqual(
      failures.filter((body) => evaluate(body).problems.length === 0),
      [],
    );
  });

  it('remembers how a tensor was computed', () => {
    const { value } = evaluate('F.softmax((heads @ heads.transpose(-2, -1)) * 64 ** -0.5, dim=-1)');
    const chain: string[] = [];
    for (let at = value.kind === 'tensor' ? value : undefined; at !== undefined; at = at.inputs[0]) chain.push(at.op);
    deepEqual(chain, ['softmax', 'mul', 'matmul', 'input']);
    const content = (body: string): string | undefined => {
      const found = evaluate(body).value;
      return found.kind === 'tensor' ? found.content : undefined;
    };
    equal(content('torch.tril(torch.ones(T, T)).view(1, 1, T, T)[:, :, :T, :T]'), 'causal');
    equal(content('torch.ones(T, T).bool().triu(1)'), 'causal');
    equal(content('(torch.ones(T, T) * float("-inf")).triu(1)'), 'causal');
    equal(content('(x @ x.mT).triu(1)'), undefined);
    equal(content('torch.arange(T)[None].expand(B, -1)'), 'arange');
    equal(content('torch.tril(torch.ones(T, T)).transpose(0, 1)'), undefined);
  });

  it('answers tensors for what is done in place', () => {
    equal(show(evaluate('s = heads @ heads.mT\ns.masked_fill_(~mask[:, None, None], 0.0)').value), '(B, h, T, T)');
    equal(show(evaluate('x.add_(y).mul_(2)').value), '(B, T, d)');
    const { value } = evaluate('nn.Parameter(torch.empty(d, d)).requires_grad_(False)');
    equal(value.kind === 'tensor' && value.isParameter, true);
  });
});
