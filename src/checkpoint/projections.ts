import type { TensorInfo } from './safetensors.ts';

/** What a tensor, or a part of it, is to a layer: to its attention, its norms, its MLP. */
export const projectionRoles = [
  'query',
  'key',
  'value',
  'output',
  'queryBias',
  'keyBias',
  'valueBias',
  'outputBias',
  'queryNorm',
  'keyNorm',
  'relativeBias',
  'queryDown',
  'queryDownNorm',
  'queryUp',
  'keyValueDown',
  'keyValueNorm',
  'keyValueUp',
  'attentionNorm',
  'attentionNormBias',
  'mlpNorm',
  'mlpNormBias',
  'gate',
  'gateBias',
  'up',
  'upBias',
  'down',
  'downBias',
  'positions',
  'embedding',
] as const;
export type ProjectionRole = (typeof projectionRoles)[number];

/** How one role is taken out of a tensor. */
export interface ProjectionPart {
  readonly role: ProjectionRole;
  /** The tensor's name. */
  readonly tensor: string;
  /** A matrix whose rows are outputs, as torch.nn.Linear stores it; else its rows are inputs. Vectors have outputs alone. */
  readonly outputsFirst: boolean;
  /** Outputs that are taken, in order: the first and how many of each run. Absent: all. */
  readonly outputs?: readonly (readonly [first: number, count: number])[];
}

export interface LayerProjections {
  readonly parts: readonly ProjectionPart[];
  /** Features that the projections read. */
  readonly width: number;
  /** Rotated pairs are neighbours: the layout of the original Llama checkpoints, whose names tell them. */
  readonly interleaved: boolean;
}

/** Sizes that the tensors must have. */
export interface ProjectionSizes {
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly valueDim: number;
  readonly latent?: { readonly queryRank?: number; readonly keyValueRank: number; readonly plainDim: number; readonly rotaryDim: number };
}

/** A layer of a stack: what is before the number, the number, and the rest. Of nested numbers the first is the layer's. */
const layerName = /^(|.*?\.)(?:layers?|h|blocks?|encoder_layers|decoder_layers)\.(\d+)\.(.+)$/;
/** Attention to another sequence. */
const cross = /cross|enc_?dec|encoder_attn|multihead_attn/i;

/** Last parts of names, by role. Names of Transformers, timm, PyTorch and the original Llama code. */
const endings: readonly (readonly [ProjectionRole, RegExp])[] = [
  ['query', /(?:^|\.)(?:q_proj|query|query_proj|wq|q|q_lin|to_q)\.weight$/],
  ['key', /(?:^|\.)(?:k_proj|key|key_proj|wk|k|k_lin|to_k)\.weight$/],
  ['value', /(?:^|\.)(?:v_proj|value|value_proj|wv|v|v_lin|to_v)\.weight$/],
  ['output', /(?:^|\.)(?:o_proj|out_proj|wo|o|out_lin|dense|proj|c_proj|to_out\.0)\.weight$/],
  ['queryBias', /(?:^|\.)(?:q_proj|query|query_proj|q_lin|to_q)\.bias$/],
  ['keyBias', /(?:^|\.)(?:k_proj|key|key_proj|k_lin|to_k)\.bias$/],
  ['valueBias', /(?:^|\.)(?:v_proj|value|value_proj|v_lin|to_v)\.bias$/],
  ['outputBias', /(?:^|\.)(?:o_proj|out_proj|out_lin|dense|proj|c_proj|to_out\.0)\.bias$/],
  ['queryNorm', /(?:^|\.)(?:q_norm|query_norm|q_layernorm)\.weight$/],
  ['keyNorm', /(?:^|\.)(?:k_norm|key_norm|k_layernorm)\.weight$/],
  ['relativeBias', /(?:^|\.)relative_attention_bias\.weight$/],
  ['queryDown', /(?:^|\.)q_a_proj\.weight$/],
  ['queryDownNorm', /(?:^|\.)q_a_layernorm\.weight$/],
  ['queryUp', /(?:^|\.)q_b_proj\.weight$/],
  ['keyValueDown', /(?:^|\.)kv_a_proj_with_mqa\.weight$/],
  ['keyValueNorm', /(?:^|\.)kv_a_layernorm\.weight$/],
  ['keyValueUp', /(?:^|\.)kv_b_proj\.weight$/],
];
/** Queries, keys and values in one matrix, one after the other ... */
const joined = /(?:^|\.)(?:c_attn\.|qkv_proj\.|Wqkv\.|qkv\.|in_proj_)(weight|bias)$/;
/** ... and head by head, as GPT-NeoX and BLOOM store them. */
const joinedByHead = /(?:^|\.)query_key_value\.(weight|bias)$/;

