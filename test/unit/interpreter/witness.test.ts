import assert from 'node:assert/strict';
import { formatDim } from '../../../src/dims/format.ts';
import { classNamed, evaluateCall } from '../../../src/interpreter/entry.ts';
import { Interpreter } from '../../../src/interpreter/interpreter.ts';
import { parametersOf } from '../../../src/interpreter/modules.ts';
import type { SourceFile, Value } from '../../../src/interpreter/value.ts';
import { Witness } from '../../../src/interpreter/witness.ts';
import { pythonParser } from '../python/parser.ts';

const source = `
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, width, heads, kv_heads, index, dense_layers, experts):
        super().__init__()
        if width % heads != 0:
            raise ValueError("width")
        head_dim = width // heads
        self.q = nn.Linear(width, heads * head_dim, bias=False)
        self.k = nn.Linear(width, kv_heads * head_dim, bias=False)
        if index < dense_layers:
            self.mlp = nn.Linear(width, 4 * width, bias=False)
        else:
            self.mlp = nn.ModuleList([nn.Linear(width, width, bias=False) for _ in range(experts)])

class Model(nn.Module):
    def __init__(self, width, heads, kv_heads, layers, dense_layers, experts, gated, ratio, kinds):
        super().__init__()
        self.layers = nn.ModuleList([Block(width, heads, kv_heads, i, dense_layers, experts) for i in range(layers)])
        if gated:
            self.gate = nn.Parameter(torch.zeros(width))
        self.wide = nn.Linear(width, int(width * ratio), bias=False)
        if kinds[layers - 1] == "full":
            self.last = nn.Linear(width, 1)
`;

describe('code followed along the path of given numbers', () => {
  let file: SourceFile;
  let parse: (text: string) => SourceFile['module'];
  before(async () => {
    const parser = await pythonParser();
    parse = (text) => parser.parse(text);
    file = { path: 'model.py', name: 'model', isPackage: false, module: parse(source), isPrelude: false };
  });

  const follow = (numbers: Readonly<Record<string, number>>) => {
    const witness = new Witness();
    const interpreter = new Interpreter({ loader: { load: () => undefined }, parse, witness });
    const settings = new Map<string, Value>(Object.entries(numbers).map(([name, value]) => [name, witness.size(name, value)]));
    settings.set('gated', witness.constant('gated', false));
    settings.set('ratio', witness.constant('ratio', 2.5));
    settings.set(
      'kinds',
      witness.list(
        'kinds',
        ['sliding', 'full', 'full'].map((kind) => (path: string) => witness.constant(path, kind)),
      ),
    );
    const of = classNamed(interpreter, file, 'Model');
    assert.ok(of !== undefined);
    const model = evaluateCall(interpreter, of, [], settings);
    assert.ok(model?.kind === 'instance');
    const { parameters, unknown } = parametersOf(interpreter, model);
    assert.deepEqual(unknown, []);
    const shapes = new Map(parameters.map(({ name, tensor }) => [name, tensor.shape.dims.map(formatDim)]));
    return { witness, shapes };
  };
  const numbers = { width: 64, heads: 8, kv_heads: 2, layers: 3, dense_layers: 1, experts: 2 };

  it('gives shapes as the settings make them', () => {
    const { shapes } = follow(numbers);
    assert.deepEqual(shapes.get('layers.0.q.weight'), ['heads * (width // heads)', 'width']);
    assert.deepEqual(shapes.get('layers.0.k.weight'), ['kv_heads * (width // heads)', 'width']);
    assert.deepEqual(shapes.get('layers.0.mlp.weight'), ['4 * width', 'width']);
    assert.deepEqual(shapes.get('layers.2.mlp.1.weight'), ['width', 'width']);
    assert.equal(shapes.has('gate'), false);
  });

  it('remembers every answer that the path rests on', () => {
    const { witness } = follow(numbers);
    const premises = witness.premises.map((premise) => premise.join(' '));
    assert.ok(premises.includes('is gated false'));
    assert.ok(premises.includes('is kinds.__2 full'), premises.join('; '));
    assert.ok(
      premises.some((premise) => /^== (?:width % heads 0|.*width)$/.test(premise)),
      premises.join('; '),
    );
    // Which side of the limit each round is on.
    assert.ok(
      premises.some((premise) => /^< loop\d+_0 dense_layers$/.test(premise)),
      premises.join('; '),
    );
    assert.ok(premises.some((premise) => /^>= loop\d+_1 dense_layers$/.test(premise)));
    assert.ok(premises.some((premise) => /^>= loop\d+_2 dense_layers$/.test(premise)));
  });

  it('keeps a fraction of a size exact, and says which fraction', () => {
    const { witness, shapes } = follow(numbers);
    assert.ok(witness.premises.some((premise) => premise.join(' ') === 'is ratio 2.5'));
    assert.deepEqual(shapes.get('wide.weight'), ['2 * width + width // 2', 'width']);
  });

  it('follows other numbers along their own path', () => {
    const { shapes } = follow({ ...numbers, layers: 2, dense_layers: 2 });
    assert.deepEqual(shapes.get('layers.1.mlp.weight'), ['4 * width', 'width']);
    assert.equal(shapes.has('layers.2.q.weight'), false);
    assert.ok(shapes.has('last.weight'));
  });

  it('knows which round of which loop made a module', () => {
    const witness = new Witness();
    const count = witness.size('count', 2);
    assert.ok(count.kind === 'int');
    const zero = { kind: 'int' as const, dim: count.dim };
    const rounds = witness.roundsOf(count.dim, zero.dim, (index) => index) ?? [];
    assert.equal(rounds.length, 2);
    for (const [i, item] of rounds.entries()) {
      witness.enter(item);
      assert.deepEqual(
        witness.rounds.map(({ index, count: times }) => [index, times]),
        [[i, 'count']],
      );
    }
    witness.leave(rounds[0]);
    assert.deepEqual(witness.rounds, []);
  });
});
