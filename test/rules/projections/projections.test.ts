import { expectFindings, expectFixes, expectMarked } from '../check.ts';

describe('HW201 ffn-width-is-not-as-written', () => {
  const neox = (more: string) =>
    `pipe_parallel_size: 1\nnum_layers: 32\nhidden_size: 4096\nnum_attention_heads: 32\nseq_length: 4096\n${more}`;

  it('gives the third that GPT-NeoX takes of a gated FFN', () => {
    expectFindings(
      neox('activation: swiglu\nintermediate_size: 11008\n'),
      'HW201',
      [{ at: '11008', says: 'makes the FFN 3840 wide, narrower than the model (4096)', severity: 'warning' }],
      { path: 'm.yml' },
    );
    expectFixes(neox('activation: swiglu\nintermediate_size: 11008\n'), 'HW201', ['Use intermediate_size 33024'], { path: 'm.yml' });
    expectFindings(
      neox('activation: geglu\nintermediate_size: 32768\n'),
      'HW201',
      [{ at: '32768', says: 'makes the FFN 11008 wide', severity: 'information' }],
      { path: 'm.yml' },
    );
  });

  it('gives the width that multiple_of would, and the half of Qwen 1', () => {
    expectFindings({ dim: 4096, n_layers: 32, n_heads: 32, hidden_dim: 14336, multiple_of: 256 }, 'HW201', [
      { at: '14336', says: 'multiple_of 256 would give 11008, not 14336', severity: 'information' },
    ]);
    expectFindings({ dim: 4096, n_layers: 32, n_heads: 32, hidden_dim: 11008, multiple_of: 1024, ffn_dim_multiplier: 1.3 }, 'HW201', [
      { at: '11008', says: 'multiple_of 1024 and ffn_dim_multiplier 1.3 would give 14336' },
    ]);
    expectFindings(
      { model_type: 'qwen', hidden_size: 2048, num_attention_heads: 16, num_hidden_layers: 24, intermediate_size: 11007 },
      'HW201',
      [{ at: '11007', says: 'each is 5503 wide' }],
    );
  });

  it('is silent where the formula and the number agree', () => {
    expectFindings(neox('activation: swiglu\nintermediate_size: 33024\n'), 'HW201', [], { path: 'm.yml' });
    expectFindings(neox('activation: gelu\nintermediate_size: 11008\n'), 'HW201', [], { path: 'm.yml' });
    expectFindings({ dim: 4096, n_layers: 32, n_heads: 32, hidden_dim: 14336, multiple_of: 1024, ffn_dim_multiplier: 1.3 }, 'HW201', []);
    expectFindings({ dim: 4096, n_layers: 32, n_heads: 32, hidden_dim: 14336 }, 'HW201', []);
    expectFindings(
      { model_type: 'qwen', hidden_size: 4096, num_attention_heads: 32, num_hidden_layers: 32, intermediate_size: 22016 },
      'HW201',
      [],
    );
  });
});

