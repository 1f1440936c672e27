import type { ConfigReading, TransformerDesign } from '../../design/design.ts';

/**
 * Model types whose class rounds width / heads down and runs on with narrower heads. Each was built with 64 features and 6 heads
 * in transformers 5.18 and ran; the others fail at construction or in the first forward pass.
 */
const flooring = new Set(
  `apertus axk1 beit cohere cohere2 cpmant deepseek_v3 deit diffllama dinov2 dinov2_with_registers doge dots1 ernie4_5 ernie4_5_moe exaone4
  exaone_moe falcon_h1 flex_olmo glm4_moe glm4_moe_lite granite granite_swa granitemoe granitemoe_swa granitemoeshared gte ijepa
  jina_embeddings_v3 lfm2 longt5 minimax mistral mistral4 mixtral mt5 nanochat nemotron nomic_bert olmo olmo2 olmo3 olmo_hybrid phi phi3
  phimoe pixio qwen2 qwen2_moe qwen3_moe qwen3_vl_moe_text radio seed_oss smollm3 starcoder2 switch_transformers t5 tipsv2_vision_model umt5
  vit vit_mae vit_msn youtu`.split(/\s+/),
);

/** Model types whose class reads `head_dim` although its config class does not list it (same runs, from the projections' shapes). */
const readsUnlistedHeadDim = new Set(
  `apertus beit cohere cohere2 deit dinov2 dinov2_with_registers dots1 ernie4_5_moe exaone4 exaone_moe falcon_h1 flex_olmo glm4_moe granite
  granite_swa granitemoe granitemoe_swa granitemoeshared gte ijepa jina_embeddings_v3 lfm2 nanochat olmo olmo2 olmo3 olmo_hybrid phi phi3
  phimoe pixio qwen2 qwen2_moe qwen3_moe radio smollm3 starcoder2 tipsv2_vision_model vit vit_mae vit_msn`.split(/\s+/),
);

/**
 * What the code that reads this stack does with a width that heads do not divide: `library` rounds down although the library's own
 * default config asks for it, `rounds` rounds down, `fails` does not run.
 */
export function onRemainder(design: TransformerDesign): 'library' | 'rounds' | 'fails' {
  if (design.knowledge?.floorsHeadDim === true) return 'library';
  if (design.knowledge !== undefined && flooring.has(design.knowledge.modelType)) return 'rounds';
  // Meta's Llama code and those written after it: wq is dim x (n_heads * (dim // n_heads)) (llama/model.py, open_lm/model.py, lingua).
  const { section } = design;
  if (design.knowledge === undefined && section.has('n_heads') && (section.has('dim') || section.has('hidden_dim'))) return 'rounds';
  return 'fails';
}

/** The key that sets the head dim in this stack's code; undefined where there is none or it is not known. */
export function headDimKey(design: TransformerDesign, reading: ConfigReading): string | undefined {
  const { knowledge } = design;
  if (knowledge !== undefined) {
    const key = knowledge.keys.headDim;
    if (key !== undefined && /head|kv|size/.test(key)) return key;
    return readsUnlistedHeadDim.has(knowledge.modelType) && !design.custom ? 'head_dim' : undefined;
  }
  if (reading.dialect === 'litgpt') return 'head_size';
  if (reading.dialect === 'nemo' || reading.dialect === 'megatron-arguments') return 'kv_channels';
  return undefined;
}
