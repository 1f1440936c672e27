import { defineRule } from '../rule.ts';

/** One mistake often makes a reader stumble several times; the first places say enough. */
const maximumReports = 5;

/** Limits of our own readers, which loaders do not have: Python's json and PyYAML take both. */
const readerLimit = /^Nested deeper than |^The alias lies inside its own anchor/;

export const syntaxError = defineRule({
  code: 'HW900',
  name: 'syntax-error',
  category: 'file',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The file does not parse, so the loader refuses it.',
    why: 'A missing comma or brace makes `from_pretrained` or the training script stop before anything is built. Headwise reads on after the mistake, so that the rest of the file is still checked; but what stands right after it may be misread.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 768 "num_attention_heads": 12, "num_hidden_layers": 12}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12}',
      },
    ],
    references: ['https://www.rfc-editor.org/rfc/rfc8259'],
  },
  messages: {
    problem: '{problem}',
  },
  checkFile({ reading, report }) {
    const mistakes = reading.parsed.problems.filter(({ message }) => !readerLimit.test(message));
    for (const problem of mistakes.slice(0, maximumReports)) {
      report({ at: problem.range, message: 'problem', data: { problem: problem.message } });
    }
  },
});
