import type { ConfigReading } from '../design/design.ts';
import { readDesign } from '../design/read.ts';
import { parseJson } from '../syntax/json.ts';

type Config = Readonly<Record<string, unknown>>;

/** Sizes in the order width, query heads, KV heads, layers, feed-forward, vocabulary. */
type Sizes = readonly [d: number, h: number, kv: number, layers: number, ff: number, vocabulary: number];

const decoder =
  (model_type: string, className: string, common: Config) =>
  (
    [hidden_size, num_attention_heads, num_key_value_heads, num_hidden_layers, intermediate_size, vocab_size]: Sizes,
    more: Config = {},
  ): Config => ({
    model_type,
    architectures: [className],
    hidden_size,
    num_attention_heads,
    num_key_value_heads,
    num_hidden_layers,
    intermediate_size,
    vocab_size,
    torch_dtype: 'bfloat16',
    ...common,
    ...more,
  });

const llama = decoder('llama', 'LlamaForCausalLM', { tie_word_embeddings: false });
const mistral = decoder('mistral', 'MistralForCausalLM', { tie_word_embeddings: false });
const mixtral = decoder('mixtral', 'MixtralForCausalLM', { tie_word_embeddings: false, num_local_experts: 8, num_experts_per_tok: 2 });
const qwen2 = decoder('qwen2', 'Qwen2ForCausalLM', { tie_word_embeddings: false, use_sliding_window: false });
const qwen3 = decoder('qwen3', 'Qwen3ForCausalLM', { tie_word_embeddings: false, head_dim: 128, use_sliding_window: false });
const qwen3Moe = decoder('qwen3_moe', 'Qwen3MoeForCausalLM', {
  tie_word_embeddings: false,
  head_dim: 128,
  num_experts: 128,
  num_experts_per_tok: 8,
  decoder_sparse_step: 1,
  mlp_only_layers: [],
});
const gemma2 = decoder('gemma2', 'Gemma2ForCausalLM', { head_dim: 256, sliding_window: 4096 });
const gemma3 = decoder('gemma3_text', 'Gemma3ForCausalLM', { head_dim: 256, sliding_window: 1024 });
const phi3 = decoder('phi3', 'Phi3ForCausalLM', { tie_word_embeddings: false });
const gptOss = decoder('gpt_oss', 'GptOssForCausalLM', {
  tie_word_embeddings: false,
  head_dim: 64,
  sliding_window: 128,
  num_experts_per_tok: 4,
  attention_bias: true,
});

const gpt2 = (n_embd: number, n_head: number, n_layer: number): Config => ({
  model_type: 'gpt2',
  architectures: ['GPT2LMHeadModel'],
  n_embd,
  n_head,
  n_layer,
  n_positions: 1024,
  vocab_size: 50257,
});

const pythia = (hidden_size: number, num_attention_heads: number, num_hidden_layers: number, vocab_size: number): Config => ({
  model_type: 'gpt_neox',
  architectures: ['GPTNeoXForCausalLM'],
  hidden_size,
  num_attention_heads,
  num_hidden_layers,
  intermediate_size: 4 * hidden_size,
  vocab_size,
  tie_word_embeddings: false,
  torch_dtype: 'float16',
});

/** Latent attention with one kind of head: 128 unrotated and 64 rotated features, values of 128. */
const deepseek = (model_type: string, className: string, sizes: Config): Config => ({
  model_type,
  architectures: [className],
  kv_lora_rank: 512,
  qk_rope_head_dim: 64,
  qk_nope_head_dim: 128,
  v_head_dim: 128,
  tie_word_embeddings: false,
  torch_dtype: 'bfloat16',
  ...sizes,
});

const encoder = (
  model_type: string,
  className: string,
  [hidden_size, num_attention_heads, num_hidden_layers]: readonly [number, number, number],
  more: Config,
): Config => ({
  model_type,
  architectures: [className],
  hidden_size,
  num_attention_heads,
  num_hidden_layers,
  intermediate_size: 4 * hidden_size,
  ...more,
});

const bert = (d: number, h: number, layers: number): Config =>
  encoder('bert', 'BertModel', [d, h, layers], { vocab_size: 30522, max_position_embeddings: 512, type_vocab_size: 2 });
const roberta = (d: number, h: number, layers: number): Config =>
  encoder('roberta', 'RobertaModel', [d, h, layers], { vocab_size: 50265, max_position_embeddings: 514, type_vocab_size: 1 });
const vit = (d: number, h: number, layers: number, patch_size: number): Config =>
  encoder('vit', 'ViTModel', [d, h, layers], { image_size: 224, patch_size, num_channels: 3, qkv_bias: true });

const t5 = (d_model: number, num_heads: number, num_layers: number, d_ff: number, d_kv: number): Config => ({
  model_type: 't5',
  architectures: ['T5ForConditionalGeneration'],
  d_model,
  num_heads,
  num_layers,
  num_decoder_layers: num_layers,
  d_ff,
  d_kv,
  vocab_size: 32128,
  feed_forward_proj: 'relu',
  tie_word_embeddings: true,
});

