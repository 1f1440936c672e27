import { defineRule } from '../rule.ts';

/** Reported by the suppression pass itself (src/workspace/suppress.ts), which alone knows what was suppressed. */
export const unusedSuppression = defineRule({
  code: 'HW901',
  name: 'unused-suppression',
  category: 'file',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'A `headwise: ignore` comment suppresses nothing.',
    why: 'A suppression that outlived its finding hides the next one on its line, and one with a mistyped code never worked.',
    bad: [
      {
        language: 'yaml',
        code: 'model_type: llama\nhidden_size: 768\nnum_attention_heads: 12  # headwise: ignore[HW101]\nnum_hidden_layers: 12\n',
      },
      {
        language: 'yaml',
        code: '# headwise: file-ignore[HW1O1]\nmodel_type: llama\nhidden_size: 768\nnum_attention_heads: 12\nnum_hidden_layers: 12\n',
      },
    ],
    good: [
      {
        language: 'yaml',
        code: 'model_type: llama\nhidden_size: 770\nnum_attention_heads: 12  # headwise: ignore[HW101]\nnum_hidden_layers: 12\n',
      },
    ],
    fixSafety: 'Safe: only the comment, or the part of it that suppresses nothing, is removed.',
    references: [],
  },
  messages: {
    line: 'This comment suppresses nothing: no finding starts on its line.',
    file: 'This comment suppresses nothing: the file has no finding.',
    code: '{code} is not reported here, so there is nothing to suppress.',
    unknown: 'No rule is called {code}.',
    unknownNear: 'No rule is called {code}. Did you mean {near}?',
  },
});
