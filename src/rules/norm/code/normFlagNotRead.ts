import type { CodeReading } from '../../../interpreter/study.ts';
import { spanIn } from '../../../syntax/python/ast.ts';
import type { Range } from '../../../text/range.ts';
import { defineRule, type RuleExample } from '../../rule.ts';
import { blockExample } from './examples.ts';
import { ownBlocks } from './findings.ts';

const configured = (value: string, forward: string): RuleExample => {
  const { code } = blockExample(forward);
  const config = `from dataclasses import dataclass\n\n\n@dataclass\nclass Config:\n    hidden_size: int = 768\n    norm_first: bool = ${value}\n\n\n`;
  return { language: 'python', code: `${config}${code}` };
};

const post = 'x = self.norm1(x + self.attn(x))\nx = self.norm2(x + self.mlp(x))\nreturn x';
const pre = 'x = x + self.attn(self.norm1(x))\nx = x + self.mlp(self.norm2(x))\nreturn x';

export const normFlagNotRead = defineRule({
  code: 'HW329',
  name: 'norm-flag-not-read',
  category: 'norm',
  severity: 'warning',
  since: '0.2.0',
  docs: {
    what: 'A configuration says where the norms stand, no code looks at it, and the blocks of the file place their norms the other way.',
    why: 'Whoever reads `norm_first=True` in the configuration takes the model for a pre-norm one. Training recipes, converters and other implementations go by the configuration, and build another architecture than the code.',
    bad: [configured('True', post), configured('False', pre)],
    good: [configured('True', pre), configured('False', post)],
    fixSafety: 'The fix writes what the code does. The configuration may be what was meant.',
    references: ['https://arxiv.org/abs/2002.04745'],
  },
  messages: {
    contradicted: '`{flag}` is {value} here, and nothing reads it: the blocks of this file are {placement}.',
    elsewhere: '`{block}` is {placement}. The configuration sets `{flag}` to {value}, and nothing in this file reads it.',
  },
  checkFileCode({ code, report }) {
    const blocks = ownBlocks(code).flatMap(({ study, block }) => (study.wiring === undefined ? [block] : []));
    const placements = new Set(blocks.map(({ placement }) => placement));
    const [placement] = placements;
    if (placements.size !== 1 || (placement !== 'pre-norm' && placement !== 'post-norm')) return;
    for (const { name, value, range } of switchesOf(code)) {
      if (value === (placement === 'pre-norm')) continue;
      for (const { definition, unit } of new Set(blocks.map((block) => block.class))) {
        // The class may stand elsewhere in this version than when it was studied.
        const now = code.file.module.units.find(({ body }) => body === unit?.body);
        if (definition === undefined || now === undefined) continue;
        report({
          at: spanIn(now, definition.name),
          message: 'elsewhere',
          data: { block: definition.name.name, flag: name, value: String(value), placement },
          related: [{ range, message: `\`${name}\` is set here.`, file: code.settings?.file }],
        });
      }
    }
    for (const { name, value, at, range } of flagsOf(code)) {
      if (value === (placement === 'pre-norm') || isRead(code, name, at)) continue;
      report({
        at,
        message: 'contradicted',
        data: { flag: name, value: value ? 'True' : 'False', placement },
        fixes: [{ title: `Write ${value ? 'False' : 'True'}`, safe: false, edits: [{ range, newText: value ? 'False' : 'True' }] }],
      });
    }
  },
});

const pattern =
  /^(?:\w+_)?(?:norm_first|normali[sz]e_before|pre_?norm|prenorm|pre_ln|pre_layer_?norm|layer_?norm_first|layer_norm_before)$/i;

interface Flag {
  readonly name: string;
  readonly value: boolean;
  readonly at: Range;
  /** The value alone. */
  readonly range: Range;
}

/** Fields of the file's records of settings. */
function flagsOf({ file }: CodeReading): readonly Flag[] {
  return file.module.units.flatMap((unit) => {
    const { statement } = unit.body;
    if (statement.kind !== 'class' || !/config|args|settings|hparams|params/i.test(statement.name.name)) return [];
    return statement.body.flatMap((field): readonly Flag[] => {
      if (field.kind !== 'annotatedAssign' && field.kind !== 'assign') return [];
      const target = field.kind === 'assign' ? field.targets[0] : field.target;
      const { value } = field;
      if (target?.kind !== 'name' || !pattern.test(target.name) || value?.kind !== 'constant' || typeof value.value !== 'boolean')
        return [];
      return [{ name: target.name, value: value.value, at: spanIn(unit, field), range: spanIn(unit, value) }];
    });
  });
}

/** Fewer names of a configuration than these in a file are chance. */
const sharedNames = 3;

/** What the configuration beside the code says of norms, where it is one that this code reads. */
function switchesOf(code: CodeReading): NonNullable<CodeReading['settings']>['switches'] {
  const { settings } = code;
  const flags = settings?.switches.filter(({ name }) => pattern.test(name)) ?? [];
  if (settings === undefined || flags.length === 0) return [];
  const { text } = code.file.module;
  if (settings.names.filter((name) => new RegExp(`\\.${name}\\b`).test(text)).length < sharedNames) return [];
  return flags.filter(({ name }) => !new RegExp(`\\b${name}\\b`).test(text));
}

/** The name stands in the file somewhere else. */
function isRead({ file }: CodeReading, name: string, at: Range): boolean {
  const { text } = file.module;
  for (const { index } of text.matchAll(new RegExp(`\\b${name}\\b`, 'g'))) if (index < at.start || index >= at.end) return true;
  return false;
}
