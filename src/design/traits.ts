import { isScalar } from '../syntax/node.ts';
import type { Field, NormPlacement } from './design.ts';
import { booleanOf, type Section } from './section.ts';

/**
 * Hand-checked facts about model types that no config key holds, each read from the model's own code
 * (`modeling_<type>.py`): where the norms sit, whether attention is causal, how positions enter.
 */
const placements: Readonly<Record<Exclude<NormPlacement, 'none'>, string>> = {
  pre: `llama mistral mixtral qwen2 qwen2_moe qwen3 qwen3_moe qwen3_next phi3 phi4 gemma gpt2 gpt_neo gpt_bigcode bloom mpt starcoder2 stablelm deepseek_v2 deepseek_v3 deepseek_v32 deepseek
    cohere granite granitemoe granitemoeshared granitemoehybrid olmo olmoe internlm internlm2 internlm3 baichuan qwen yi chatglm glm glm4_moe minimax nemotron dbrx jamba openelm smollm3 seed_oss helium gpt_oss
    llama4_text mllama_text_model vit deit beit siglip_vision_model siglip_text_model clip_text_model clip_vision_model clip siglip dinov2 dinov2_with_registers vit_mae videomae vivit ijepa
    t5 mt5 umt5 longt5 switch_transformers mbart pegasus whisper m2m_100 nllb-moe blenderbot biogpt xglm speech_to_text megatron-bert xlm-roberta-xl roberta-prelayernorm modernbert esm sam_vision_model
    arcee apertus bitnet diffllama doge ernie4_5 ernie4_5_moe hunyuan_v1_dense hunyuan_v1_moe lfm2 longcat_flash mimo ministral minicpm minicpm3 telechat ministral3 moshi nanochat persimmon phimoe qwen2_vl_text
    qwen2_5_vl_text qwen3_vl_text qwen3_vl_moe_text qwen3_5_text qwen3_5_moe_text recurrent_gemma youtu zamba zamba2 bamba falcon_h1 aria_text kimi_linear imagegpt clvp pegasus_x bigbird_pegasus xmod_pre`,
  post: `bert roberta xlm-roberta electra albert distilbert camembert ernie mpnet deberta deberta-v2 bart marian fsmt plbart led xlnet xlm openai-gpt longformer big_bird bigbird convbert funnel layoutlm
    layoutlmv3 lilt luke markuplm mobilebert nezha roformer squeezebert splinter tapas visual_bert data2vec-text ibert flaubert blenderbot-small mvp prophetnet blip_text_model git bert-generation reformer_post bros
    camembert ernie_m jina_embeddings_v3 rembert roc_bert detr conditional_detr table-transformer`,
  sandwich: 'gemma2 gemma3_text gemma3n_text gemma4_text glm4 t5gemma vaultgemma swinv2_sandwich step3p7',
  output: 'olmo2 olmo3 exaone4 flex_olmo swinv2',
  parallel: 'gptj codegen phi cohere2 persimmon_parallel',
};

const causalTypes = new Set(
  `llama mistral mixtral qwen2 qwen2_moe qwen3 qwen3_moe qwen3_next phi phi3 phi4 phimoe gemma gemma2 gemma3_text gemma3n_text gemma4_text gpt2 gpt_neo gpt_neox gpt_bigcode gptj codegen bloom mpt falcon RefinedWeb RefinedWebModel starcoder2
  stablelm deepseek_v2 deepseek_v3 cohere cohere2 granite granitemoe granitemoeshared granitemoehybrid olmo olmo2 olmo3 olmoe internlm internlm2 internlm3 baichuan qwen chatglm_causal glm glm4 glm4_moe nemotron dbrx openelm smollm3 seed_oss
  helium gpt_oss llama4_text mllama_text_model opt xglm biogpt openai-gpt ctrl persimmon arcee apertus bitnet diffllama ernie4_5 hunyuan_v1_dense mimo ministral minicpm minicpm3 telechat exaone4 qwen3_5_text qwen3_5_moe_text qwen2_vl_text
  qwen2_5_vl_text qwen3_vl_text qwen3_vl_moe_text youtu clip_text_model kimi_linear yi openmoe`.split(/\s+/),
);

const bidirectionalTypes = new Set(
  `bert roberta xlm-roberta xlm-roberta-xl electra albert distilbert camembert ernie mpnet deberta deberta-v2 longformer big_bird convbert layoutlm layoutlmv3 luke markuplm mobilebert roformer squeezebert splinter tapas data2vec-text ibert
  megatron-bert roberta-prelayernorm modernbert esm vit deit beit siglip_vision_model siglip_text_model clip_vision_model dinov2 dinov2_with_registers vit_mae videomae sam_vision_model wav2vec2 hubert wavlm swin swinv2`.split(
    /\s+/,
  ),
);