describe('HW202 embedding-width-differs-from-width', () => {
  const uer = (more: object) => ({
    emb_size: 128,
    feedforward_size: 3072,
    hidden_size: 768,
    hidden_act: 'gelu',
    heads_num: 12,
    layers_num: 12,
    encoder: 'transformer',
    ...more,
  });

  it('reports widths that nothing projects', () => {
    const squeeze = { model_type: 'squeezebert', hidden_size: 768, embedding_size: 128, num_attention_heads: 12, num_hidden_layers: 12 };
    expectFindings(squeeze, 'HW202', [{ at: '128', says: 'The embedding is 128 wide, the model 768', severity: 'error' }]);
    expectFixes(squeeze, 'HW202', ['Use embedding_size 768']);
    expectFindings(uer({}), 'HW202', [{ at: '128', says: 'without factorized_embedding_parameterization', severity: 'warning' }]);
    expectFixes(uer({}), 'HW202', ['Use emb_size 768']);
    const reformer = {
      model_type: 'reformer',
      hidden_size: 512,
      num_attention_heads: 8,
      attention_head_size: 32,
      axial_pos_embds_dim: [64, 192],
    };
    expectFindings(reformer, 'HW202', [{ at: '[\n    64,\n    192\n  ]', says: '64 + 192 = 256 wide together, the model 512' }]);
    expectFixes(reformer, 'HW202', ['Use hidden_size 256']);
  });

  it('is silent where a projection stands between', () => {
    for (const source of [
      { model_type: 'albert', hidden_size: 768, embedding_size: 128, num_attention_heads: 12, num_hidden_layers: 12 },
      { model_type: 'electra', hidden_size: 256, embedding_size: 128, num_attention_heads: 4, num_hidden_layers: 12 },
      {
        model_type: 'opt',
        hidden_size: 1024,
        word_embed_proj_dim: 512,
        num_attention_heads: 16,
        num_hidden_layers: 24,
        do_layer_norm_before: false,
      },
      uer({ factorized_embedding_parameterization: true }),
      uer({ emb_size: 768 }),
      uer({ encoder: 'gatedcnn' }),
      { model_type: 'reformer', hidden_size: 256, num_attention_heads: 4, axial_pos_embds_dim: [64, 192] },
      { model_type: 'reformer', hidden_size: 512, num_attention_heads: 8, axial_pos_embds: false, axial_pos_embds_dim: [64, 192] },
    ])
      expectFindings(source, 'HW202', []);
  });
});

describe('HW203 experts-per-token-exceed-experts', () => {
  const mixtral = (more: object) => ({
    model_type: 'mixtral',
    hidden_size: 4096,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    num_hidden_layers: 32,
    ...more,
  });

  it('reports a top k that cannot be taken', () => {
    expectFindings(mixtral({ num_local_experts: 8, num_experts_per_tok: 12 }), 'HW203', [
      { at: '12', says: '12 experts per token, but there are 8', severity: 'error' },
    ]);
    expectFixes(mixtral({ num_local_experts: 8, num_experts_per_tok: 12 }), 'HW203', ['Use 2 experts per token', 'Use all 8 experts']);
    expectMarked(
      'hidden_size: 1024\nnum_attention_heads: 16\nnum_layers: 12\nnum_moe_experts: 4\nmoe_router_topk: 6\n#                ^ HW203: 6 experts per token\n',
      { path: 'nemo.yaml' },
    );
    expectFindings(
      { dim: 1024, n_layers: 12, n_heads: 16, n_kv_heads: 4, hidden_dim: 4096, moe: { num_experts: 4, num_experts_per_tok: 8 } },
      'HW203',
      [{ at: '8', says: 'there are 4' }],
    );
  });

  it('reports a default that no longer fits', () => {
    const source = {
      model_type: 'qwen3_moe',
      hidden_size: 1024,
      num_attention_heads: 16,
      num_key_value_heads: 4,
      head_dim: 64,
      num_hidden_layers: 12,
      num_experts: 4,
    };
    expectFindings(source, 'HW203', [{ at: '4', says: '8 experts per token, the default of Qwen3MoeConfig' }]);
    expectFixes(source, 'HW203', ['Set num_experts_per_tok 2']);
  });

  it('is silent for all experts, dense models and routers of another kind', () => {
    expectFindings(mixtral({ num_local_experts: 8, num_experts_per_tok: 8 }), 'HW203', []);
    expectFindings({ hidden_size: 1024, num_attention_heads: 16, num_experts: 0, num_experts_per_tok: 2 }, 'HW203', []);
    expectFindings({ hidden_size: 1024, num_attention_heads: 16, num_experts: 1, num_experts_per_tok: 2 }, 'HW203', []);
    expectFindings({ ...mixtral({ num_local_experts: 4, num_experts_per_tok: 6 }), model_type: 'phimoe' }, 'HW203', []);
  });
});

