import { classMember } from '../../../interpreter/attributes.ts';
import { conceptOf } from '../../../interpreter/samples.ts';
import type { InstanceValue, Site } from '../../../interpreter/value.ts';
import type { Call, Expression, FunctionDefinition } from '../../../syntax/python/ast.ts';
import { spanIn } from '../../../syntax/python/ast.ts';
import { textAt } from '../../code/places.ts';
import { defineRule, type RuleExample } from '../../rule.ts';

const encoder = (made: string): RuleExample => ({
  language: 'python',
  code: `import torch.nn as nn


class EncoderLayer(nn.Module):
    def __init__(self, d_model, n_heads, d_ff):
        super().__init__()
        self.attn = nn.MultiheadAttention(d_model, n_heads, batch_first=True)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.ff = nn.Sequential(nn.Linear(d_model, d_ff), nn.GELU(), nn.Linear(d_ff, d_model))

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.ff(self.norm2(x))


class Encoder(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, n_layers):
        super().__init__()
        self.layers = nn.ModuleList(${made} for _ in range(n_layers))
        self.norm = nn.LayerNorm(d_model)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)
`,
});

export const argumentsExchanged = defineRule({
  code: 'HW237',
  name: 'arguments-exchanged',
  category: 'projections',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'A module is made with two of its sizes exchanged, or with the number of heads where it takes the width.',
    why: 'Python binds positional arguments by their order alone: `EncoderLayer(n_heads, d_model, d_ff)` makes a layer of width 8 with 512 heads. With luck it stops later at a division or a product that does not fit; where both are counts, as of heads and of KV heads or of layers, it may run as another model.',
    bad: [encoder('EncoderLayer(n_heads, d_model, d_ff)'), encoder('EncoderLayer(d_model, n_layers, d_ff)')],
    good: [encoder('EncoderLayer(d_model, n_heads, d_ff)'), encoder('EncoderLayer(d_ff=d_ff, n_heads=n_heads, d_model=d_model)')],
    fixSafety: 'The fix exchanges the two arguments. It is unsafe because the parameters may be the ones whose names are wrong.',
    references: ['https://docs.python.org/3/reference/expressions.html#calls'],
  },
  messages: {
    exchanged: '`{left}` is given for `{right}` and `{right}` for `{left}`: `{of}` takes them the other way round.',
    exchangedAs: '`{leftGiven}` is given for `{left}` and `{rightGiven}` for `{right}`: `{of}` takes them the other way round.',
    other: '`{given}` is given for `{parameter}` of `{of}`.',
  },
  checkCode({ code, rangeOf, report }) {
    const seen = new Set<object>();
    for (const { instances } of code.studies) {
      for (const instance of instances) {
        const { site } = instance;
        if (site === undefined || site.file !== code.file || seen.has(site.node)) continue;
        seen.add(site.node);
        const given = givenTo(instance, site);
        const found = given === undefined ? undefined : (exchangedIn(given) ?? strangerIn(given));
        const at = rangeOf(site);
        if (found === undefined || at === undefined) continue;
        const of = instance.class.name;
        const { left, right } = found;
        if (right === undefined) {
          report({ at, message: 'other', data: { given: left.name, parameter: left.parameter, of } });
          continue;
        }
        const [one, two] = [spanIn(site.unit, left.value), spanIn(site.unit, right.value)];
        const areNames = left.name === right.parameter && right.name === left.parameter;
        report({
          at,
          message: areNames ? 'exchanged' : 'exchangedAs',
          data: areNames
            ? { left: left.name, right: right.name, of }
            : { left: left.parameter, right: right.parameter, leftGiven: left.name, rightGiven: right.name, of },
          fixes: [
            {
              title: `Exchange ${textAt(code, one)} and ${textAt(code, two)}`,
              safe: false,
              edits: [
                { range: one, newText: textAt(code, two) },
                { range: two, newText: textAt(code, one) },
              ],
            },
          ],
        });
      }
    }
  },
});

/** An argument that is a name, and the parameter that takes it. */
interface Given {
  readonly name: string;
  readonly parameter: string;
  readonly value: Expression;
}

/** What the call that makes an instance gives its constructor under names. */
function givenTo({ class: of }: InstanceValue, { node }: Site): readonly Given[] | undefined {
  const initializer = classMember(of, '__init__');
  const call = node as Partial<Call>;
  if (initializer?.kind !== 'function' || call.kind !== 'call' || call.arguments === undefined) return undefined;
  const names = parametersOf(initializer.definition);
  const given: Given[] = [];
  for (const [i, { kind, name: keyword, value }] of call.arguments.entries()) {
    if (kind === 'args') break;
    const parameter = kind === 'positional' ? names[i] : keyword?.name;
    const name = nameOf(value);
    if (parameter !== undefined && name !== undefined && names.includes(parameter)) given.push({ name, parameter, value });
  }
  return isOfAttention(names) ? given : undefined;
}

const parametersOf = ({ parameters }: Pick<FunctionDefinition, 'parameters'>): readonly string[] =>
  parameters.flatMap(({ kind, name }) => (kind === 'plain' && name !== undefined ? [name.name] : [])).slice(1);

/** What a variable or a setting is called. */
const nameOf = (value: Expression): string | undefined =>
  value.kind === 'name' ? value.name : value.kind === 'attribute' ? value.name.name : undefined;

const counts = /^(?:queryHeads|keyValueHeads|layers|vocabularySize|maxPositions)$/;
const countNames = /heads?$|^kv$|layers?$|depth|vocab|drop/i;
const isCount = (name: string): boolean => counts.test(conceptOf(name) ?? '') || countNames.test(name);

const isHeads = (name: string): boolean => /^(?:queryHeads|keyValueHeads)$/.test(conceptOf(name) ?? '');
const isOther = (name: string): boolean =>
  /^(?:hiddenSize|intermediateSize|layers|vocabularySize|maxPositions)$/.test(conceptOf(name) ?? '');

/** Constructors of attention and of what holds it take a width and a number of heads. */
const isOfAttention = (parameters: readonly string[]): boolean =>
  parameters.some((name) => conceptOf(name) === 'hiddenSize') && parameters.some(isHeads);

/** Whether a name stands for what a parameter takes. */
const means = (name: string, parameter: string): boolean =>
  name === parameter || (conceptOf(name) !== undefined && conceptOf(name) === conceptOf(parameter));

/** Two arguments, at least one of them a count, each of which is what the other's parameter takes. */
function exchangedIn(given: readonly Given[]): { readonly left: Given; readonly right: Given } | undefined {
  for (const [i, left] of given.entries())
    for (const right of given.slice(i + 1)) {
      if (!means(left.name, right.parameter) || !means(right.name, left.parameter)) continue;
      if (means(left.name, left.parameter) || means(right.name, right.parameter)) continue;
      if (isCount(left.name) || isCount(right.name)) return { left, right };
    }
  return undefined;
}

/** A number of heads for something else, or something else for a number of heads. */
function strangerIn(given: readonly Given[]): { readonly left: Given; readonly right: undefined } | undefined {
  const left = given.find(
    ({ name, parameter }) =>
      ((isHeads(name) && isOther(parameter)) || (isHeads(parameter) && isOther(name))) && conceptOf(name) !== conceptOf(parameter),
  );
  return left === undefined ? undefined : { left, right: undefined };
}
