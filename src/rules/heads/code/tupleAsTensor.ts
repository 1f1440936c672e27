import { rankOf } from '../../../dims/shape.ts';
import { ancestors, isDropout, isLayout, sameElements } from '../../../interpreter/graph.ts';
import { nothingReturned } from '../../../interpreter/make.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import type { Site, TensorValue, Trace, TupleValue, Value } from '../../../interpreter/value.ts';
import type { Range } from '../../../text/range.ts';
import { traceSites } from '../../code/chains.ts';
import { lineEnd, rangeIn, textAt } from '../../code/places.ts';
import { asTensor, withCopies } from '../../code/tensors.ts';
import { defineRule, type Report } from '../../rule.ts';
import { layerExample } from './examples.ts';

export const tupleAsTensor = defineRule({
  code: 'HW166',
  name: 'tuple-used-as-tensor',
  category: 'heads',
  severity: 'error',
  since: '0.2.0',
  docs: {
    what: 'What attention answers is used whole, as if it were a tensor, or its weights are used as its output.',
    why: '`nn.MultiheadAttention` answers a tuple: the output, and the weights. Modules that answer a cache or weights beside the output do the same. A tuple cannot be added to a tensor; the weights have the wrong shape and meaning.',
    bad: [
      layerExample({ call: 'y = self.attn(y, y, y, attn_mask=mask)' }),
      layerExample({ call: 'y = self.attn(y, y, y, attn_mask=mask)[1]' }),
    ],
    good: [layerExample(), layerExample({ call: 'y = self.attn(y, y, y, attn_mask=mask)[0]' })],
    references: ['https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html'],
  },
  messages: {
    tuple: 'This is a tuple of {count} and is used as a tensor: take its first item.',
    nothing: 'This is None: the function that is called returns nothing.',
    weights: 'These are the attention weights, not the output of the layer: take the first item of what it answers.',
  },
  checkCode({ code, report }) {
    const seen = new Set<string>();
    for (const study of code.studies) {
      const uses: { readonly found: Misuse | undefined; readonly site: Site | undefined; readonly trace?: Trace | undefined }[] = [
        ...withCopies(study).map((node) => ({ found: misused(node), site: node.site, trace: node.trace })),
        ...study.failures.flatMap(({ problem, call }) => {
          const value = problem.kind === 'no_tensor' ? call.arguments.get('input') : undefined;
          return value === undefined
            ? []
            : [{ found: { message: value.kind === 'tuple' ? 'tuple' : 'nothing', value } as const, site: call.site }];
        }),
      ];
      for (const { found, site, trace } of uses) {
        const used = rangeIn(code, site);
        if (found === undefined || used === undefined || asksForTuples(code, used) || isOfNumpy(code, used)) continue;
        const set =
          found.message === 'weights'
            ? answeredAt(code, found.value, trace, used)
            : rangeIn(code, code.variables.find(({ value, isArgument }) => value === found.value && !isArgument)?.site);
        const at = set ?? used;
        const key = `${at.start} ${found.message}`;
        if (seen.has(key)) continue;
        seen.add(key);
        report({
          at,
          message: found.message,
          data: { count: found.value.kind === 'tuple' ? found.value.items.length : 0 },
          fixes: found.message === 'tuple' ? firstItem(code, at) : [],
          related: [{ range: set === undefined ? undefined : used, message: 'It is used as a tensor here.' }],
        });
      }
    }
  },
});

/** Where another function than the one that uses the tensor answers it. */
function answeredAt(code: CodeReading, value: Value, trace: Trace | undefined, used: Range): Range | undefined {
  const isFurtherIn = value.kind === 'tensor' && traceSites(value.trace).length > traceSites(trace).length;
  // Of several things that are answered the user takes one by its number: that is the wrong one.
  const isPicked = /\)\s*\[-?\d+\]/.test(textAt(code, used));
  return isFurtherIn && !isPicked ? rangeIn(code, value.site) : undefined;
}

