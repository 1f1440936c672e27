import { type ConfigNode, entryOf, isMapping, isScalar, type ParsedConfig } from '../syntax/node.ts';
import type { ConfigReading, DesignFields, Field } from './design.ts';

export interface ReadOptions {
  /** Model type to assume where the file names none. */
  readonly family?: string;
}

/** What a parsed file says about a model; undefined when it is not a model config. */
export function readDesign(parsed: ParsedConfig, _options: ReadOptions): ConfigReading | undefined {
  const root = parsed.root;
  if (!isMapping(root)) return undefined;
  const number = (key: string): Field<number> | undefined => {
    const entry = entryOf(root, key);
    const node: ConfigNode | undefined = entry?.value;
    if (!isScalar(node) || typeof node.value !== 'number') return undefined;
    return { value: node.value, source: 'written', range: node.range, keyRange: entry?.keyRange, key };
  };
  const fields: { -readonly [K in keyof DesignFields]?: DesignFields[K] } = {};
  fields.hiddenSize = number('hidden_size');
  fields.queryHeads = number('num_attention_heads');
  fields.keyValueHeads = number('num_key_value_heads');
  fields.headDim = number('head_dim');
  fields.layers = number('num_hidden_layers');
  if (fields.hiddenSize === undefined && fields.queryHeads === undefined) return undefined;
  return {
    parsed,
    format: parsed.format,
    dialect: 'huggingface',
    designs: [{ name: '', role: 'decoder', family: undefined, fields }],
    parallelism: {},
  };
}