const positionTypes: Readonly<Record<string, string>> = {
  rope: `llama mistral mixtral qwen2 qwen2_moe qwen3 qwen3_moe qwen3_next phi phi3 phi4 phimoe gemma gemma2 gemma3_text gemma3n_text gemma4_text gpt_neox gptj codegen stablelm starcoder2 deepseek_v2 deepseek_v3 cohere cohere2 granite granitemoe
    granitemoeshared olmo olmo2 olmo3 olmoe internlm internlm2 glm glm4 glm4_moe nemotron dbrx openelm smollm3 seed_oss helium gpt_oss llama4_text mllama_text_model persimmon arcee apertus bitnet exaone4 mimo ministral minicpm roformer modernbert
    hunyuan_v1_dense qwen3_5_text qwen3_5_moe_text qwen2_vl_text qwen2_5_vl_text qwen3_vl_text ernie4_5 youtu minicpm3 diffllama`,
  learned: `bert roberta xlm-roberta electra albert distilbert camembert mpnet gpt2 gpt_neo gpt_bigcode openai-gpt opt bart mbart biogpt layoutlm longformer data2vec-text splinter clip_text_model clip_vision_model siglip_vision_model
    siglip_text_model vit deit dinov2 git blip_text_model whisper plbart led blenderbot-small blenderbot`,
  alibi: 'bloom mpt',
  relative: 't5 mt5 umt5 longt5 switch_transformers deberta deberta-v2 xlnet',
  sinusoidal: 'marian pegasus m2m_100 speech_to_text xglm fsmt nllb-moe',
};

/** Whether the FFN multiplies a gate into its value (Shazeer 2020), where the generated table does not know. */
const gatedTypes = new Set(
  `llama mistral mixtral qwen qwen2 qwen2_moe qwen3 qwen3_moe qwen3_next qwen3_5_text qwen3_5_moe_text qwen2_vl_text qwen2_5_vl_text qwen3_vl_text gemma gemma2 gemma3_text gemma3n_text gemma4_text phi3 phi4 cohere cohere2
  granite granitemoe granitemoeshared granitemoehybrid olmo olmo2 olmo3 olmoe internlm internlm2 internlm3 baichuan deepseek deepseek_v2 deepseek_v3 stablelm glm glm4 glm4_moe minimax seed_oss smollm3 helium mllama_text_model
  llama4_text exaone4 mimo minicpm minicpm3 ernie4_5 hunyuan_v1_dense telechat yi dbrx jamba gpt_oss modernbert recurrent_gemma diffllama csm moshi aria_text logics`.split(
    /\s+/,
  ),
);
const ungatedTypes = new Set(
  `gpt2 gpt_neo gpt_neox gptj codegen gpt_bigcode openai-gpt bloom mpt falcon RefinedWeb RefinedWebModel opt phi starcoder2 bert roberta xlm-roberta electra albert distilbert camembert deberta deberta-v2 bart mbart marian
  pegasus whisper vit deit beit clip_text_model clip_vision_model siglip_text_model siglip_vision_model wav2vec2 hubert wavlm nemotron arcee esm layoutlm layoutlmv3 xglm biogpt m2m_100 persimmon`.split(
    /\s+/,
  ),
);

export const gatedByFamily = (type: string | undefined): boolean | undefined =>
  type === undefined ? undefined : gatedTypes.has(type) ? true : ungatedTypes.has(type) ? false : undefined;

function table(source: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const [value, types] of Object.entries(source)) for (const type of types.trim().split(/\s+/)) map.set(type, value);
  return map;
}

let placementOf: ReadonlyMap<string, string> | undefined;
let positionsOf: ReadonlyMap<string, string> | undefined;

/** Where the library's class of this type puts its norms whatever the file says; undefined where it has a switch or is not known here. */
export function familyPlacement(type: string): NormPlacement | undefined {
  placementOf ??= table(placements);
  return placementOf.get(type) as NormPlacement | undefined;
}

export interface Traits {
  readonly normPlacement?: Field<NormPlacement>;
  readonly causal?: Field<boolean>;
  readonly positions?: Field<string>;
}

