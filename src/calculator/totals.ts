import type { ConfigReading, TransformerDesign } from '../design/design.ts';
import { cacheDtypeOf, inputOf } from './combine.ts';
import { type Parameter, parametersOf } from './parameters.ts';
import { bytesOf, cacheElementsPerLayer } from './shapes.ts';

type ConfigNode = NonNullable<ConfigReading['parsed']['root']>;

/** Quantities of the whole model. Each is exact or absent: a reason then stands in `notModelled`. */
export interface Totals {
  /** Trainable numbers of the model; those that tensors share count once. */
  readonly parameters?: bigint;
  /** Numbers that one token leaves in the caches of all layers. */
  readonly cacheElementsPerToken?: bigint;
  /** The same in bytes of `cacheDtype`; tokens of a sliding window beyond its length are dropped again by the cache. */
  readonly cacheBytesPerToken?: bigint;
  readonly cacheDtype?: string;
}

export interface ModelTotals {
  readonly totals: Totals;
  /** Every tensor by its name in a checkpoint; empty where they are not known. */
  readonly parameters: readonly Parameter[];
  /** The class whose tensors they are: the file's, or its type's usual one. */
  readonly className?: string;
  /** What is not counted and why, one sentence each. */
  readonly notModelled: readonly string[];
}

/** Layer types of published configs whose cache grows with every token by the keys and values of all KV heads. */
const attentionLayers: ReadonlySet<string> = new Set([
  'full_attention',
  'sliding_attention',
  'chunked_attention',
  'local_attention',
  'global_attention',
  'attention',
]);

/** Layer types that keep a state of fixed size instead. */
const stateLayers: ReadonlySet<string> = new Set(['linear_attention', 'mamba', 'mamba2', 'recurrent', 'conv', 'rwkv']);

/**
 * Keys that say that layers differ in their cache: state space and linear layers, caches shared between layers, head counts per layer,
 * several attentions in a layer.
 */
const unevenCache =
  /^(mamba_.*|ssm_.*|rwkv_.*|linear_(?:num|key|value|conv|attn|attention).*|short_conv.*|conv_l_cache|full_attn_.*|layers_block_type|block_types?|hybrid_.*|attn_layer_(?:period|offset|indices)|attention_layer_.*|num_kv_shared_layers|kv_shared.*|share_kv.*|cla_.*|num_kv_heads_per_layer|recurrent_.*|gdn_.*|inhomogeneous_layer_cycle_interval|lru_width|state_size|yoco.*|index_topk|compress_ratios?)$/i;

/** Model types whose attention keeps something else as well or instead, or that generate nothing. */
const otherCache =
  /^(.*(?:clip|clap|siglip|blip|owl|flava|align|groupvit).*|mllama.*|yuan|xlnet|transfo-xl|reformer|longt5|bigbird.*|funnel|perceiver.*|rwkv.*|mamba.*|falcon_mamba|jamba|zamba.*|bamba|nemotron_h|nemotron-nas|granitemoehybrid|falcon_h1|recurrent_gemma|lfm2.*|gemma3n.*|gemma4.*|minimax.*|kimi_linear|longcat.*|phi4flash|openelm|deci.*|mega|olmo_hybrid|deepseek_v4)$/i;

/** Conventions that only ever described decoders of text. */
const decoderDialects: ReadonlySet<string> = new Set(['params', 'llm-foundry', 'gpt-neox', 'maxtext']);

/** What can be said of the model as a whole: of its tensors, and of the cache of a decoder whose every layer is counted; never an estimate. */
export function modelTotals(reading: ConfigReading): ModelTotals {
  const parameters = parametersOf(reading);
  const counted = parameters.known ? { parameters: parameters.total } : {};
  const notModelled = parameters.known ? parameters.notes : [`Parameters: ${parameters.reason}`];
  const tensors = parameters.known ? parameters.tensors : [];
  const className = parameters.known ? parameters.className : undefined;
  const [design] = reading.designs;
  if (design === undefined) {
    return {
      totals: counted,
      parameters: tensors,
      className,
      notModelled: parameters.known ? notModelled : ['The file is a model configuration that holds no dimensions.'],
    };
  }
  const cache = cacheTotals(reading, design);
  return {
    totals: { ...counted, ...cache.totals },
    parameters: tensors,
    className,
    notModelled: cache.reason === undefined ? notModelled : [...notModelled, cache.reason],
  };
}

