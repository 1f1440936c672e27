/** Masks of padding: comparisons with the padding token, and inputs whose names say what they are. */
import { sameElements } from '../../interpreter/graph.ts';
import { holdsArrays } from '../../interpreter/interpreter.ts';
import { dimOf } from '../../interpreter/make.ts';
import type { TensorValue, Value } from '../../interpreter/value.ts';
import type { Expression, PythonModule } from '../../syntax/python/ast.ts';
import { eachExpressionWithin } from '../../syntax/python/walk.ts';
import type { Meaning, Region } from './regions.ts';
import { asTensor } from './tensors.ts';

const tokenNames = /(?:^|_)(?:ids|idx|tokens?|src|tgt|source|target|seq|sequence|input|x|labels)$|^src_|^tgt_/;

/** `tokens == pad`: true at padding. */
export function paddingComparison(tensor: TensorValue, a: Value | undefined, b: Value | undefined): Meaning | undefined {
  if (tensor.op !== 'eq' && tensor.op !== 'ne') return undefined;
  const tokens = asTensor(a);
  if (tokens === undefined || b === undefined || b.kind === 'tensor') return undefined;
  let at = tokens;
  for (
    let i = 0;
    i < 8 && (sameElements.has(at.op) || ['getitem', 'transpose', 't', 'T', 'unsqueeze'].includes(at.op)) && at.inputs[0] !== undefined;
    i++
  )
    at = at.inputs[0];
  if (at.op !== 'input' || !tokenNames.test(nameOf(at) ?? '')) return undefined;
  const isPadding = b.kind === 'unknown' ? /pad/i.test(b.path ?? '') : b.kind === 'int' && (/pad/i.test(b.dim.key) || b.dim.constant === 0);
  const asSymbol = dimOf(b);
  if (!isPadding && !(asSymbol !== undefined && /pad/i.test(asSymbol.key))) return undefined;
  const isTrueAtPadding = tensor.op === 'eq';
  return {
    regions: [paddingRegion(tensor, isTrueAtPadding, false)],
    constant: undefined,
  };
}

const nameOf = ({ site }: TensorValue): string | undefined => {
  const node = site?.node as { readonly kind?: string; readonly name?: string } | undefined;
  return node?.kind === 'name' ? node.name : undefined;
};

/** An input whose name says that it is true, or 1, at padding. */
export function namedInput(tensor: TensorValue): Meaning | undefined {
  // Who calls a function that stands alone, and by which convention, is not seen.
  if (tensor.site?.unit.body.statement.kind === 'function') return undefined;
  // Only torch's layers agree on what it holds: code of JAX calls a mask of padding what is 0 there.
  if (tensor.site !== undefined && holdsArrays(tensor.site.file)) return undefined;
  const name = nameOf(tensor) ?? '';
  const isPadding = /padding_mask$|pad_mask$|_padding$|^padding$|^is_pad/.test(name) && !/non|not|valid/.test(name);
  const isKept = /^valid$|^valid_mask$|^keep$|^keep_mask$/.test(name);
  if (isPadding && tensor.site !== undefined && keptNames(tensor.site.file.module).has(name)) return undefined;
  return isPadding || isKept ? { regions: [paddingRegion(tensor, isPadding, true)], constant: undefined } : undefined;
}

const keptBy = new WeakMap<PythonModule, ReadonlySet<string>>();

/** Parameters that the module's own calls hand what is true at real tokens, whatever the parameter is called. */
function keptNames(module: PythonModule): ReadonlySet<string> {
  const known = keptBy.get(module);
  if (known !== undefined) return known;
  const found = new Set<string>();
  for (const { body } of module.units)
    eachExpressionWithin(body.statement, (expression) => {
      if (expression.kind !== 'call') return;
      for (const { name, value } of expression.arguments) if (name !== undefined && marksTokens(value)) found.add(name.name);
    });
  keptBy.set(module, found);
  return found;
}

/** `attention_mask`, `torch.ones_like(ids)`: 1 at the tokens that are there. */
function marksTokens(value: Expression): boolean {
  const of = value.kind === 'call' ? value.callee : value;
  const name = of.kind === 'name' ? of.name : of.kind === 'attribute' ? of.name.name : '';
  if (value.kind === 'call') return /^ones(?:_like)?$/.test(name);
  return /(?:^|_)(?:attn|attention|valid|keep)(?:_mask)?$/.test(name);
}

const paddingRegion = (made: TensorValue, isTrueAtPadding: boolean, isNamed: boolean): Region => ({
  kind: 'padding',
  boundary: undefined,
  seen: isTrueAtPadding ? 0 : 1,
  unseen: isTrueAtPadding ? 1 : 0,
  rows: undefined,
  columns: undefined,
  made,
  isNamed,
});

/** `attention_mask[:, None, None, :]`: a mask of tokens, 1 at those to attend to. One that comes with its axes may hold anything. */
export function namedSlice(tensor: TensorValue): Meaning | undefined {
  const [first] = tensor.inputs;
  const index = tensor.arguments.get('index');
  if (first?.op !== 'input' || index?.kind !== 'tuple' || !/(?:^|_)attention_mask$/.test(nameOf(first) ?? '')) return undefined;
  const kinds = index.items.map(({ kind }) => kind);
  const isOfTokens = kinds.filter((kind) => kind === 'slice').length === 2 && kinds.filter((kind) => kind === 'none').length === 2;
  return isOfTokens && kinds.length === 4 ? { regions: [paddingRegion(tensor, false, true)], constant: undefined } : undefined;
}
