import { forwardMember } from '../../../interpreter/roots.ts';
import type { CodeReading, Study } from '../../../interpreter/study.ts';
import type { InstanceValue } from '../../../interpreter/value.ts';
import { type Statement, spanIn } from '../../../syntax/python/ast.ts';
import { eachChildStatement } from '../../../syntax/python/walk.ts';
import type { Range } from '../../../text/range.ts';
import { attentionsOf } from '../../code/attention.ts';
import { roleOf } from '../../code/layers.ts';
import { type Unused, unusedOf } from '../../code/unused.ts';
import { defineRule, type RuleExample } from '../../rule.ts';

const attention = (result: string): RuleExample => ({
  language: 'python',
  code: `import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, d_model, n_head):
        super().__init__()
        self.n_head = n_head
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.gate = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.n_head, C // self.n_head).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(B, T, C)
        return ${result}
`,
});

export const projectionNotApplied = defineRule({
  code: 'HW239',
  name: 'projection-not-applied',
  category: 'projections',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'A linear layer is created beside others that are applied, and is never applied itself.',
    why: 'Nothing fails where the widths agree. Without the output projection W_o the heads are concatenated and never mixed (Vaswani et al. 2017, section 3.2.2); the layer is in the checkpoint and in the parameter count, its gradients are None, and distributed training stops at unused parameters.',
    bad: [attention('y * F.silu(self.gate(x))')],
    good: [attention('self.out_proj(y * F.silu(self.gate(x)))'), attention('F.linear(y * F.silu(self.gate(x)), self.out_proj.weight)')],
    references: ['https://arxiv.org/abs/1706.03762'],
  },
  messages: {
    output: '`{name}` is created but never applied: the heads are concatenated, and nothing mixes them.',
    other: '`{name}` is created but never applied.',
  },
  checkCode({ code, rangeOf, report }) {
    const seen = new Set<object>();
    for (const study of code.studies) {
      for (const unused of unusedProjections(code, study)) {
        const created = rangeOf(unused.held.site);
        if (created === undefined || seen.has(unused.held.site ?? unused)) continue;
        seen.add(unused.held.site ?? unused);
        const isOutput = roleOf(unused.name) === 'output' && attends(code, study, unused.owner);
        const at = isOutput ? (lastResult(code, unused.owner) ?? created) : created;
        report({
          at,
          message: isOutput ? 'output' : 'other',
          data: { name: unused.name },
          // Elsewhere it may be left from an earlier design, for the sake of its checkpoints.
          ...(isOutput ? {} : { severity: 'information' }),
          related: at === created ? [] : [{ range: created, message: 'The layer is created here.' }],
        });
      }
    }
  },
});

const isLinear = ({ class: { qualifiedName } }: InstanceValue): boolean => qualifiedName === 'torch.nn.Linear';

/** Of modules that apply other linear layers of their own: one before attention's output projection, else two. */
function unusedProjections(code: CodeReading, study: Study): readonly Unused[] {
  const called = new Set<InstanceValue>(study.calls.map(({ instance }) => instance));
  return unusedOf(code, study, isLinear).filter(({ owner, name }) => {
    let applied = 0;
    for (const value of owner.attributes.values()) if (value.kind === 'instance' && isLinear(value) && called.has(value)) applied += 1;
    return applied >= (roleOf(name) === 'output' ? 1 : 2);
  });
}

/** Whether the module computes attention itself, as those do that hold its projections, and not the modules of the code that it calls. */
const attends = (code: CodeReading, study: Study, owner: InstanceValue): boolean =>
  [...owner.attributes].some(
    ([name, value]) => value.kind === 'instance' && (/^(?:query|key|value)$/.test(roleOf(name) ?? '') || /qkv/i.test(name)),
  ) ||
  attentionsOf(code).some((attention) => {
    let { call } = attention.node;
    while (call !== undefined && call.instance !== owner && call.instance.class.file?.isPrelude === true) call = call.parent;
    return attention.study === study && call?.instance === owner;
  });

/** The last `return` of the module's `forward`. */
function lastResult(code: CodeReading, owner: InstanceValue): Range | undefined {
  const forward = forwardMember(owner.class);
  if (forward === undefined || forward.file !== code.file || forward.unit === undefined || !('name' in forward.definition))
    return undefined;
  let last: Statement | undefined;
  const visit = (statement: Statement): void => {
    if (statement.kind === 'return') last = statement;
    if (statement.kind !== 'function' && statement.kind !== 'class') eachChildStatement(statement, visit);
  };
  forward.definition.body.forEach(visit);
  return last === undefined ? undefined : spanIn(forward.unit, last);
}