/**
 * Finds the projections of one layer's attention among a checkpoint's names, and holds their shapes against the design's.
 *
 * @param tensors those of the checkpoint
 * @param stacks what the names of the wanted stack begin with, the likeliest first, where there are several
 * @param byHead whether a matrix called query_key_value is known to be ordered head by head
 * @returns the parts, or a sentence on why there are none
 */
export function layerProjections(
  tensors: ReadonlyMap<string, Pick<TensorInfo, 'shape'>>,
  layer: number,
  sizes: ProjectionSizes,
  options: { readonly stacks?: RegExp; readonly byHead?: boolean } = {},
): LayerProjections | string {
  const groups = new Map<string, Map<string, readonly number[]>>();
  let any = false;
  for (const [name, { shape }] of tensors) {
    const found = layerName.exec(name);
    if (found === null) continue;
    const [, prefix = '', index, rest = ''] = found;
    if (!/attn|attention/i.test(rest) || cross.test(rest)) continue;
    any = true;
    // T5 keeps its table with the first layer alone.
    if (Number(index) !== layer && !(Number(index) === 0 && rest.endsWith('relative_attention_bias.weight'))) continue;
    const group = groups.get(prefix) ?? new Map<string, readonly number[]>();
    group.set(name, shape);
    groups.set(prefix, group);
  }
  if (groups.size === 0)
    return any
      ? `The checkpoint has no attention in layer ${layer}.`
      : 'The checkpoint names no layers with attention that are known here.';
  const { stacks } = options;
  const order = [...groups].sort(([a], [b]) => Number(stacks?.test(b) ?? false) - Number(stacks?.test(a) ?? false));
  let reason = '';
  for (const [, group] of order) {
    const found = sizes.latent === undefined ? plainParts(group, sizes, options.byHead === true) : latentParts(group, sizes, sizes.latent);
    if (typeof found !== 'string') return found;
    reason ||= found;
  }
  return reason;
}

type Group = ReadonlyMap<string, readonly number[]>;

/** The one tensor of each role. */
function rolesOf(group: Group): ReadonlyMap<ProjectionRole, string> {
  const roles = new Map<ProjectionRole, string>();
  for (const name of group.keys()) for (const [role, ending] of endings) if (ending.test(name) && !roles.has(role)) roles.set(role, name);
  return roles;
}

const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** Whether rows are outputs; undefined where neither side has `outputs`. Both fit a square: Linear is the rule. */
function orientation(shape: readonly number[], outputs: number, conv: boolean): boolean | undefined {
  if (shape.length !== 2) return undefined;
  const [rows, columns] = shape as [number, number];
  if (conv && columns === outputs) return false;
  if (rows === outputs) return true;
  return columns === outputs ? false : undefined;
}

