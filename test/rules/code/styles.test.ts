/**
 * Models in the styles of Keras, Flax, MLX and of one flat stack: silent as they are, and with one line changed a finding on that line.
 * Each change was run in its library (Keras on JAX, Flax, PyTorch; those of MLX were read): it crashes, or gives other numbers.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectAtLines } from './atLines.ts';

const model = (name: string): string => readFileSync(join('test/rules/code/fixtures/styles', `${name}.py`), 'utf8');

const changes: readonly (readonly [name: string, from: string, to: string, code: string])[] = [
  ['keras_block', 'ops.transpose(key, (0, 1, 3, 2))', 'key', 'HW210'],
  ['keras_block', 'float(self.size)', 'float(self.embed_dim)', 'HW151'],
  ['keras_block', 'layers.Dense(embed_dim)])', 'layers.Dense(ff_dim)])', 'HW217'],
  ['keras_block', 'mixed, weights = self.attend', 'mixed = self.attend', 'HW166'],
  ['keras_block', 'self.to_key = layers.Dense(embed_dim)', 'self.to_key = layers.Dense(self.size)', 'HW212'],
  ['nnx_layer', 'self.down = nnx.Linear(hidden, dim', 'self.down = nnx.Linear(dim, hidden', 'HW223'],
  ['nnx_layer', 'logits, jnp.finfo(logits.dtype).min)', 'jnp.finfo(logits.dtype).min, logits)', 'HW158'],
  ['linen_gpt', 'nn.Dense(self.features)(x)\n\n\nclass Block', 'nn.Dense(self.hidden)(x)\n\n\nclass Block', 'HW217'],
  ['linen_gpt', 'wpe = nn.Embed(self.max_len, self.features)', 'wpe = nn.Embed(self.max_len, self.num_heads)', 'HW217'],
  ['mlx_block', 'self.down = nn.Linear(hidden, dims', 'self.down = nn.Linear(dims, hidden', 'HW223'],
  ['mlx_block', 'self.norm2 = nn.RMSNorm(dims)', 'self.norm2 = nn.RMSNorm(hidden)', 'HW215'],
  ['mlx_block', 'k_all.transpose(0, 1, 3, 2)', 'k_all', 'HW210'],
  ['flat_stack', 'x = ff(x) + x', 'x = ff(x)', 'HW322'],
  ['flat_stack', 'x = attn(x) + x', 'x = attn(x)', 'HW322'],
  ['flat_stack', 'self.to_logits(self.norm(x))', 'self.to_logits(x)', 'HW323'],
  ['lazy_block', 'key.transpose(-2, -1)', 'key', 'HW210'],
  ['lazy_block', 'nn.LazyLinear(num_hiddens)', 'nn.LazyLinear(ffn_num_hiddens)', 'HW217'],
  ['mlp', 'nn.Linear(hidden_features, out_features)', 'nn.Linear(in_features, out_features)', 'HW223'],
];

describe('models in other styles', function () {
  this.timeout(20_000);

  for (const name of new Set(changes.map(([name]) => name))) it(`${name} is right`, () => expectAtLines(model(name)));

  for (const [name, from, to, code] of changes) {
    it(`${name}: ${to.split('\n')[0]}`, () => {
      const text = model(name);
      const start = text.indexOf(from);
      assert.ok(start >= 0, from);
      const changed = text.slice(0, start) + to + text.slice(start + from.length);
      const end = changed.indexOf('\n', start);
      expectAtLines(`${changed.slice(0, end)}  # ${code}${changed.slice(end)}`);
    });
  }
});