const deepseek = (more: object) => ({
  model_type: 'deepseek_v3',
  hidden_size: 2048,
  num_attention_heads: 16,
  num_key_value_heads: 16,
  num_hidden_layers: 27,
  n_routed_experts: 64,
  num_experts_per_tok: 6,
  n_group: 8,
  topk_group: 4,
  ...more,
});

describe('HW204 expert-groups-do-not-fit', () => {
  it('reports groups that do not divide the experts', () => {
    expectFindings(deepseek({ n_routed_experts: 60 }), 'HW204', [
      { at: '8', says: '60 experts do not split into 8 groups: 60 % 8 = 4', severity: 'error' },
    ]);
    expectFixes(deepseek({ n_routed_experts: 60 }), 'HW204', ['Use 6 groups', 'Use 10 groups']);
  });

  it('reports more chosen groups than there are', () => {
    const native = {
      dim: 2048,
      n_layers: 27,
      n_heads: 16,
      inter_dim: 8192,
      n_routed_experts: 64,
      n_activated_experts: 6,
      n_expert_groups: 4,
      n_limited_groups: 8,
    };
    expectFindings(native, 'HW204', [{ at: '8', says: '8 groups are chosen for each token, but there are 4', severity: 'error' }]);
    expectFixes(native, 'HW204', ['Choose 4 groups']);
    expectFindings(
      'hidden_size: 1024\nnum_attention_heads: 16\nnum_layers: 12\nnum_moe_experts: 64\nmoe_router_topk: 4\nmoe_router_num_groups: 8\nmoe_router_group_topk: 9\n',
      'HW204',
      [{ at: '9', says: 'there are 8' }],
      { path: 'nemo.yaml' },
    );
  });

  it('warns where the chosen groups hold too few experts', () => {
    expectFindings(deepseek({ num_experts_per_tok: 12, topk_group: 1 }), 'HW204', [
      { at: '1', says: '12 experts per token, but the 1 chosen of 8 groups hold 8', severity: 'warning' },
    ]);
    expectFixes(deepseek({ num_experts_per_tok: 12, topk_group: 1 }), 'HW204', ['Choose 2 groups']);
  });

  it('is silent where they fit, without groups, and with greedy routing', () => {
    expectFindings(deepseek({}), 'HW204', []);
    expectFindings(deepseek({ n_group: 1, topk_group: 1, n_routed_experts: 61 }), 'HW204', []);
    expectFindings(
      { ...deepseek({ n_routed_experts: 60, topk_method: 'greedy', q_lora_rank: null }), model_type: 'deepseek_v2' },
      'HW204',
      [],
    );
  });
});

describe('HW205 tied-embeddings-cannot-tie', () => {
  const marian = (more: object) => ({
    model_type: 'marian',
    d_model: 512,
    encoder_layers: 6,
    decoder_layers: 6,
    encoder_attention_heads: 8,
    decoder_attention_heads: 8,
    vocab_size: 58101,
    pad_token_id: 0,
    eos_token_id: 0,
    decoder_start_token_id: 0,
    forced_eos_token_id: 0,
    ...more,
  });

  it('reports vocabularies and widths that cannot share a matrix', () => {
    const shared = marian({ decoder_vocab_size: 32001, share_encoder_decoder_embeddings: true });
    expectFindings(shared, 'HW205', [{ at: '32001', says: 'Embeddings of 58101 and 32001 tokens', severity: 'warning' }]);
    expectFixes(shared, 'HW205', ['Use 58101 for both', 'Set share_encoder_decoder_embeddings false']);
    expectFindings(
      {
        model_type: 'fsmt',
        d_model: 1024,
        encoder_layers: 6,
        decoder_layers: 6,
        encoder_attention_heads: 16,
        decoder_attention_heads: 16,
        src_vocab_size: 31640,
        tgt_vocab_size: 31232,
        tie_word_embeddings: true,
      },
      'HW205',
      [{ at: '31232', says: 'Embeddings of 31640 and 31232 tokens' }],
    );
    const fairseq =
      'encoder_embed_dim: 512\ndecoder_embed_dim: 256\nencoder_attention_heads: 8\ndecoder_attention_heads: 4\nencoder_layers: 6\ndecoder_layers: 6\nshare_all_embeddings: true\n';
    expectFindings(fairseq, 'HW205', [{ at: '256', says: 'Embeddings 512 and 256 wide', severity: 'error' }], { path: 'fairseq.yaml' });
    expectFixes(fairseq, 'HW205', ['Use 512 for both', 'Set share_all_embeddings false'], { path: 'fairseq.yaml' });
  });

  it('is silent where they agree or are not shared', () => {
    expectFindings(marian({ decoder_vocab_size: 58101, share_encoder_decoder_embeddings: true }), 'HW205', []);
    expectFindings(marian({ decoder_vocab_size: 32001, share_encoder_decoder_embeddings: false }), 'HW205', []);
    expectFindings(marian({}), 'HW205', []);
    expectFindings(
      {
        model_type: 'rembert',
        hidden_size: 1152,
        num_attention_heads: 18,
        num_hidden_layers: 12,
        input_embedding_size: 256,
        output_embedding_size: 1664,
        tie_word_embeddings: false,
      },
      'HW205',
      [],
    );
  });
});

