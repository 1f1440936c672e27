import type { Architecture, Architectures, Layout } from './architecture.ts';
import { gatedFfn, plainFfn } from './blocks.ts';
import type { Settings } from './settings.ts';
import type { Scope } from './sheet.ts';

/*
 * Qwen-VL's vision towers (https://arxiv.org/abs/2409.12191, section 2.1): patches over space and time, rotary positions, neighbouring
 * patches merged into one. The source of an entry `x` is the class it describes: transformers 5.18.0,
 * src/transformers/models/x/modeling_x.py.
 */

interface TowerOptions {
  /** Width of the blocks and of what the merger gives. */
  readonly widths: (c: Settings) => readonly [number, number];
  readonly patchBias?: boolean;
  readonly rms?: boolean;
  readonly ffn: (s: Scope, c: Settings, hidden: number) => void;
  readonly merger: (s: Scope, hidden: number, joined: number, out: number) => void;
  readonly positions?: boolean;
  readonly deepstack?: boolean;
}

const tower =
  (o: TowerOptions): Layout =>
  (s, c) => {
    const [hidden, out] = o.widths(c);
    const patch = c.int('patch_size');
    const merge = c.int('spatial_merge_size');
    const joined = hidden * merge * merge;
    s.convolution('patch_embed.proj', hidden, c.int('in_channels'), [c.int('temporal_patch_size'), patch, patch], o.patchBias === true);
    if (o.positions === true) s.embedding('pos_embed', c.int('num_position_embeddings'), hidden);
    s.each('blocks', c.int('depth'), (block) => {
      block.norm('norm1', hidden, o.rms !== true);
      block.norm('norm2', hidden, o.rms !== true);
      block.linear('attn.qkv', 3 * hidden, hidden, true);
      block.linear('attn.proj', hidden, hidden, true);
      o.ffn(block.at('mlp'), c, hidden);
    });
    o.merger(s.at('merger'), hidden, joined, out);
    // Features of some layers join the language model's first ones, each through a merger of its own.
    if (o.deepstack === true)
      s.each('deepstack_merger_list', (c.numbers('deepstack_visual_indexes') ?? [8, 16, 24]).length, (merger) =>
        qwen3Merger(merger, joined, joined, out),
      );
    for (const key of ['num_heads', 'window_size', 'tokens_per_second', 'fullatt_block_indexes', 'in_chans']) c.read.add(key);
  };

/** A norm, then two layers over the joined patches. */
function qwen3Merger(s: Scope, normed: number, joined: number, out: number): void {
  s.layerNorm('norm', normed);
  s.linear('linear_fc1', joined, joined, true);
  s.linear('linear_fc2', out, joined, true);
}

const qwen2Merger =
  (bias: boolean) =>
  (s: Scope, hidden: number, joined: number, out: number): void => {
    s.norm('ln_q', hidden, bias);
    s.linear('mlp.0', joined, joined, true);
    s.linear('mlp.2', out, joined, true);
  };

const qwen3 = (deepstack: boolean): Architecture => ({
  usual: 'Model',
  heads: {},
  body: tower({
    widths: (c) => [c.int('hidden_size'), c.int('out_hidden_size')],
    patchBias: true,
    positions: true,
    deepstack,
    ffn: (s, c, hidden) => plainFfn(s, ['linear_fc1', 'linear_fc2'], hidden, c.int('intermediate_size')),
    merger: qwen3Merger,
  }),
});

export const qwenVision: Architectures = {
  qwen2_vl_vision: {
    usual: 'Model',
    heads: {},
    body: tower({
      widths: (c) => [c.int('embed_dim'), c.int('hidden_size')],
      ffn: (s, c, hidden) => plainFfn(s, ['fc1', 'fc2'], hidden, Math.trunc(hidden * (c.real('mlp_ratio') ?? 4))),
      merger: qwen2Merger(true),
    }),
  },
  qwen2_5_vl_vision: {
    usual: 'Model',
    heads: {},
    body: tower({
      widths: (c) => [c.int('hidden_size'), c.int('out_hidden_size')],
      rms: true,
      ffn: (s, c, hidden) => gatedFfn(s, hidden, c.int('intermediate_size'), true),
      merger: qwen2Merger(false),
    }),
  },
  qwen3_vl_vision: qwen3(true),
  qwen3_vl_moe_vision: qwen3(true),
  qwen3_5_vision: qwen3(false),
  qwen3_5_moe_vision: qwen3(false),
};
