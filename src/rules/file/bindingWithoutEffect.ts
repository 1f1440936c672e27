import { bindingsIn, namesWritten } from '../../annotations/bound.ts';
import { conceptOf } from '../../interpreter/samples.ts';
import { nearest } from '../../text/nearest.ts';
import { defineRule, type RuleExample } from '../rule.ts';

const head = (comment: string): RuleExample => ({
  language: 'python',
  code: `import torch.nn as nn

class Head(nn.Module):
    # headwise: ${comment}
    def __init__(self, n_embd, n_vocab):
        super().__init__()
        self.out = nn.Linear(n_embd, n_vocab)

    def forward(self, x):
        return self.out(x)
`,
});

/** Comments that give numbers to model code. */
export const bindingWithoutEffect = defineRule({
  code: 'HW902',
  name: 'binding-without-effect',
  category: 'file',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'A `headwise:` comment binds a name that nothing has, or a value that is no size.',
    why: 'What such a comment says is checked and shown only where its name is that of a parameter, a field or an attribute in the code, or a usual name for what one of them stands for (`width`, `heads`). One that binds nothing leaves the code unchecked without a word.',
    bad: [head('n_vocb=50257'), head('n_embd=0.5'), head('n_embd=768 12'), head('n_embd=0')],
    good: [head('n_embd=768 n_vocab=50_257'), head('width=768')],
    fixSafety: 'Unsafe: the name that is nearest may not be the one that was meant.',
    references: [],
  },
  messages: {
    unknown: 'Nothing in this file is called {name}, so {text} binds nothing.',
    unknownNear: 'Nothing in this file is called {name}, so {text} binds nothing. Did you mean {near}?',
    problem: '{text} binds nothing: a binding is a name and a whole number, such as `heads=12`, and each name is bound once.',
    notPositive: '{text} binds nothing: a size is at least 1.',
  },
  checkFileCode({ code, report }) {
    const { module } = code.file;
    const { bindings, problems } = bindingsIn(module);
    for (const { text, range } of problems) report({ at: range, message: 'problem', data: { text } });
    if (bindings.length === 0) return;
    const names = namesWritten(module);
    for (const { name, value, range, nameRange } of bindings) {
      const text = module.text.slice(range.start, range.end);
      if (value < 1) {
        report({ at: range, message: 'notPositive', data: { text } });
        continue;
      }
      const last = name.slice(name.lastIndexOf('.') + 1);
      if (names.has(last) || standsForAny(last, names)) continue;
      const [near] = nearest(last, [...names], 1);
      const edits = near === undefined ? [] : [{ range: { start: nameRange.end - last.length, end: nameRange.end }, newText: near }];
      report({
        at: range,
        message: near === undefined ? 'unknown' : 'unknownNear',
        data: { name: last, text, near: near ?? '' },
        ...(near === undefined ? {} : { fixes: [{ title: `Use ${near}`, safe: false, edits }] }),
      });
    }
  },
});

/** Whether a name of the code stands for the same: `n_embd` for `width`. */
function standsForAny(name: string, names: ReadonlySet<string>): boolean {
  const concept = conceptOf(name);
  if (concept === undefined) return false;
  for (const each of names) if (conceptOf(each) === concept) return true;
  return false;
}