describe('HW206 cross-attention-width-is-not-encoder-width', () => {
  const vision = (cross: object) => ({
    model_type: 'vision-encoder-decoder',
    encoder: { model_type: 'deit', hidden_size: 768, num_attention_heads: 12, num_hidden_layers: 12 },
    decoder: { model_type: 'trocr', d_model: 1024, decoder_attention_heads: 16, decoder_layers: 12, ...cross },
  });
  const text = (model_type: string, encoder: string, cross: object) => ({
    model_type,
    [encoder]: { model_type: 'bert', hidden_size: 1024, num_attention_heads: 16, num_hidden_layers: 24 },
    decoder: { model_type: 'bert', hidden_size: 768, num_attention_heads: 12, num_hidden_layers: 12, is_decoder: true, ...cross },
  });

  it('reports another width than the encoder gives', () => {
    expectFindings(vision({ cross_attention_hidden_size: 1024 }), 'HW206', [
      { at: '1024', says: 'Cross-attention reads 1024 features, the encoder gives 768', severity: 'error' },
    ]);
    expectFixes(vision({ cross_attention_hidden_size: 1024 }), 'HW206', ['Use cross_attention_hidden_size 768']);
    expectFindings(text('encoder-decoder', 'encoder', { cross_attention_hidden_size: 768 }), 'HW206', [
      { at: '768', says: 'the encoder gives 1024' },
    ]);
    expectFindings(text('musicgen', 'text_encoder', { cross_attention_hidden_size: 768 }), 'HW206', [
      { at: '768', says: 'the encoder gives 1024' },
    ]);
  });

  it('is silent where they agree or a projection is put between', () => {
    expectFindings(vision({ cross_attention_hidden_size: 768 }), 'HW206', []);
    expectFindings(vision({ cross_attention_hidden_size: null }), 'HW206', []);
    expectFindings(text('encoder-decoder', 'encoder', {}), 'HW206', []);
  });
});