function plainParts(group: Group, sizes: ProjectionSizes, byHead: boolean): LayerProjections | string {
  const { queryHeads, keyValueHeads, headDim, valueDim } = sizes;
  const counts = { query: queryHeads * headDim, key: keyValueHeads * headDim, value: keyValueHeads * valueDim };
  const roles = rolesOf(group);
  const parts: ProjectionPart[] = [];
  let width: number | undefined;
  // GPT-2's Conv1D holds its matrices the other way round.
  const conv = [...group.keys()].some(
    (name) => name.endsWith('c_attn.weight') && group.get(name)?.[1] === counts.query + counts.key + counts.value,
  );
  const fits = (role: ProjectionRole, name: string, outputs: number): string | undefined => {
    const shape = group.get(name) ?? [];
    const first = orientation(shape, outputs, conv);
    if (first === undefined) return `${name} is ${shapeText(shape)}, where the design has ${outputs} outputs.`;
    const inputs = shape[first ? 1 : 0] as number;
    if (role !== 'output') {
      if (width !== undefined && inputs !== width) return `${name} reads ${inputs} features, other projections ${width}.`;
      width = inputs;
    }
    parts.push({ role, tensor: name, outputsFirst: first });
    return undefined;
  };
  const whole = [...group.keys()].filter((name) => joined.test(name) || joinedByHead.test(name));
  const [query, key, value, output] = (['query', 'key', 'value', 'output'] as const).map((role) => roles.get(role));
  if (query !== undefined && key !== undefined && value !== undefined) {
    const wrong = fits('query', query, counts.query) ?? fits('key', key, counts.key) ?? fits('value', value, counts.value);
    if (wrong !== undefined) return wrong;
  } else if (whole.length > 0) {
    for (const name of whole) {
      const ordered = joinedByHead.test(name);
      if (ordered && !(byHead && queryHeads === keyValueHeads))
        return `${name} joins queries, keys and values in an order that is not known here.`;
      const shape = group.get(name) ?? [];
      const all = counts.query + counts.key + counts.value;
      const vector = shape.length === 1;
      const first = vector ? true : orientation(shape, all, conv);
      if (first === undefined || (vector && shape[0] !== all))
        return `${name} is ${shapeText(shape)}, where the design has ${all} outputs.`;
      if (!vector) width = shape[first ? 1 : 0];
      const each = 2 * headDim + valueDim;
      const heads = Array.from({ length: queryHeads }, (_, head) => head);
      const outputs = ordered
        ? {
            query: heads.map((head) => [head * each, headDim] as const),
            key: heads.map((head) => [head * each + headDim, headDim] as const),
            value: heads.map((head) => [head * each + 2 * headDim, valueDim] as const),
          }
        : {
            query: [[0, counts.query] as const],
            key: [[counts.query, counts.key] as const],
            value: [[counts.query + counts.key, counts.value] as const],
          };
      for (const role of ['query', 'key', 'value'] as const)
        parts.push({ role: vector ? `${role}Bias` : role, tensor: name, outputsFirst: first, outputs: outputs[role] });
    }
    if (width === undefined) return 'The checkpoint has biases of queries, keys and values, but not their matrix.';
  } else return 'The checkpoint has no projections of queries, keys and values in this layer that are known here.';

  if (output === undefined) return 'The checkpoint has no output projection in this layer that is known here.';
  const reads = queryHeads * valueDim;
  const shape = group.get(output) ?? [];
  // Rows are what it reads only in a Conv1D; a square one says nothing by its shape.
  const outputsFirst = shape[1] === reads && !conv;
  if (shape.length !== 2 || (outputsFirst ? shape[1] : shape[0]) !== reads)
    return `${output} is ${shapeText(shape)}, where the heads give it ${reads} features.`;
  parts.push({ role: 'output', tensor: output, outputsFirst });
  const produced = shape[outputsFirst ? 0 : 1] as number;
  const vectors = {
    queryBias: counts.query,
    keyBias: counts.key,
    valueBias: counts.value,
    outputBias: produced,
    queryNorm: headDim,
    keyNorm: headDim,
  };
  for (const [role, length] of Object.entries(vectors) as [ProjectionRole, number][]) {
    const name = roles.get(role);
    if (name === undefined || (joined.test(name) && role !== 'outputBias')) continue;
    const found = group.get(name) ?? [];
    if (found.length !== 1 || found[0] !== length) return `${name} is ${shapeText(found)}, where the design has ${length} features.`;
    parts.push({ role, tensor: name, outputsFirst: true });
  }
  if (roles.has('queryNorm') !== roles.has('keyNorm')) return 'The checkpoint norms queries and keys in a way that is not known here.';
  const table = roles.get('relativeBias');
  if (table !== undefined) parts.push({ role: 'relativeBias', tensor: table, outputsFirst: false });
  return { parts, width: width as number, interleaved: query !== undefined && /(?:^|\.)wq\.weight$/.test(query) };
}

function latentParts(group: Group, sizes: ProjectionSizes, latent: NonNullable<ProjectionSizes['latent']>): LayerProjections | string {
  const { queryHeads, headDim, valueDim } = sizes;
  const { queryRank, keyValueRank, plainDim, rotaryDim } = latent;
  const roles = rolesOf(group);
  const up = roles.get(queryRank === undefined ? 'query' : 'queryUp');
  const down = roles.get('keyValueDown');
  const width = down === undefined ? undefined : group.get(down)?.[1];
  if (up === undefined || width === undefined) return 'The checkpoint has no projections of latents in this layer that are known here.';
  const wanted: readonly (readonly [ProjectionRole, string | undefined, readonly number[]])[] = [
    ...(queryRank === undefined
      ? []
      : ([
          ['queryDown', roles.get('queryDown'), [queryRank, width]],
          ['queryDownNorm', roles.get('queryDownNorm'), [queryRank]],
        ] as const)),
    ['queryUp', up, [queryHeads * headDim, queryRank ?? width]],
    ['keyValueDown', down, [keyValueRank + rotaryDim, width]],
    ['keyValueNorm', roles.get('keyValueNorm'), [keyValueRank]],
    ['keyValueUp', roles.get('keyValueUp'), [queryHeads * (plainDim + valueDim), keyValueRank]],
    ['output', roles.get('output'), [width, queryHeads * valueDim]],
  ];
  const parts: ProjectionPart[] = [];
  for (const [role, name, shape] of wanted) {
    if (name === undefined) return `The checkpoint has no ${role} in this layer that is known here.`;
    const found = group.get(name) ?? [];
    if (shapeText(found) !== shapeText(shape)) return `${name} is ${shapeText(found)}, where the design has ${shapeText(shape)}.`;
    parts.push({ role, tensor: name, outputsFirst: true });
  }
  return { parts, width, interleaved: true };
}
