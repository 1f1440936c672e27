import type { Dim } from '../../../dims/dim.ts';
import { symbolsOf } from '../../../dims/visit.ts';
import { underneath } from '../../../interpreter/graph.ts';
import type { CodeReading, Study } from '../../../interpreter/study.ts';
import type { InstanceValue, TensorValue } from '../../../interpreter/value.ts';
import { rangeIn, textAt } from '../../code/places.ts';
import { readDim } from '../../code/sizes.ts';
import { asTensor, withCopies } from '../../code/tensors.ts';
import { defineRule } from '../../rule.ts';
import { layerExample } from './examples.ts';

export const batchFirst = defineRule({
  code: 'HW165',
  name: 'batch-first-data-in-length-first-layer',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: '`nn.MultiheadAttention` or a layer of `nn.Transformer` without `batch_first=True` is given batch-first data.',
    why: 'Without `batch_first=True` the layer takes (length, batch, width). Given (batch, length, width) it attends across the batch: each token mixes with the tokens at its place in other sequences, and results depend on what else is in the batch. Shapes come out the same; only a mask of the length fails.',
    bad: [
      layerExample({ layer: 'nn.MultiheadAttention(d_model, n_heads)' }),
      layerExample({ layer: 'nn.MultiheadAttention(d_model, n_heads)', call: 'y, _ = self.attn(y, y, y, need_weights=False)' }),
    ],
    good: [
      layerExample(),
      layerExample({
        layer: 'nn.MultiheadAttention(d_model, n_heads)',
        call: 'y = y.transpose(0, 1)\n        y, _ = self.attn(y, y, y, attn_mask=mask)',
        after: 'x = x + y.transpose(0, 1)',
      }),
    ],
    fixSafety: 'The fix adds `batch_first=True`. It changes what the layer computes, which is the point.',
    references: ['https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html'],
  },
  messages: {
    mask: 'The layer has no `batch_first=True` and takes (length, batch, width), but the data is {shape}: the mask is for {length} tokens along axis 1.',
    named: 'The layer has no `batch_first=True` and takes (length, batch, width), but the data is batch first: {shape}.',
  },
  checkCode({ code, report }) {
    const seen = new Set<string>();
    for (const { layer, call, shape, message, length } of mistaken(code)) {
      const made = placeOfLayer(code, layer);
      const called = rangeIn(code, call.site);
      const at = made ?? called;
      if (at === undefined || seen.has(`${at.start}`)) continue;
      seen.add(`${at.start}`);
      const text = textAt(code, at);
      const end = at.start + text.length - 1;
      const isCall = made !== undefined && text.endsWith(')') && !/batch_first/.test(text);
      // Said to be so in so many words, that is the place.
      const said = /batch_first\s*=\s*False/.exec(text);
      report({
        at: said === null ? at : { start: at.start + said.index, end: at.start + said.index + said[0].length },
        message,
        data: { shape, length },
        related: [{ range: called === at ? undefined : called, message: 'It is called here.' }],
        fixes: isCall
          ? [
              {
                title: 'Add batch_first=True',
                safe: false,
                edits: [{ range: { start: end, end }, newText: `${/,\s*$/.test(text.slice(0, -1)) ? '' : ', '}batch_first=True` }],
              },
            ]
          : [],
      });
    }
  },
});

interface Mistake {
  readonly layer: InstanceValue;
  readonly call: TensorValue;
  readonly shape: string;
  readonly length: string;
  readonly message: 'mask' | 'named';
}