describe('HW207 encoder-and-decoder-widths-differ', () => {
  const whisper = (more: object) => ({
    n_mels: 80,
    n_audio_ctx: 1500,
    n_audio_state: 512,
    n_audio_head: 8,
    n_audio_layer: 6,
    n_vocab: 51865,
    n_text_ctx: 448,
    n_text_state: 512,
    n_text_head: 8,
    n_text_layer: 6,
    ...more,
  });
  const t5gemma2 = (encoder: number, decoder: number) => ({
    model_type: 't5gemma2',
    encoder: {
      text_config: { hidden_size: encoder, num_attention_heads: 4, num_key_value_heads: 1, head_dim: 256, num_hidden_layers: 18 },
    },
    decoder: { hidden_size: decoder, num_attention_heads: 4, num_key_value_heads: 1, head_dim: 256, num_hidden_layers: 18 },
  });

  it('reports widths that one cross-attention cannot join', () => {
    const wide = whisper({ n_audio_state: 768, n_audio_head: 12 });
    expectFindings(wide, 'HW207', [{ at: '512', says: 'The decoder is 512 wide, the encoder 768', severity: 'error' }]);
    expectFixes(wide, 'HW207', ['Use n_text_state 768']);
    expectFindings(t5gemma2(640, 1152), 'HW207', [{ at: '1152', says: 'the encoder 640' }]);
    expectFindings(
      'n_audio_state: 768\nn_audio_head: 12\nn_audio_layer: 12\nn_text_state: 512\nn_text_head: 8\nn_text_layer: 6\n',
      'HW207',
      [{ at: '512', says: 'the encoder 768' }],
      { path: 'whisper.yaml' },
    );
  });

  it('is silent for one width, and for models that project', () => {
    expectFindings(whisper({}), 'HW207', []);
    expectFindings(t5gemma2(640, 640), 'HW207', []);
    expectFindings({ ...t5gemma2(640, 1152), model_type: 't5gemma' }, 'HW207', []);
  });
});

describe('HW208 projector-width-does-not-fit', () => {
  const qwen = (out: number) => ({
    model_type: 'qwen2_5_vl',
    hidden_size: 2048,
    num_attention_heads: 16,
    num_key_value_heads: 2,
    num_hidden_layers: 36,
    vision_config: { depth: 32, hidden_size: 1280, num_heads: 16, out_hidden_size: out },
  });
  const llava = (size: number, tower: string) => ({
    model_type: 'llava_llama',
    hidden_size: 4096,
    num_attention_heads: 32,
    num_hidden_layers: 32,
    mm_hidden_size: size,
    mm_vision_tower: tower,
  });

  it('reports merged patches of another width than the language model', () => {
    expectFindings(qwen(3584), 'HW208', [
      { at: '3584', says: 'gives 3584 features per patch, the language model takes 2048', severity: 'warning' },
    ]);
    expectFixes(qwen(3584), 'HW208', ['Use out_hidden_size 2048']);
    expectFindings(
      {
        model_type: 'qwen3_vl',
        text_config: { hidden_size: 2560, num_attention_heads: 32, num_key_value_heads: 8, head_dim: 128, num_hidden_layers: 36 },
        vision_config: { depth: 24, hidden_size: 1024, num_heads: 16, out_hidden_size: 2048 },
      },
      'HW208',
      [{ at: '2048', says: 'takes 2560' }],
    );
    expectFindings(
      {
        model_type: 'qwen2_vl',
        hidden_size: 1536,
        num_attention_heads: 12,
        num_key_value_heads: 2,
        num_hidden_layers: 28,
        vision_config: { depth: 32, embed_dim: 1280, num_heads: 16, hidden_size: 3584 },
      },
      'HW208',
      [{ at: '3584', says: 'takes 1536' }],
    );
  });

  it('reports a width that the named tower does not give', () => {
    expectFindings(llava(1664, 'openai/clip-vit-large-patch14-336'), 'HW208', [{ at: '1664', says: 'which gives 1024 features' }]);
    expectFixes(llava(1664, 'openai/clip-vit-large-patch14-336'), 'HW208', ['Use mm_hidden_size 1024']);
  });

  it('is silent where they agree, for several stacked features, unknown towers and other code', () => {
    expectFindings(qwen(2048), 'HW208', []);
    expectFindings(llava(1024, 'openai/clip-vit-large-patch14-336'), 'HW208', []);
    expectFindings(llava(3072, 'openai/clip-vit-large-patch14-336'), 'HW208', []);
    expectFindings(llava(1664, 'someone/another-tower'), 'HW208', []);
    expectFindings({ mm_hidden_size: 1664, hidden_size: 4096 }, 'HW208', []);
    expectFindings({ ...qwen(3584), auto_map: { AutoModel: 'x.Y' } }, 'HW208', []);
  });
});
