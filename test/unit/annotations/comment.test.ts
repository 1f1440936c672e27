import assert from 'node:assert/strict';
import { parseShapeComment } from '../../../src/annotations/comment.ts';
import { type Contract, formatWritten, namesIn, toShape, type WrittenShape } from '../../../src/annotations/contract.ts';
import { number, rigid } from '../../../src/dims/dim.ts';
import { formatShape } from '../../../src/dims/shape.ts';

/** `x: (A) * (B) -> (C) -> (D)`: everything a contract says, in one line. */
function show(contract: Contract | undefined): string {
  if (contract === undefined) return 'nothing';
  const names = contract.names.map(({ text }) => text).join(', ');
  const steps = [contract.from.map(formatWritten).join(' * '), ...contract.via.map(formatWritten), formatWritten(contract.to)];
  return `${names === '' ? '' : `${names}: `}${steps.filter((step) => step !== '').join(' -> ')}`;
}

const read: readonly (readonly [comment: string, contract: string])[] = [
  ['# (B, T, C)', '(B, T, C)'],
  ['# (B, nh, T, hs)', '(B, nh, T, hs)'],
  ['#(B,T,C)', '(B, T, C)'],
  ['# [batch, seq, d_model]', '(batch, seq, d_model)'],
  ['# B x T x C', '(B, T, C)'],
  ['# B T C', '(B, T, C)'],
  ['# b h s d', '(b, h, s, d)'],
  ['# (b s d)', '(b, s, d)'],
  ['# b n (h d)', '(b, n, (h*d))'],
  ['# bs, slen, dim', '(bs, slen, dim)'],
  ['# (B, T, C) -> (B, nh, T, hs)', '(B, T, C) -> (B, nh, T, hs)'],
  ['# T x B x C -> B x T x C', '(T, B, C) -> (B, T, C)'],
  ['# -> (B, T, V)', '(B, T, V)'],
  ['# x: (b, s, d)', 'x: (b, s, d)'],
  ['# x: T x B x C', 'x: (T, B, C)'],
  ['# q, k, v: [bs, num_heads, seq_len, head_dim]', 'q, k, v: (bs, num_heads, seq_len, head_dim)'],
  ['# Shape: (context_length, head_dim // 2)', '(context_length, head_dim // 2)'],
  ['# shape (batch_size, 1, seq_len)', '(batch_size, 1, seq_len)'],
  ['# Shape batch_size x seq_len x d_model', '(batch_size, seq_len, d_model)'],
  ['# x.shape = (B, T, C)', 'x: (B, T, C)'],
  ['# token embeddings of shape (b, t, n_embd)', '(b, t, n_embd)'],
  [
    '# causal self-attention; Self-attend: (B, nh, T, hs) x (B, nh, hs, T) -> (B, nh, T, T)',
    '(B, nh, T, hs) * (B, nh, hs, T) -> (B, nh, T, T)',
  ],
  ['# (B, T, 3 * n_embd)', '(B, T, 3 * n_embd)'],
  ['# (B, T, nh*hs)', '(B, T, nh*hs)'],
  ['# (B, T, nh, C // nh)', '(B, T, nh, C // nh)'],
  ['# (..., T, C)', '(..., T, C)'],
  ['# [*, N_res, C_z]', '(..., N_res, C_z)'],
  ['# (*batch, T, C)', '(*batch, T, C)'],
  ['# shape (bsz, XX, hidden_size)', '(bsz, ..., hidden_size)'],
  ['# (B, -1, C)', '(B, ?, C)'],
  ['# (B, _, C)', '(B, ?, C)'],
  ['# (B, ?, C)', '(B, ?, C)'],
  ['# (C,)', '(C,)'],
  ['# (N, C, H, W) -> (N, C, H*W) -> (N, C)', '(N, C, H, W) -> (N, C, H*W) -> (N, C)'],
  ['# [B, L, D] ==> [B, D]', '(B, L, D) -> (B, D)'],
  ['# [batch_size, num_groups, height x width]', '(batch_size, num_groups, height * width)'],
  ['# output embedding [batch, length, d_model]', '(batch, length, d_model)'],
  ['# (B, T) attention mask', '(B, T)'],
  ['# [B, 1, S, T]; True = masked', '(B, 1, S, T)'],
  ['# (B, T, C), float32', '(B, T, C)'],
  ['# sum across heads: [B, S, 1, H] @ [B, S, H, T] -> [B, S, T]', '(B, S, 1, H) * (B, S, H, T) -> (B, S, T)'],
  ['# concatenate along the channel dimension: (batch_size, T, 2 * C)', '(batch_size, T, 2 * C)'],
  ['# keys are of shape (B, T, C)', 'keys: (B, T, C)'],
  ['# column_ids: shape (batch_size, 64*32)', 'column_ids: (batch_size, 64*32)'],
  ['# gen_sequence shape is [B, K, S]', 'gen_sequence: (B, K, S)'],
  ['# sin_emb and cos_emb are (max_h * max_w, dim//2)', 'sin_emb, cos_emb: (max_h * max_w, dim//2)'],
  ['# x: tensor [bs x sequence_length x num_channels]', 'x: (bs, sequence_length, num_channels)'],
  ['# hidden is torch.Size([2, 7, 768])', 'nothing'],
];

