import type { ProjectionPart, ProjectionRole } from './projections.ts';
import type { TensorInfo } from './safetensors.ts';

type Tensors = ReadonlyMap<string, Pick<TensorInfo, 'shape'>>;

/** What stands beside a layer's attention, by what its name begins with after the layer's number. */
const names: readonly (readonly [ProjectionRole, RegExp])[] = [
  ['attentionNorm', /^(?:input_layernorm|ln_1)\./],
  ['mlpNorm', /^(?:post_attention_layernorm|ln_2)\./],
  ['gate', /^mlp\.gate_proj\./],
  ['up', /^mlp\.(?:up_proj|c_fc|fc_in|dense_h_to_4h)\./],
  ['down', /^mlp\.(?:down_proj|c_proj|fc_out|dense_4h_to_h)\./],
];
const joinedGate = /^mlp\.gate_up_proj\.weight$/;
/** Masks and frequencies that older files hold. */
const buffers = /(?:^|\.)(?:attn|attention)\.(?:bias|masked_bias)$|rotary_emb\.inv_freq$/;
const biasOf: Readonly<Partial<Record<ProjectionRole, ProjectionRole>>> = {
  attentionNorm: 'attentionNormBias',
  mlpNorm: 'mlpNormBias',
  gate: 'gateBias',
  up: 'upBias',
  down: 'downBias',
};

/**
 * The norms and the MLP of the layer that a tensor of its attention belongs to, and with the first layer its learned positions.
 *
 * @param attention what was found of its attention
 * @param embedded also the embeddings, with the first layer
 * @returns the parts, or a sentence on why they are not known: anything else in the layer may compute something else
 */
export function blockParts(
  tensors: Tensors,
  attention: readonly ProjectionPart[],
  width: number,
  embedded: boolean,
): readonly ProjectionPart[] | string {
  const own = /^(|.*?\.)(?:layers|h)\.(\d+)\./.exec(attention[0]?.tensor ?? '');
  if (own === null) return 'The checkpoint names its layers in a way that is not known here.';
  const [start, stack = '', layer] = own;
  const taken = new Set(attention.map(({ tensor }) => tensor));
  const parts: ProjectionPart[] = [];
  let inner: number | undefined;
  /** Whether the matrix has this many inputs, or outputs, on the side where it should. */
  const matrix = (role: ProjectionRole, tensor: string, shape: readonly number[]): string | undefined => {
    // GPT-2's Conv1D holds its matrices the other way round.
    const outputsFirst = !/\.c_(?:fc|proj)\.weight$/.test(tensor);
    const [outputs, inputs] = (outputsFirst ? shape : [...shape].reverse()) as [number, number];
    const known = role === 'down' ? [inputs, outputs] : [outputs, inputs];
    inner ??= known[0];
    if (shape.length !== 2 || known[0] !== inner || known[1] !== width)
      return `${tensor} is [${shape.join(', ')}], which does not fit its layer.`;
    parts.push({ role, tensor, outputsFirst });
    return undefined;
  };
  for (const [tensor, { shape }] of tensors) {
    if (!tensor.startsWith(start) || taken.has(tensor)) continue;
    const rest = tensor.slice(start.length);
    if (buffers.test(rest)) continue;
    if (joinedGate.test(rest)) {
      const [both = 0, inputs] = shape;
      inner ??= both / 2;
      if (shape.length !== 2 || both !== 2 * inner || inputs !== width)
        return `${tensor} is [${shape.join(', ')}], which does not fit its layer.`;
      parts.push({ role: 'gate', tensor, outputsFirst: true, outputs: [[0, inner]] });
      parts.push({ role: 'up', tensor, outputsFirst: true, outputs: [[inner, inner]] });
      continue;
    }
    const role = names.find(([, name]) => name.test(rest))?.[0];
    const bias = role === undefined ? undefined : biasOf[role];
    if (role === undefined || bias === undefined) return `The checkpoint has ${tensor}, whose part in a layer is not known here.`;
    if (rest.endsWith('.bias')) parts.push({ role: bias, tensor, outputsFirst: true });
    else if (role === 'attentionNorm' || role === 'mlpNorm') parts.push({ role, tensor, outputsFirst: true });
    else {
      const wrong = matrix(role, tensor, shape);
      if (wrong !== undefined) return wrong;
    }
  }
  const has = (role: ProjectionRole): boolean => parts.some((part) => part.role === role);
  if (!has('attentionNorm') || !has('up') || !has('down'))
    return `The checkpoint has no norm, or no MLP, in layer ${layer} that is known here.`;
  for (const { role, tensor } of parts) {
    const length = tensors.get(tensor)?.shape[0];
    const wanted = role === 'gateBias' || role === 'upBias' ? inner : /Norm|Bias/.test(role) ? width : length;
    if (length !== wanted) return `${tensor} has ${length} numbers, where its layer has ${wanted}.`;
  }
  const positions = `${stack}wpe.weight`;
  if (layer === '0' && tensors.has(positions)) parts.push({ role: 'positions', tensor: positions, outputsFirst: false });
  const embedding = ['embed_tokens', 'wte', 'embed_in'].map((name) => `${stack}${name}.weight`).find((name) => tensors.has(name));
  if (layer === '0' && embedded) {
    if (embedding === undefined || tensors.get(embedding)?.shape[1] !== width)
      return 'The checkpoint has no embeddings that are known here.';
    parts.push({ role: 'embedding', tensor: embedding, outputsFirst: false });
  }
  return parts;
}