/** Boolean keys that say where the norms sit, with what true and false mean. Each is the family's own switch. */
export const placementSwitches: readonly { readonly key: string; readonly whenTrue: NormPlacement; readonly whenFalse: NormPlacement }[] = [
  { key: 'do_layer_norm_before', whenTrue: 'pre', whenFalse: 'post' }, // OPT
  { key: 'norm_first', whenTrue: 'pre', whenFalse: 'post' }, // torch.nn.Transformer
  { key: 'layer_norm_first', whenTrue: 'pre', whenFalse: 'post' }, // fairseq wav2vec 2
  { key: 'do_stable_layer_norm', whenTrue: 'pre', whenFalse: 'post' }, // wav2vec 2
  { key: 'encoder_normalize_before', whenTrue: 'pre', whenFalse: 'post' }, // fairseq
  { key: 'pre_norm', whenTrue: 'pre', whenFalse: 'post' },
  { key: 'post_norm', whenTrue: 'post', whenFalse: 'pre' },
];

/** Traits of a stack from its switches, then from its family. */
export function traitsOf(
  type: string | undefined,
  sections: readonly Section[],
  part: 'encoder' | 'decoder' | undefined,
  usesFamily: boolean,
): Traits {
  const traits: { -readonly [K in keyof Traits]?: Traits[K] } = {};
  for (const section of sections) readSwitches(section, traits);
  if (type === undefined) {
    // Google's BERT checkpoints and those of its kin carry no model type; their code normalises after the sum.
    const bert = sections.find((section) => section.has('type_vocab_size') && section.has('hidden_act'));
    if (bert !== undefined) {
      traits.normPlacement ??= { value: 'post', source: 'default', origin: 'BERT' };
      traits.causal ??= { value: false, source: 'default', origin: 'BERT' };
    }
    return traits;
  }
  const isDecoder = sections.some((section) => section.boolean('is_decoder') === true);
  placementOf ??= table(placements);
  positionsOf ??= table(positionTypes);
  const placement = placementOf.get(type);
  if (traits.normPlacement === undefined && placement !== undefined)
    traits.normPlacement = { value: placement as NormPlacement, source: 'default', origin: type };
  if (traits.causal === undefined) {
    if (part === 'decoder' || causalTypes.has(type)) traits.causal = { value: true, source: 'default', origin: type };
    else if (part === 'encoder' || bidirectionalTypes.has(type)) traits.causal = { value: isDecoder, source: 'default', origin: type };
  }
  const positions = positionsOf.get(type);
  if (usesFamily && positions !== undefined) traits.positions = { value: positions, source: 'default', origin: type };
  return traits;
}

function readSwitches(section: Section, traits: { -readonly [K in keyof Traits]?: Traits[K] }): void {
  for (const { key, whenTrue, whenFalse } of placementSwitches) {
    const found = section.lookup(key);
    const value = found.state === 'value' ? booleanOf(found.node) : undefined;
    if (value === undefined || found.state !== 'value' || traits.normPlacement !== undefined) continue;
    traits.normPlacement = {
      value: value ? whenTrue : whenFalse,
      source: 'written',
      range: found.node.range,
      keyRange: found.entry.keyRange,
      key: found.entry.key,
    };
    break;
  }
  for (const key of ['layernorm_positioning', 'ln_type', 'transformer_block_type', 'bert_layer']) {
    const found = section.lookup(key);
    if (traits.normPlacement !== undefined || found.state !== 'value' || !isScalar(found.node) || typeof found.node.value !== 'string')
      continue;
    const text = found.node.value.toLowerCase();
    const value: NormPlacement | undefined = /^pre/.test(text) ? 'pre' : /^post/.test(text) ? 'post' : undefined;
    if (value !== undefined)
      traits.normPlacement = { value, source: 'written', range: found.node.range, keyRange: found.entry.keyRange, key: found.entry.key };
  }
  if (
    section.boolean('gpt_j_residual') === true ||
    section.boolean('use_parallel_residual') === true ||
    section.boolean('parallel_attn') === true ||
    section.boolean('parallel_residual') === true
  ) {
    const key = ['gpt_j_residual', 'use_parallel_residual', 'parallel_attn', 'parallel_residual'].find((name) => section.has(name)) ?? '';
    const entry = section.entry(key);
    traits.normPlacement = { value: 'parallel', source: 'written', range: entry?.value?.range, keyRange: entry?.keyRange, key: entry?.key };
  }
  // TencentPretrain names the mask.
  const mask = section.string('mask');
  if (mask === 'causal' || mask === 'fully_visible') {
    const entry = section.entry('mask');
    traits.causal = { value: mask === 'causal', source: 'written', range: entry?.value?.range, keyRange: entry?.keyRange, key: entry?.key };
  }
  for (const key of ['causal', 'is_causal', 'unidirectional']) {
    const value = section.boolean(key);
    const entry = section.entry(key);
    if (value !== undefined)
      traits.causal = { value, source: 'written', range: entry?.value?.range, keyRange: entry?.keyRange, key: entry?.key };
  }
}
