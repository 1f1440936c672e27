import type { Site } from '../../../interpreter/value.ts';
import type { ClassDefinition, Expression, Statement } from '../../../syntax/python/ast.ts';
import { childExpressions, eachChildStatement, statementExpressions } from '../../../syntax/python/walk.ts';
import { range } from '../../../text/range.ts';
import type { Block } from '../../code/blocks.ts';
import { unheardFlags } from '../../code/unheardFlags.ts';
import { defineRule, type RuleExample } from '../../rule.ts';
import { blockExample } from './examples.ts';
import { isMain, normSite, ownBlocks } from './findings.ts';
import { flagAsGiven } from './fixes.ts';

const taken = 'dim, heads, norm_first=False';
const prenorm = 'x = x + self.attn(self.norm1(x))\nx = x + self.mlp(self.norm2(x))\nreturn x';

/** A layer of torch's with a weight of its own. */
const layerExample = (given: string): RuleExample => ({
  language: 'python',
  code: `import torch
import torch.nn as nn


class Layer(nn.TransformerEncoderLayer):
    def __init__(self, dim, heads, norm_first=False):
        super().__init__(dim, heads, 4 * dim, batch_first=True${given})
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return super().forward(x) * self.weight
`,
});

export const normFlagContradicted = defineRule({
  code: 'HW327',
  name: 'norm-flag-contradicted',
  category: 'norm',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'A module takes a flag such as `norm_first` or `normalize_before`, and its norms stand elsewhere than the flag says.',
    why: 'Whoever sets the flag gets the other architecture without notice: `norm_first=True` builds a post-norm block, or `False` a pre-norm one. Training recipes (warm-up, learning rate, final norm) and checkpoints do not carry over between the two.',
    bad: [
      blockExample(
        'x = self.norm1(x + self.attn(x))\nx = self.norm2(x + self.mlp(x))\nreturn x',
        'self.norm1 = nn.LayerNorm(dim)\nself.norm2 = nn.LayerNorm(dim)\nself.norm_first = norm_first',
        'dim, heads, norm_first=False',
      ),
      blockExample(
        'if not self.norm_first:\n    x = x + self.attn(self.norm1(x))\n    x = x + self.mlp(self.norm2(x))\nelse:\n    x = self.norm1(x + self.attn(x))\n    x = self.norm2(x + self.mlp(x))\nreturn x',
        'self.norm1 = nn.LayerNorm(dim)\nself.norm2 = nn.LayerNorm(dim)\nself.norm_first = norm_first',
        'dim, heads, norm_first=False',
      ),
      blockExample(
        `if not self.norm_first:\n    return self.norm1(x + self.mlp(self.attn(x)))\n${prenorm}`,
        'self.norm1 = nn.LayerNorm(dim)\nself.norm2 = nn.LayerNorm(dim)\nself.norm_first = True',
        taken,
      ),
      layerExample(''),
    ],
    good: [
      layerExample(', norm_first=norm_first'),
      blockExample(
        'if self.norm_first:\n    x = x + self.attn(self.norm1(x))\n    x = x + self.mlp(self.norm2(x))\nelse:\n    x = self.norm1(x + self.attn(x))\n    x = self.norm2(x + self.mlp(x))\nreturn x',
        'self.norm1 = nn.LayerNorm(dim)\nself.norm2 = nn.LayerNorm(dim)\nself.norm_first = norm_first',
        'dim, heads, norm_first=False',
      ),
    ],
    fixSafety:
      'The fix changes what the model computes, which is the point: weights that were trained with the code as it is no longer fit.',
    references: ['https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoderLayer.html'],
  },
  messages: {
    ignored: '`{flag}` says where the norms stand, but this block is {placement} whatever it is.',
    contradicted: 'With `{flag}` {value} this block is {placement}.',
    unheard: '`{flag}` is taken and not heard: it is set to the same whatever is given.',
    kept: '`{flag}` is taken and not handed on: the base class goes by its default.',
    fixed: '`{flag}` is set to {text} here: the block is {placement} where it should be {wanted}.',
  },
  checkFileCode({ code, report }) {
    for (const { name, parameter, at, isSet } of unheardFlags(code, pattern)) {
      report({
        at,
        message: isSet ? 'unheard' : 'kept',
        data: { flag: name },
        related: [{ range: parameter, message: 'The flag is taken here.' }],
        fixes: isSet
          ? flagAsGiven(code, at, name)
          : [{ title: `Hand on \`${name}\``, safe: false, edits: [{ range: range(at.end, at.end), newText: `, ${name}=${name}` }] }],
      });
    }
  },
  checkCode({ code, rangeOf, report }) {
    for (const { study, block } of ownBlocks(code)) {
      const normsFirst = study.wiring?.normsFirst;
      if (normsFirst === undefined) continue;
      const wanted = normsFirst ? 'pre-norm' : 'post-norm';
      const { placement } = block;
      if (!(placement === 'pre-norm' || placement === 'post-norm') || placement === wanted || !isCertain(block)) continue;
      const definition = block.class.definition;
      if (definition === undefined) continue;
      const flag = flagOf(definition);
      if (flag === undefined) continue;
      const { file, unit } = block.class;
      const fixed = flag.assignment;
      // Where the block did not get the flag from whom it was made, it was not told.
      const told = block.call.instance.attributes.get(flag.name);
      if (fixed === undefined && told?.kind === 'bool' && told.value !== normsFirst) continue;
      const at =
        (fixed !== undefined && file !== undefined && unit !== undefined ? rangeOf({ file, unit, node: fixed }) : undefined) ??
        (flag.read !== undefined && file !== undefined && unit !== undefined ? rangeOf({ file, unit, node: flag.read }) : undefined) ??
        rangeOf(firstNorm(block));
      if (at === undefined) continue;
      const data = {
        flag: flag.name,
        placement,
        wanted,
        value: normsFirst ? 'set' : 'not set',
        text: fixed === undefined ? '' : 'another value',
      };
      report({
        at,
        message: fixed !== undefined ? 'fixed' : flag.read !== undefined ? 'contradicted' : 'ignored',
        data,
        fixes: flagAsGiven(code, at, flag.name),
        related:
          flag.parameter === undefined || file === undefined || unit === undefined
            ? []
            : [{ range: rangeOf({ file, unit, node: flag.parameter }), message: 'The flag is taken here.' }],
      });
    }
  },
});