const whisper = (d_model: number, heads: number, layers: number, more: Config = {}): Config => ({
  model_type: 'whisper',
  architectures: ['WhisperForConditionalGeneration'],
  d_model,
  encoder_attention_heads: heads,
  decoder_attention_heads: heads,
  encoder_layers: layers,
  decoder_layers: layers,
  encoder_ffn_dim: 4 * d_model,
  decoder_ffn_dim: 4 * d_model,
  vocab_size: 51865,
  num_mel_bins: 80,
  max_source_positions: 1500,
  max_target_positions: 448,
  ...more,
});

/**
 * Published designs by the name that a query uses: the numbers of their published configurations, in their families' own keys.
 * `test/unit/calculator/presets.test.ts` holds each against the real model's parameters.
 */
export const presets: Readonly<Record<string, Config>> = {
  gpt2: gpt2(768, 12, 12),
  'gpt2-medium': gpt2(1024, 16, 24),
  'gpt2-large': gpt2(1280, 20, 36),
  'gpt2-xl': gpt2(1600, 25, 48),
  'pythia-1b': pythia(2048, 8, 16, 50304),
  'pythia-12b': pythia(5120, 40, 36, 50688),
  'gpt-neox-20b': pythia(6144, 64, 44, 50432),
  'llama2-7b': llama([4096, 32, 32, 32, 11008, 32000], { torch_dtype: 'float16' }),
  'llama2-13b': llama([5120, 40, 40, 40, 13824, 32000], { torch_dtype: 'float16' }),
  'llama2-70b': llama([8192, 64, 8, 80, 28672, 32000], { torch_dtype: 'float16' }),
  'llama3-8b': llama([4096, 32, 8, 32, 14336, 128256]),
  'llama3-70b': llama([8192, 64, 8, 80, 28672, 128256]),
  'llama3.1-8b': llama([4096, 32, 8, 32, 14336, 128256]),
  'llama3.1-70b': llama([8192, 64, 8, 80, 28672, 128256]),
  'llama3.1-405b': llama([16384, 128, 8, 126, 53248, 128256]),
  'llama3.2-1b': llama([2048, 32, 8, 16, 8192, 128256], { head_dim: 64, tie_word_embeddings: true }),
  'llama3.2-3b': llama([3072, 24, 8, 28, 8192, 128256], { head_dim: 128, tie_word_embeddings: true }),
  'llama3.3-70b': llama([8192, 64, 8, 80, 28672, 128256]),
  'mistral-7b': mistral([4096, 32, 8, 32, 14336, 32000], { sliding_window: 4096 }),
  'mistral-7b-v0.3': mistral([4096, 32, 8, 32, 14336, 32768], { sliding_window: null }),
  'mistral-nemo-12b': mistral([5120, 32, 8, 40, 14336, 131072], { head_dim: 128, sliding_window: null }),
  'mistral-small-24b': mistral([5120, 32, 8, 40, 32768, 131072], { head_dim: 128, sliding_window: null }),
  'mixtral-8x7b': mixtral([4096, 32, 8, 32, 14336, 32000]),
  'mixtral-8x22b': mixtral([6144, 48, 8, 56, 16384, 32000]),
  'qwen2.5-0.5b': qwen2([896, 14, 2, 24, 4864, 151936], { tie_word_embeddings: true }),
  'qwen2.5-1.5b': qwen2([1536, 12, 2, 28, 8960, 151936], { tie_word_embeddings: true }),
  'qwen2.5-3b': qwen2([2048, 16, 2, 36, 11008, 151936], { tie_word_embeddings: true }),
  'qwen2.5-7b': qwen2([3584, 28, 4, 28, 18944, 152064]),
  'qwen2.5-14b': qwen2([5120, 40, 8, 48, 13824, 152064]),
  'qwen2.5-32b': qwen2([5120, 40, 8, 64, 27648, 152064]),
  'qwen2.5-72b': qwen2([8192, 64, 8, 80, 29568, 152064]),
  'qwen3-0.6b': qwen3([1024, 16, 8, 28, 3072, 151936], { tie_word_embeddings: true }),
  'qwen3-1.7b': qwen3([2048, 16, 8, 28, 6144, 151936], { tie_word_embeddings: true }),
  'qwen3-4b': qwen3([2560, 32, 8, 36, 9728, 151936], { tie_word_embeddings: true }),
  'qwen3-8b': qwen3([4096, 32, 8, 36, 12288, 151936]),
  'qwen3-14b': qwen3([5120, 40, 8, 40, 17408, 151936]),
  'qwen3-32b': qwen3([5120, 64, 8, 64, 25600, 151936]),
  'qwen3-30b-a3b': qwen3Moe([2048, 32, 4, 48, 6144, 151936], { moe_intermediate_size: 768 }),
  'qwen3-235b-a22b': qwen3Moe([4096, 64, 4, 94, 12288, 151936], { moe_intermediate_size: 1536 }),
  'gemma2-2b': gemma2([2304, 8, 4, 26, 9216, 256000]),
  'gemma2-9b': gemma2([3584, 16, 8, 42, 14336, 256000]),
  'gemma2-27b': gemma2([4608, 32, 16, 46, 36864, 256000], { head_dim: 128 }),
  'gemma3-1b': gemma3([1152, 4, 1, 26, 6912, 262144], { sliding_window: 512 }),
  'gemma3-4b': gemma3([2560, 8, 4, 34, 10240, 262208]),
  'gemma3-12b': gemma3([3840, 16, 8, 48, 15360, 262208]),
  'gemma3-27b': gemma3([5376, 32, 16, 62, 21504, 262208], { head_dim: 128 }),
  'phi3-mini': phi3([3072, 32, 32, 32, 8192, 32064], { sliding_window: 2047 }),
  'phi3-medium': phi3([5120, 40, 10, 40, 17920, 32064], { sliding_window: 2047 }),
  'phi4-14b': phi3([5120, 40, 10, 40, 17920, 100352], { sliding_window: null }),
  'gpt-oss-20b': gptOss([2880, 64, 8, 24, 2880, 201088], { num_local_experts: 32 }),
  'gpt-oss-120b': gptOss([2880, 64, 8, 36, 2880, 201088], { num_local_experts: 128 }),
  'deepseek-v2-lite': deepseek('deepseek_v2', 'DeepseekV2ForCausalLM', {
    hidden_size: 2048,
    num_attention_heads: 16,
    num_key_value_heads: 16,
    num_hidden_layers: 27,
    q_lora_rank: null,
    intermediate_size: 10944,
    moe_intermediate_size: 1408,
    n_routed_experts: 64,
    n_shared_experts: 2,
    num_experts_per_tok: 6,
    first_k_dense_replace: 1,
    vocab_size: 102400,
  }),
  'deepseek-v2': deepseek('deepseek_v2', 'DeepseekV2ForCausalLM', {
    hidden_size: 5120,
    num_attention_heads: 128,
    num_key_value_heads: 128,
    num_hidden_layers: 60,
    q_lora_rank: 1536,
    intermediate_size: 12288,
    moe_intermediate_size: 1536,
    n_routed_experts: 160,
    n_shared_experts: 2,
    num_experts_per_tok: 6,
    first_k_dense_replace: 1,
    vocab_size: 102400,
  }),
  'deepseek-v3': deepseek('deepseek_v3', 'DeepseekV3ForCausalLM', {
    hidden_size: 7168,
    num_attention_heads: 128,
    num_key_value_heads: 128,
    num_hidden_layers: 61,
    q_lora_rank: 1536,
    intermediate_size: 18432,
    moe_intermediate_size: 2048,
    n_routed_experts: 256,
    n_shared_experts: 1,
    num_experts_per_tok: 8,
    n_group: 8,
    topk_group: 4,
    first_k_dense_replace: 3,
    vocab_size: 129280,
  }),
  'bert-base': bert(768, 12, 12),
  'bert-large': bert(1024, 16, 24),
  'roberta-base': roberta(768, 12, 12),
  'roberta-large': roberta(1024, 16, 24),
  't5-small': t5(512, 8, 6, 2048, 64),
  't5-base': t5(768, 12, 12, 3072, 64),
  't5-large': t5(1024, 16, 24, 4096, 64),
  't5-3b': t5(1024, 32, 24, 16384, 128),
  't5-11b': t5(1024, 128, 24, 65536, 128),
  'vit-base': vit(768, 12, 12, 16),
  'vit-large': vit(1024, 16, 24, 16),
  'vit-huge': vit(1280, 16, 32, 14),
  'whisper-tiny': whisper(384, 6, 4),
  'whisper-base': whisper(512, 8, 6),
  'whisper-small': whisper(768, 12, 12),
  'whisper-medium': whisper(1024, 16, 24),
  'whisper-large-v3': whisper(1280, 20, 32, { num_mel_bins: 128, vocab_size: 51866 }),
  'whisper-large-v3-turbo': whisper(1280, 20, 32, { decoder_layers: 4, num_mel_bins: 128, vocab_size: 51866 }),
};

export const presetNames: readonly string[] = Object.keys(presets);

const readings = new Map<string, ConfigReading>();

/** A preset as a file would be read; undefined for a name that is none. */
export function presetReading(name: string): ConfigReading | undefined {
  const known = readings.get(name);
  if (known !== undefined || !Object.hasOwn(presets, name)) return known;
  const reading = readDesign(parseJson(JSON.stringify(presets[name])));
  if (reading !== undefined) readings.set(name, reading);
  return reading;
}