/** The function has another way for tuples: which of its values come together is not followed. */
function asksForTuples({ file }: CodeReading, { start }: Range): boolean {
  const before = file.module.text.slice(0, start);
  return /\bisinstance\([^()]*\(?[^()]*\b(?:tuple|list|Sequence)\b/.test(before.slice(before.lastIndexOf('def ')));
}

/** NumPy makes one array of several. */
const isOfNumpy = ({ file }: CodeReading, { start }: Range): boolean => /^(?:np|numpy)\./.test(file.module.text.slice(start, start + 8));

/** `[0]` behind the call that answers the tuple, where it ends the line. */
function firstItem(code: CodeReading, at: Range): NonNullable<Report<string>['fixes']> {
  const { text } = code.file.module;
  const end = lineEnd(text, at.end);
  if (!/^\s*=\s*[\w.]+\(.*\)$/.test(text.slice(at.end, end))) return [];
  return [{ title: 'Take the first item', safe: false, edits: [{ range: { start: end, end }, newText: '[0]' }] }];
}

const takesTensors: ReadonlySet<string> = new Set([
  'add',
  'sub',
  'mul',
  'div',
  'linear',
  'dropout',
  'layer_norm',
  'rms_norm',
  'gelu',
  'relu',
  'silu',
  'matmul',
  'bmm',
  'softmax',
  'log_softmax',
  'tanh',
  'sigmoid',
  'embedding',
  'group_norm',
  'batch_norm',
  'conv1d',
  'conv2d',
  'conv3d',
  'transpose',
  'permute',
  'reshape',
  'squeeze',
  'unsqueeze',
  'flatten',
]);

interface Misuse {
  readonly message: 'tuple' | 'nothing' | 'weights';
  readonly value: Value;
}

function misused(node: TensorValue): Misuse | undefined {
  if (!takesTensors.has(node.op)) return undefined;
  const operands = ['input', 'other'].map((name) => node.arguments.get(name));
  for (const value of operands) {
    if (value === undefined) continue;
    // A tuple and an input that is a tuple, too, for all that is known of it, make a longer one.
    const isSum = node.op === 'add' && operands.some((other) => other?.kind === 'tensor' && isTaken(other));
    if (value.kind === 'tuple' && isAnswer(value) && !isSum) return { message: 'tuple', value };
    if (value === nothingReturned) return { message: 'nothing', value };
    const tensor = asTensor(value);
    if (node.op !== 'add' || tensor === undefined) continue;
    if (isWeights(tensor) || operands.some((other) => other?.kind === 'tensor' && isOwnProduct(tensor, other)))
      return { message: 'weights', value };
  }
  return undefined;
}

/** An input, or some of its items. */
const isTaken = (tensor: TensorValue): boolean =>
  tensor.op === 'input' || (tensor.op === 'getitem' && tensor.inputs[0] !== undefined && isTaken(tensor.inputs[0]));

/** A tuple of tensors, as modules answer it: not a size, not a list of numbers. */
const isAnswer = (value: TupleValue): boolean =>
  value.isSize !== true && value.ellipsis === undefined && value.items.length >= 1 && value.items[0]?.kind === 'tensor';

/** Scores or weights of queries and keys that were made of the stream to which they are added: there is an axis for each head. */
function isOwnProduct(tensor: TensorValue, stream: TensorValue): boolean {
  const [rank, own] = [rankOf(tensor.shape), rankOf(stream.shape)];
  if (rank !== 4 || own !== 3) return false;
  let at: TensorValue | undefined = tensor;
  for (let i = 0; i < 12 && at !== undefined; i++) {
    if (at.op === 'matmul') return at.inputs.every(({ shape }) => rankOf(shape) === 4) && ancestors(tensor).includes(stream);
    if (!(at.op === 'softmax' || isDropout(at) || isLayout(at) || sameElements.has(at.op))) return false;
    [at] = at.inputs;
  }
  return false;
}

/** The weights of a layer of the library. */
function isWeights(tensor: TensorValue): boolean {
  let at: TensorValue | undefined = tensor;
  for (let i = 0; i < 12 && at !== undefined; i++) {
    if (at.op === 'softmax') return at.layer?.class.qualifiedName.endsWith('MultiheadAttention') === true;
    if (!(isDropout(at) || isLayout(at) || sameElements.has(at.op) || at.op === 'mean')) return false;
    [at] = at.inputs;
  }
  return false;
}