const isCertain = (block: Block): boolean =>
  block.isComplete && block.sublayers.filter(isMain).every(({ isSure, isResidual }) => isSure && isResidual);

function firstNorm(block: Block): Site | undefined {
  for (const { entries, after } of block.sublayers) {
    const norm = entries[0] ?? after[0];
    if (norm !== undefined) return normSite(norm);
  }
  return undefined;
}

const pattern =
  /^(?:\w+_)?(?:norm_first|normali[sz]e_before|pre_?norm|prenorm|pre_ln|pre_layer_?norm|layer_?norm_first|layer_norm_before)$/i;

interface Flag {
  readonly name: string;
  readonly parameter: Expression | { readonly start: number; readonly end: number } | undefined;
  /** Where the methods look at it first. */
  readonly read: Expression | undefined;
  /** Where the constructor sets it to a constant, or to its opposite. */
  readonly assignment: Statement | undefined;
}

/** The flag by which a class is told where its norms stand. */
function flagOf(definition: ClassDefinition): Flag | undefined {
  let name: string | undefined;
  let parameter: Flag['parameter'];
  let read: Expression | undefined;
  let assignment: Statement | undefined;
  // `layer_norm_before` may be the norm itself: flags are not called.
  const called = new Set<string>();
  for (const member of definition.body) {
    if (member.kind !== 'function') continue;
    const isMaker = member.name.name === '__init__';
    if (isMaker)
      for (const each of member.parameters) {
        if (each.name === undefined || !pattern.test(each.name.name)) continue;
        name ??= each.name.name;
        parameter ??= each.name;
      }
    const visit = (statement: Statement): void => {
      if (isMaker && statement.kind === 'assign') {
        const [target] = statement.targets;
        if (target?.kind === 'attribute' && pattern.test(target.name.name)) {
          name ??= target.name.name;
          const { value } = statement;
          const isConstant = value.kind === 'constant' && typeof value.value === 'boolean';
          if (isConstant || (value.kind === 'unary' && value.operator === 'not')) assignment ??= statement;
        }
      }
      if (!isMaker)
        for (const expression of statementExpressions(statement))
          see(expression, (found, isCalled) => {
            if (isCalled) called.add(found);
            name ??= found;
            read ??= expression;
          });
      eachChildStatement(statement, visit);
    };
    member.body.forEach(visit);
  }
  return name === undefined || called.has(name) ? undefined : { name, parameter, read, assignment };
}

function see(expression: Expression, found: (name: string, isCalled: boolean) => void, isCalled = false): void {
  if (expression.kind === 'attribute' && pattern.test(expression.name.name)) found(expression.name.name, isCalled);
  if (expression.kind === 'name' && pattern.test(expression.name)) found(expression.name, isCalled);
  for (const child of childExpressions(expression)) see(child, found, expression.kind === 'call' && child === expression.callee);
}