function* mistaken(code: CodeReading): Generator<Mistake> {
  for (const study of code.studies) {
    const agreed = takenBatchFirst(code, study);
    for (const node of withCopies(study)) {
      const { layer } = node;
      if (
        (node.op !== 'attention_mask' && node.op !== 'multi_head_attention') ||
        layer?.class.qualifiedName.endsWith('MultiheadAttention') !== true
      )
        continue;
      const flag = layer.attributes.get('batch_first');
      if (flag?.kind !== 'bool' || flag.value !== false) continue;
      const given = node.arguments.get('args');
      const scores = given?.kind === 'tuple' ? given.items[0] : undefined;
      const query = node.op === 'attention_mask' ? queryOf(scores?.kind === 'tensor' ? scores : undefined, layer) : undefined;
      if (query === undefined || query.shape.ellipsis !== undefined || query.shape.dims.length !== 3) continue;
      const [first, second] = query.shape.dims.map((dim) => readDim(code, dim));
      if (first === undefined || second === undefined || first.key === second.key) continue;
      const mask = given?.kind === 'tuple' ? asTensor(given.items[1]) : undefined;
      const shape = `(${nameOfDim(first) ?? 'batch'}, ${nameOfDim(second) ?? 'length'}, ...)`;
      const base = { layer, call: node, shape, length: nameOfDim(second) ?? 'length' };
      const dims = mask?.shape.ellipsis === undefined ? mask?.shape.dims.map((dim) => readDim(code, dim)) : undefined;
      if (dims?.length === 2 && dims[0]?.key === second.key && dims[0].key !== first.key) yield { ...base, message: 'mask' };
      else if (agreed.has(`${first.key} ${second.key}`) || isBatchFirst(code, query, first, second)) yield { ...base, message: 'named' };
    }
  }
}

/** The first two sizes of what layers with `batch_first=True` are given. */
function takenBatchFirst(code: CodeReading, study: Study): ReadonlySet<string> {
  const found = new Set<string>();
  for (const node of withCopies(study)) {
    const { layer } = node;
    const flag = node.op === 'attention_mask' ? layer?.attributes.get('batch_first') : undefined;
    if (layer === undefined || flag?.kind !== 'bool' || flag.value !== true) continue;
    const given = node.arguments.get('args');
    const scores = given?.kind === 'tuple' ? asTensor(given.items[0]) : undefined;
    const turned = queryOf(scores, layer);
    const [length, batch] = turned?.shape.ellipsis === undefined ? (turned?.shape.dims ?? []) : [];
    if (turned?.op === 'transpose' && length !== undefined && batch !== undefined)
      found.add(`${readDim(code, batch).key} ${readDim(code, length).key}`);
  }
  return found;
}

/** What the layer's first projection is applied to. */
function queryOf(scores: TensorValue | undefined, layer: InstanceValue): TensorValue | undefined {
  let at = scores;
  for (let i = 0; i < 24 && at !== undefined; i++) {
    if (at.op === 'linear' && at.layer === layer) return at.inputs[0];
    at = at.inputs[0];
  }
  return undefined;
}

const nameOfDim = (dim: Dim): string | undefined => {
  const [symbol, ...others] = symbolsOf(dim);
  return symbol !== undefined && others.length === 0 && dim.terms.length === 1 ? symbol.name : undefined;
};

/** By the code's own names for its axes, since a convolution made them, or since another layer of the model takes it so. */
function isBatchFirst(code: CodeReading, query: TensorValue, first: Dim, second: Dim): boolean {
  const isNamed = (dim: Dim, pattern: RegExp): boolean =>
    code.variables.some(({ name, value }) => value.kind === 'int' && pattern.test(name) && readDim(code, value.dim).key === dim.key);
  const batch = /^(?:B|b|bs|bsz|batch|batch_size|nbatches|n_batch)$/;
  const length = /^(?:T|L|S|N|t|l|s|n|seq|seq_len|seq_length|seqlen|length|time|tgt_len|src_len|n_tokens|num_tokens)$/;
  if (isNamed(first, batch) && isNamed(second, length) && !isNamed(first, length) && !isNamed(second, batch)) return true;
  const source = underneath(query);
  const [images] = source.shape.dims;
  return /^conv2d$/.test(source.op) && source.shape.ellipsis === undefined && source.shape.dims.length === 4 && images?.key === first.key;
}

/** Where the user made the layer: itself, or the layer of `nn.Transformer` around it. */
function placeOfLayer(code: CodeReading, layer: InstanceValue) {
  const own = rangeIn(code, layer.site);
  if (own !== undefined) return own;
  const around = code.variables.filter(({ value, isArgument }) => {
    if (
      isArgument ||
      value.kind !== 'instance' ||
      !/^Transformer/.test(value.class.name) ||
      !value.class.qualifiedName.startsWith('torch.')
    )
      return false;
    const inner = value.attributes.get('self_attn');
    const flag = inner?.kind === 'instance' ? inner.attributes.get('batch_first') : value.attributes.get('batch_first');
    return flag?.kind === 'bool' && flag.value === false;
  });
  const [only] = around;
  return only?.value.kind === 'instance' && around.length === 1 ? rangeIn(code, only.value.site) : undefined;
}
