import { alternatives } from '../../../interpreter/graph.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import type { TensorValue, Value } from '../../../interpreter/value.ts';
import { type Attention, attentionsOf, type Operand } from '../../code/attention.ts';
import { contractionOf } from '../../code/contractions.ts';
import { rangeIn, textAt } from '../../code/places.ts';
import { projectedness, sourceOf } from '../../code/sources.ts';
import { axisBefore, fromEnd, numberArgument } from '../../code/tensors.ts';
import { untransposed } from '../../code/untransposed.ts';
import { defineRule } from '../../rule.ts';

const decoder = (dim: string, keys = '[past_k, k]', values = '[past_v, v]') => ({
  language: 'python' as const,
  code: `import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, d_model: int, n_heads: int):
        super().__init__()
        assert d_model % n_heads == 0
        self.n_heads = n_heads
        self.head_dim = d_model // n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)

    def forward(self, x, past):
        B, T, C = x.shape
        q = self.q_proj(x).view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        k = self.k_proj(x).view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        v = self.v_proj(x).view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        past_k, past_v = past
        k = torch.cat(${keys}, dim=${dim})
        v = torch.cat(${values}, dim=-2)
        y = F.scaled_dot_product_attention(q, k, v)
        return y.transpose(1, 2).reshape(B, T, C)
`,
});

export const cacheAxis = defineRule({
  code: 'HW425',
  name: 'cache-joined-along-another-axis',
  category: 'positions',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'Cached keys or values are joined with new ones along another axis than that of the tokens, or behind them.',
    why: 'New tokens come after the cached ones along the axis over which queries look. Joined along the heads, the batch or the head dim the tensors have the wrong sizes where the next product needs them, or mix heads and tokens. Behind the new ones the cached tokens stand where the future is: a causal mask and positions go by the order.',
    bad: [decoder('1'), decoder('-1'), decoder('2', '[k, past_k]', '[v, past_v]')],
    good: [decoder('2'), decoder('-2')],
    fixSafety: 'The fix puts the cached tensor first. Code that reads the cache elsewhere has to agree.',
    references: ['https://huggingface.co/docs/transformers/kv_cache'],
  },
  messages: {
    axis: 'Joined along axis {axis}, but the tokens are along axis {tokens}.',
    one: 'The {joined} are joined with cached ones, and the {others} are not: there are not as many of them.',
    order: '`{cache}` is joined behind the new tokens: what is cached came before them.',
  },
  checkCode({ code, report }) {
    const seen = new Set<number>();
    for (const attention of attentionsOf(code)) {
      const value = attention.kind === 'softmax' ? attention.sums[0]?.value : attention.value;
      const isOdd = attention.kind === 'softmax' && untransposed(code, attention) !== undefined;
      // Keys sum over the head dim, values over the tokens.
      const ofKeys = isOdd ? [] : joinsOf(attention.key, tokensOfKeys(attention));
      const ofValues = value === undefined ? [] : joinsOf(value, attention.kind === 'called' ? -2 : value.axis);
      const joins = [...ofKeys, ...ofValues];
      const [[joined, others, other], alone] =
        ofKeys.length > 0 ? [['keys', 'values', value] as const, ofKeys] : [['values', 'keys', attention.key] as const, ofValues];
      if (ofKeys.length === 0 || ofValues.length === 0) {
        for (const { node } of other === undefined || isOdd || !isNew(code, other) ? [] : alone) {
          const at = rangeIn(code, node.site);
          if (at === undefined || seen.has(at.start) || !isCache(node, textAt(code, at))) continue;
          seen.add(at.start);
          report({ at, message: 'one', data: { joined, others } });
        }
      }
      for (const { node, axis, tokens } of joins) {
        const at = rangeIn(code, node.site);
        if (at === undefined || seen.has(at.start) || !isCache(node, textAt(code, at))) continue;
        if (axis !== tokens) {
          seen.add(at.start);
          report({ at, message: 'axis', data: { axis, tokens } });
          continue;
        }
        const [whole, fresh, cache] = /([A-Za-z_]\w*)\s*,\s*(\w*(?:past|cache|prev)\w*)(?=\s*[\])])/i.exec(textAt(code, at)) ?? [];
        if (whole === undefined || fresh === undefined || cache === undefined || /past|cache|prev/i.test(fresh) || isLastKnown(node))
          continue;
        seen.add(at.start);
        const start = at.start + textAt(code, at).indexOf(whole);
        const edit = { range: { start, end: start + whole.length }, newText: `${cache}, ${fresh}` };
        report({ at, message: 'order', data: { cache }, fixes: [{ title: `Join \`${cache}\` first`, safe: false, edits: [edit] }] });
      }
    }
  },
});

