import type { Field } from '../../design/design.ts';
import { numberKey } from '../keys.ts';
import { defineRule } from '../rule.ts';
import { headCountsFor, writeFix } from '../suggest.ts';

interface Names {
  readonly heads: string;
  /** Absent: the class divides the inner width by the heads. */
  readonly headDim?: string;
  readonly expand?: string;
  /** Overrides expand x width. */
  readonly inner?: string;
  readonly groups: string;
}

/** Key names of the Mamba-2 layers of each class (transformers 5.18, its `validate_architecture` and mixers). */
const families: Readonly<Record<string, Names>> = {
  mamba2: { heads: 'num_heads', headDim: 'head_dim', expand: 'expand', groups: 'n_groups' },
  bamba: { heads: 'mamba_n_heads', headDim: 'mamba_d_head', expand: 'mamba_expand', groups: 'mamba_n_groups' },
  granitemoehybrid: { heads: 'mamba_n_heads', headDim: 'mamba_d_head', expand: 'mamba_expand', groups: 'mamba_n_groups' },
  falcon_h1: { heads: 'mamba_n_heads', headDim: 'mamba_d_head', expand: 'mamba_expand', inner: 'mamba_d_ssm', groups: 'mamba_n_groups' },
  zamba2: { heads: 'n_mamba_heads', expand: 'mamba_expand', groups: 'mamba_ngroups' },
  // Its inner width is heads x head dim whatever the width is.
  nemotron_h: { heads: 'mamba_num_heads', headDim: 'mamba_head_dim', groups: 'n_groups' },
};

export const stateSpaceHeads = defineRule({
  code: 'HW108',
  name: 'state-space-heads-do-not-fit',
  category: 'heads',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'Heads times head dim of the Mamba-2 layers is not their inner width, or their groups do not divide the heads.',
    why: 'A Mamba-2 layer works in an inner width of expand x hidden_size, split into heads (Dao and Gu 2024, section 7). The config class refuses other products, or the reshape fails. B and C are shared by groups of heads, so the groups must divide the heads; otherwise repeating them fails.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "mamba2", "hidden_size": 2560, "num_heads": 64, "head_dim": 64, "expand": 2, "n_groups": 1, "num_hidden_layers": 64}',
      },
      {
        language: 'json',
        code: '{"model_type": "bamba", "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 32, "mamba_n_heads": 96, "mamba_expand": 2}',
      },
      {
        language: 'json',
        code: '{"model_type": "zamba2", "hidden_size": 2560, "num_attention_heads": 32, "num_key_value_heads": 32, "num_hidden_layers": 54, "n_mamba_heads": 80, "mamba_ngroups": 3, "mamba_expand": 2}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "mamba2", "hidden_size": 2560, "num_heads": 80, "head_dim": 64, "expand": 2, "n_groups": 1, "num_hidden_layers": 64}',
      },
      {
        language: 'json',
        code: '{"model_type": "nemotron_h", "hidden_size": 3136, "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128, "mamba_num_heads": 112, "mamba_head_dim": 80, "n_groups": 8, "num_hidden_layers": 42}',
      },
    ],
    fixSafety: 'Unsafe: it changes the shapes of the layers.',
    references: ['https://arxiv.org/abs/2405.21060'],
  },
  messages: {
    product: '{heads} Mamba heads x {headDim} = {product}, but the layers are {inner} wide: {formula}.',
    indivisible: "{heads} Mamba heads do not divide the layers' width {inner} ({formula}): {inner} % {heads} = {remainder}.",
    groups: '{groups} groups cannot share {heads} Mamba heads: {heads} % {groups} = {remainder}.',
  },
  checkDesign(design, { reading, report }) {
    const names = design.knowledge === undefined ? undefined : families[design.knowledge.modelType];
    if (names === undefined || design.custom) return;
    const heads = numberKey(design, names.heads);
    if (heads === undefined || !(heads.value > 0)) return;
    const width = design.fields.hiddenSize;
    const override = names.inner === undefined ? undefined : numberKey(design, names.inner);
    const expand = names.expand === undefined ? undefined : numberKey(design, names.expand);
    const inner = override?.value ?? (expand === undefined || width === undefined ? undefined : expand.value * width.value);
    const formula =
      override !== undefined
        ? `${names.inner}`
        : expand === undefined || width === undefined
          ? ''
          : `${names.expand} ${expand.value} x ${width.value}`;
    const headDim = names.headDim === undefined ? undefined : numberKey(design, names.headDim);
    const source = override ?? width;
    const isFree = names.headDim !== undefined && headDim === undefined;
    const place = (...fields: readonly (Field<number> | undefined)[]): Field<number> | undefined =>
      fields.find((field) => field?.range !== undefined);
    const related = (at: Field<number>) => [
      { range: at === source ? undefined : source?.keyRange, message: `The width comes from ${source?.value ?? ''} here.` },
      { range: at === heads ? undefined : heads.keyRange, message: `${heads.value} heads are set here.` },
    ];
    if (inner !== undefined && Number.isInteger(inner) && inner > 0) {
      if (headDim !== undefined && headDim.value * heads.value !== inner) {
        const at = place(headDim, heads, expand, source);
        if (at?.range !== undefined)
          report({
            at: at.range,
            message: 'product',
            data: { heads: heads.value, headDim: headDim.value, product: heads.value * headDim.value, inner, formula },
            related: related(at),
            fixes: [
              ...(inner % headDim.value === 0
                ? writeFix(reading, `Use ${inner / headDim.value} heads`, [[heads, inner / headDim.value]])
                : []),
              ...(inner % heads.value === 0
                ? writeFix(reading, `Use ${headDim.key} ${inner / heads.value}`, [[headDim, inner / heads.value]])
                : []),
            ],
          });
      } else if ((names.headDim === undefined || isFree) && inner % heads.value !== 0) {
        const at = place(heads, expand, source);
        if (at?.range !== undefined)
          report({
            at: at.range,
            message: 'indivisible',
            data: { heads: heads.value, inner, remainder: inner % heads.value, formula },
            related: related(at),
            fixes: headCountsFor(inner, heads.value, 2).flatMap((count) => writeFix(reading, `Use ${count} heads`, [[heads, count]])),
          });
      }
    }
    const groups = numberKey(design, names.groups);
    if (groups === undefined || !(groups.value > 0) || heads.value % groups.value === 0) return;
    const at = place(groups, heads);
    if (at?.range === undefined) return;
    report({
      at: at.range,
      message: 'groups',
      data: { heads: heads.value, groups: groups.value, remainder: heads.value % groups.value },
      related: [{ range: at === heads ? undefined : heads.keyRange, message: `${heads.value} heads are set here.` }],
      fixes: [groups.value - 1, groups.value + 1, 1, 2, 4, 8]
        .filter((count, i, all) => count > 0 && heads.value % count === 0 && all.indexOf(count) === i)
        .sort((a, b) => Math.abs(a - groups.value) - Math.abs(b - groups.value))
        .slice(0, 2)
        .flatMap((count) => writeFix(reading, `Use ${count} group${count === 1 ? '' : 's'}`, [[groups, count]])),
    });
  },
});