function cacheTotals(reading: ConfigReading, design: TransformerDesign): { readonly totals: Totals; readonly reason?: string } {
  const reason = whyNoCache(reading, design);
  if (reason !== undefined) return { totals: {}, reason: `KV cache: ${reason}` };
  const input = inputOf(design);
  const layers = cachingLayers(design, input.layers);
  const cache = cacheElementsPerLayer(input);
  if (typeof layers === 'string') return { totals: {}, reason: `KV cache: ${layers}` };
  if (cache === undefined) return { totals: {}, reason: 'KV cache: the KV heads or the head dim are not known.' };
  const elements = cache.elements * layers;
  const dtype = cacheDtypeOf(design);
  if (dtype === undefined) {
    return {
      totals: { cacheElementsPerToken: elements },
      reason: 'KV cache in bytes: the file does not say in which data type attention is computed.',
    };
  }
  return { totals: { cacheElementsPerToken: elements, cacheBytesPerToken: bytesOf(elements, dtype), cacheDtype: dtype.name } };
}

function whyNoCache(reading: ConfigReading, design: TransformerDesign): string | undefined {
  if (reading.designs.some(({ role }) => role === 'encoder') && reading.designs.some(({ role }) => role === 'decoder')) {
    return 'an encoder-decoder also keeps the keys and values of its input.';
  }
  if (design.role !== 'decoder' && design.role !== 'text') return 'the stack is no decoder.';
  if (reading.designs.filter(({ role }) => role === 'decoder').length > 1) return 'there is more than one decoder.';
  const causal = design.fields.causal?.value;
  if (causal === undefined && !decoderDialects.has(reading.dialect)) return 'the file does not say whether attention is causal.';
  const mixer = findValue(reading.parsed.root, /^attention[-_]config$/, /gmlp|amlp|mamba|rwkv/i);
  if (mixer !== undefined) return `layers of type ${mixer} are not modelled.`;
  if (causal === false) return 'attention is not causal, so nothing is cached.';
  if (design.family !== undefined && otherCache.test(design.family)) return `the layers of ${design.family} do not all keep the same.`;
  const key = findKey(reading.parsed.root, unevenCache);
  // Layer types say which layers cache, whatever the other kind is called.
  if (key !== undefined && design.fields.layerTypes === undefined) return `${key} makes layers differ.`;
  if (key !== undefined && /shared|share|yoco|cla_|compress|per_layer/i.test(key))
    return `${key} makes layers share or shrink their cache.`;
  return undefined;
}

function cachingLayers(design: TransformerDesign, layers: bigint | undefined): bigint | string {
  if (layers === undefined) return 'the number of layers is not known.';
  const types = design.fields.layerTypes?.value;
  if (types === undefined) return layers;
  if (BigInt(types.length) !== layers) return `layer_types names ${types.length} layers, not ${layers}.`;
  const unknown = types.find((type) => !attentionLayers.has(type) && !stateLayers.has(type));
  if (unknown !== undefined) return `layers of type ${unknown} are not modelled.`;
  return BigInt(types.filter((type) => attentionLayers.has(type)).length);
}

/** A key that matches anywhere in the file and is set to something. O(size of the tree). */
function findKey(root: ConfigNode | undefined, pattern: RegExp): string | undefined {
  const queue: ConfigNode[] = root === undefined ? [] : [root];
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    if (node.kind === 'sequence') for (const item of node.items) if (item.kind !== 'scalar') queue.push(item);
    if (node.kind !== 'mapping') continue;
    for (const { key, value } of node.entries) {
      if (value === undefined) continue;
      const off = value.kind === 'scalar' && (value.value === null || value.value === false || value.value === 0);
      if (!off && pattern.test(key)) return key;
      if (value.kind !== 'scalar') queue.push(value);
    }
  }
  return undefined;
}

/** A string under a matching key, at any depth of lists, that matches too. O(size of the tree). */
function findValue(root: ConfigNode | undefined, key: RegExp, value: RegExp): string | undefined {
  const queue: (readonly [ConfigNode, boolean])[] = root === undefined ? [] : [[root, false]];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const [node, within] = next;
    if (node.kind === 'mapping') {
      for (const entry of node.entries) if (entry.value !== undefined) queue.push([entry.value, within || key.test(entry.key)]);
    } else if (node.kind === 'sequence') for (const item of node.items) queue.push([item, within]);
    else if (within && typeof node.value === 'string' && value.test(node.value)) return node.value;
  }
  return undefined;
}