interface Joined {
  readonly node: TensorValue;
  /** As it is written. */
  readonly axis: number;
  readonly tokens: number;
}

/** Where a list of a tensor and something that is not known is joined, with the axis as it is written and that of the tokens. */
const joinsOf = ({ source }: Operand, tokens: number | undefined): readonly Joined[] =>
  tokens === undefined ? [] : joinsAmong(source?.passed ?? [], tokens, 0);

/** Made by a layer of what came in, on one way alone: nothing that is not known stands under its names besides. */
function isNew({ variables }: CodeReading, { tensor, source }: Operand): boolean {
  if (source === undefined || projectedness(tensor) === 0) return false;
  const passed = new Set<Value>([tensor, ...source.passed]);
  if (source.passed.some(({ op }) => /^(?:join|cat|concat|where|setitem)$/.test(op))) return false;
  const named = variables.filter(({ value }) => passed.has(value));
  const names = new Set(named.map(({ name, frame }) => `${name} ${frame.function?.definition.start}`));
  return !variables.some(({ name, frame, value }) => value.kind === 'unknown' && names.has(`${name} ${frame.function?.definition.start}`));
}

/** The axis along which the keys are one for each token. */
function tokensOfKeys(attention: Attention): number | undefined {
  if (attention.kind === 'called') return -2;
  const contraction = contractionOf(attention.product);
  const at = contraction?.operands.indexOf(attention.key.tensor) ?? -1;
  return contraction?.kept[at];
}

function joinsAmong(passed: readonly TensorValue[], from: number, depth: number): readonly Joined[] {
  const found: Joined[] = [];
  let tokens: number | undefined = from;
  for (const node of passed) {
    if (tokens === undefined) break;
    const place: number = tokens;
    if (node.op === 'join') {
      // Code that has a cache joins it in one of its branches.
      const options = depth < 6 ? alternatives(node) : [];
      return [...found, ...options.flatMap((option) => joinsAmong(sourceOf(option)?.passed ?? [], place, depth + 1))];
    }
    if (node.op === 'cat') {
      const dim = numberArgument(node, 'dim');
      const axis = dim === undefined ? undefined : dim < 0 ? dim : (fromEnd(dim, node) ?? fromEnd(dim, node.inputs[0] ?? node));
      if (dim !== undefined && axis !== undefined && node.inputs.length === 1)
        found.push({ node, axis: axis === tokens ? tokens : dim, tokens });
      continue;
    }
    tokens = axisBefore(node, tokens);
  }
  return found;
}

/** One of the joined is not known: it came in from outside, and is called, where it came in or here, what caches are. */
function isCache(node: TensorValue, written: string): boolean {
  const list = node.arguments.get('tensors');
  if ((list?.kind !== 'list' && list?.kind !== 'tuple') || list.items.length !== 2) return false;
  return list.items.some((item) => item.kind === 'unknown' && cacheNames.test(`${written} ${item.path ?? item.reason}`));
}

const cacheNames = /past|cache|prev|state/i;

/** What is joined last was made here. */
function isLastKnown(node: TensorValue): boolean {
  const list = node.arguments.get('tensors');
  return (list?.kind === 'list' || list?.kind === 'tuple') && list.items.at(-1)?.kind === 'tensor';
}