/** Each holds brackets or an `x` that a careless reader takes for a shape. */
const refused: readonly string[] = [
  '#',
  '# (optional)',
  '# (a) first, (b) second',
  '# (1) split the heads',
  '# see [1], [2]',
  '# e.g. (2, 3)',
  '# [0, 1, 2, 3]',
  '# range [0, 110]',
  '# (16, 16)',
  '# (x, y)',
  '# (cos, sin)',
  '# (q, k, v)',
  '# (H, W)',
  '# (height, width)',
  '# (R, G, B)',
  '# (i, j)',
  '# x = x.view(B, T, C)',
  '# B, T, C = x.size()',
  '# return (B, T, C)',
  '# q = q.view(B, T, nh, hs).transpose(1, 2)  # (B, nh, T, hs)',
  '# self.proj(B, T, C)',
  '# foo(B, T, C)',
  '# x[b, t]',
  '# for b, t in zip(B, T):',
  '# https://example.org/(B,T,C)',
  '# type: (Tensor, Tensor) -> Tensor',
  '# noqa: E501 (B, T, C)',
  '# torchvision 0.26 (batch, seq)',
  '# Copyright (c) 2018, Alexander Kirillov',
  '# Computes logits (batch, then sequence)',
  '# expects (B, T, C)',
  '# input shape: (b, h, n, d) where d = head_dim',
  '# reshape from (B, T, C)',
  '# (B, T, C) or (T, C)',
  '# x is (B, T, C) if batch_first else (T, B, C)',
  '# query (B, T, C) and key (B, S, C)',
  '# for each (batch, head, seq)',
  '# we broadcast over (batch, time)',
  '# (B, T, C) = x.shape',
  '# (B, T, C) + bias',
  '# 2x2 grid, B=1, Ni=4',
  '# O(N * D) memory',
  '# A B C',
  '# I am a b c',
  '# convert List[string, int] (batch)',
  '# B_1 x ... x B_K x T',
  '# batch_size * seq_len * hidden_dim',
  '# (from i to j, both inclusive)',
  '# (B, T, C',
  '# target_size: [(T), (H), W]',
  '# first (batch, time)',
  '# transposed to match the cache shape: [B, T, head_dim]',
  '# (B, T, C]',
  '# visible keys: [A, B, C, D, E, F]',
  '# 3 x [batch_size, num_heads, seq_length, head_dim]',
  '# relative positions: [L, L-1, ..., -R]',
];

describe('shape comments', () => {
  for (const [comment, contract] of read) {
    it(comment, () => assert.equal(show(parseShapeComment(comment)), contract));
  }
  for (const comment of refused) {
    it(`is none: ${comment}`, () => assert.equal(show(parseShapeComment(comment)), 'nothing'));
  }

  it('has the range of every dim, name and shape, moved by the offset', () => {
    const source = 'y = f(x)  # x: (B, 3 * C) -> (B, T x C)';
    const contract = parseShapeComment(source.slice(10), 10);
    assert.ok(contract !== undefined);
    const at = ({ range: { start, end } }: { readonly range: { readonly start: number; readonly end: number } }): string =>
      source.slice(start, end);
    assert.deepEqual(contract.names.map(at), ['x']);
    assert.deepEqual(contract.from.map(at), ['(B, 3 * C)']);
    assert.deepEqual(contract.from[0]?.dims.map(at), ['B', '3 * C']);
    assert.deepEqual(contract.to.dims.map(at), ['B', 'T x C']);
    assert.equal(at(contract.to), '(B, T x C)');
  });

  it('says how the shape was stated', () => {
    const stated = (text: string) => parseShapeComment(text)?.stated;
    assert.equal(stated('# (B, T, C)'), 'alone');
    assert.equal(stated('# Shape: (B, T, C)'), 'alone');
    assert.equal(stated('# -> (B, T, C)'), 'alone');
    assert.equal(stated('# x: (B, T, C)'), 'named');
    assert.equal(stated('# token embeddings of shape (B, T, C)'), 'prose');
  });

  it('gives dims under the names of the code', () => {
    const { to } = parseShapeComment('# (..., T, 3 * C, -1)') as Contract;
    const resolve = (name: string) => (name === 'C' ? number(64) : rigid(name));
    assert.equal(formatShape(toShape(to, resolve)), '(..., T, 192, ?)');
    assert.deepEqual(namesIn(to), ['T', 'C']);
    const unresolved: WrittenShape = (parseShapeComment('# (B, C)') as Contract).to;
    assert.equal(formatShape(toShape(unresolved, (name) => (name === 'B' ? rigid('B') : undefined))), '(B, ?)');
  });
});
