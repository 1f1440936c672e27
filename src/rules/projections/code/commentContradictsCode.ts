import type { CodeContradiction } from '../../../annotations/reading.ts';
import { contradictionsIn, namedSizesOf } from '../../../annotations/reading.ts';
import { styleOf, writeShape } from '../../../annotations/write.ts';
import type { CodeReading } from '../../../interpreter/study.ts';
import type { Span, Statement } from '../../../syntax/python/ast.ts';
import { eachChildStatement } from '../../../syntax/python/walk.ts';
import { range } from '../../../text/range.ts';
import { type CodeContext, defineRule, type RuleExample } from '../../rule.ts';

/** Attention whose comments state shapes. */
const commented = (parts: { readonly query?: string; readonly split?: string; readonly sum?: string }): RuleExample => ({
  language: 'python',
  code: `import torch.nn as nn


class Attention(nn.Module):
    def __init__(self, n_embd, n_head):
        super().__init__()
        self.n_embd = n_embd
        self.n_head = n_head
        self.c_attn = nn.Linear(n_embd, 3 * n_embd)
        self.c_proj = nn.Linear(n_embd, n_embd)

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(self.n_embd, dim=2)  # (B, T, C)
        k = k.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)  # (B, nh, T, hs)
        v = v.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)  # (B, nh, T, hs)
        q = q.view(B, T, self.n_head, C // self.n_head)${parts.query ?? '.transpose(1, 2)'}  # (B, nh, T, hs)
        att = (q @ k.transpose(-2, -1) * k.size(-1) ** -0.5).softmax(dim=-1)
        y = att @ v  # ${parts.sum ?? '(B, nh, T, hs)'}
        return self.c_proj(y.transpose(1, 2).reshape(B, T, C))
`,
});

export const commentContradictsCode = defineRule({
  code: 'HW290',
  name: 'comment-contradicts-code',
  category: 'projections',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'A shape in a comment, a docstring or an annotation is not the shape that the code computes.',
    why: 'Either the comment is out of date, and misleads whoever reads it next, or it says what was meant and the code does something else: a transpose that was left out keeps every size and goes unnoticed where sizes happen to be equal. Names in comments bind at their first use in a function, and to the sizes of the code where it has variables of these names. What a comment says in a sentence, or what cannot be decided, is not judged.',
    bad: [commented({ query: '' }), commented({ sum: '(B, T, C)' })],
    good: [commented({})],
    fixSafety: 'The fix writes the computed shape into the comment. It is unsafe because the comment may be what was meant.',
    references: ['https://docs.kidger.site/jaxtyping/api/array/'],
  },
  messages: {
    comment: 'The comment says {written}, and {subject} is {inferred}: {reason}.',
    docstring: 'The docstring says {written}, and {subject} is {inferred}: {reason}.',
    type: 'The annotation says {written}, and {subject} is {inferred}: {reason}.',
  },
  checkFileCode({ code, report }) {
    for (const found of contradictionsIn(code)) {
      const { placed, unit, written, inferred, reason, sure } = found;
      const source = placed.place === 'docstring' || placed.place === 'type' ? placed.place : 'comment';
      const stated = range(unit.start + found.range.start, unit.start + found.range.end);
      const given = source === 'type' ? returned(found) : undefined;
      report({
        // Types are checked when the code runs: what is returned is what will be refused.
        at: given === undefined ? stated : range(unit.start + given.start, unit.start + given.end),
        ...(given === undefined ? {} : { related: [{ range: stated, message: 'The annotation stands here.' }] }),
        message: source,
        data: { written, inferred, reason, subject: subjectText(found) },
        // Docstrings are copied from function to function; a letter may stand for two things.
        ...(sure && source !== 'docstring' ? {} : { severity: 'information' as const }),
        fixes: source === 'comment' ? fixesOf(code, found) : [],
      });
    }
  },
});

/** What the one `return` of the function gives, where it is the result that is contradicted. */
function returned({ subject, placed }: CodeContradiction): Span | undefined {
  if (subject.kind !== 'return' || subject.item !== undefined || placed.function === undefined) return undefined;
  const found: (Span | undefined)[] = [];
  const visit = (statement: Statement): void => {
    if (statement.kind === 'return') found.push(statement.value);
    else if (statement.kind !== 'function' && statement.kind !== 'class') eachChildStatement(statement, visit);
  };
  placed.function.body.forEach(visit);
  return found.length === 1 ? found[0] : undefined;
}

function subjectText({ subject }: CodeContradiction): string {
  if (subject.kind === 'return') return 'the result';
  return subject.kind === 'expression' ? 'the value' : `\`${subject.name}\``;
}

/** Writes the inferred shape in place of the one that is stated alone. */
function fixesOf(
  code: CodeReading,
  { placed, shape, unit }: CodeContradiction,
): NonNullable<Parameters<CodeContext<string>['report']>[0]['fixes']> {
  const { contract, function: definition } = placed;
  if (definition === undefined || placed.shape !== contract.to || contract.from.length > 0) return [];
  const style = styleOf(code.file.module);
  const newText = writeShape(shape, namedSizesOf(code, unit, definition), { ...style, lead: '' });
  if (newText === undefined || newText.includes('?')) return [];
  const { start, end } = placed.shape.range;
  const edit = { range: range(unit.start + start, unit.start + end), newText };
  return [{ title: `Write ${newText} in the comment`, safe: false, edits: [edit] }];
}
