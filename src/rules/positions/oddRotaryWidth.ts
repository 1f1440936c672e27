import { defineRule } from '../rule.ts';
import { setValue } from '../suggest.ts';
import { ropeBlocks, ropeType, usesRope } from './rope.ts';

/** Test fixtures with heads of one to three features are not meant to run well. */
const smallestHead = 5;

export const oddRotaryWidth = defineRule({
  code: 'HW401',
  name: 'odd-rotary-width',
  category: 'positions',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The rotated part of a head has an odd number of features.',
    why: 'Rotary embeddings turn features in pairs (Su et al. 2021), so an odd width leaves one feature without a partner. The cosine table then has one column more than the head, and the first forward pass fails with a shape error; with a partial rotation some code rounds the width and some fails.',
    bad: [
      { language: 'json', code: '{"model_type": "llama", "hidden_size": 1036, "num_attention_heads": 28, "num_hidden_layers": 4}' },
      {
        language: 'json',
        code: '{"model_type": "qwen3", "hidden_size": 1024, "num_attention_heads": 16, "head_dim": 65, "num_hidden_layers": 4}',
      },
    ],
    good: [
      { language: 'json', code: '{"model_type": "llama", "hidden_size": 1064, "num_attention_heads": 28, "num_hidden_layers": 4}' },
      { language: 'json', code: '{"model_type": "bert", "hidden_size": 1036, "num_attention_heads": 28, "num_hidden_layers": 4}' },
    ],
    references: [
      'https://arxiv.org/abs/2104.09864',
      'https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py',
    ],
  },
  messages: {
    whole: 'Rotary embeddings turn pairs of features, but a head has {width}: {formula}.',
    latent: 'Rotary embeddings turn pairs of features, but the rotary part of a head has {width}.',
    partial:
      'Rotary embeddings turn pairs of features, but int({headDim} * {factor}) = {width} is odd: some code rotates {more}, some fails.',
    explicit: 'Rotary embeddings turn pairs of features, but the rotary width {width} is odd.',
  },
  checkDesign(design, { report }) {
    const { rotaryDim, headDim, rotaryFactor, ropeHeadDim, hiddenSize, queryHeads, keyValueHeads } = design.fields;
    if (ropeHeadDim !== undefined) {
      if (ropeHeadDim.value % 2 === 0 || !Number.isInteger(ropeHeadDim.value) || ropeHeadDim.range === undefined) return;
      report({
        at: ropeHeadDim.range,
        message: 'latent',
        data: { width: ropeHeadDim.value },
        fixes: wellMade(ropeHeadDim.value).map((width) => ({
          title: `Set ${ropeHeadDim.key ?? 'qk_rope_head_dim'} to ${width}`,
          safe: false,
          edits: setValue(ropeHeadDim, width),
        })),
      });
      return;
    }
    if (!usesRope(design) || headDim === undefined || !Number.isInteger(headDim.value) || headDim.value < smallestHead) return;
    const width = rotaryDim?.value ?? headDim.value;
    if (width % 2 === 0 || width < 1 || width > headDim.value || !Number.isInteger(width)) return;
    if (width < headDim.value) {
      // Proportional scaling rounds to pairs itself.
      if (ropeBlocks(design).some((block) => ropeType(block.section) === 'proportional')) return;
      if (rotaryFactor !== undefined && rotaryDim?.source === 'derived') {
        if (rotaryFactor.range === undefined) return;
        report({
          at: rotaryFactor.range,
          message: 'partial',
          severity: 'warning',
          data: { headDim: headDim.value, factor: rotaryFactor.value, width, more: width + 1 },
          related: [{ range: headDim.keyRange ?? headDim.range, message: `The head dimension is ${headDim.value}.` }],
          fixes: even(width)
            .filter((value) => value <= headDim.value && Math.trunc(headDim.value * (value / headDim.value)) === value)
            .map((value) => ({
              title: `Rotate ${value} of ${headDim.value}: set ${rotaryFactor.key ?? 'the factor'} to ${value / headDim.value}`,
              safe: false,
              edits: setValue(rotaryFactor, value / headDim.value),
            })),
        });
      } else if (rotaryDim?.range !== undefined) {
        report({
          at: rotaryDim.range,
          message: 'explicit',
          data: { width },
          fixes: even(width).map((value) => ({
            title: `Set ${rotaryDim.key ?? 'rotary_dim'} to ${value}`,
            safe: false,
            edits: setValue(rotaryDim, value),
          })),
        });
      }
      return;
    }
    const at = headDim.range ?? queryHeads?.range ?? hiddenSize?.range;
    if (at === undefined) return;
    const derived = headDim.source === 'derived' && hiddenSize !== undefined && queryHeads !== undefined;
    // A width that heads do not divide is another rule's matter.
    if (derived && hiddenSize.value !== headDim.value * queryHeads.value) return;
    const groups = keyValueHeads === undefined || keyValueHeads.source === 'derived' ? 1 : keyValueHeads.value;
    report({
      at,
      message: 'whole',
      data: { width, formula: derived ? `${hiddenSize.value} / ${queryHeads.value}` : (headDim.key ?? 'head_dim') },
      related: derived ? [{ range: hiddenSize.keyRange, message: `The width ${hiddenSize.value} is set here.` }] : [],
      fixes: derived
        ? headsWithEvenWidth(hiddenSize.value, queryHeads.value, groups).map((heads) => ({
            title: `Use ${heads} heads of ${hiddenSize.value / heads}`,
            safe: false,
            edits: setValue(queryHeads, heads),
          }))
        : wellMade(width).map((value) => ({
            title: `Set ${headDim.key ?? 'head_dim'} to ${value}`,
            safe: false,
            edits: setValue(headDim, value),
          })),
    });
  },
});

const even = (width: number): number[] => [width + 1, width - 1].filter((value) => value > 0);

/** The nearest width that kernels take too: they work in steps of 8. */
const wellMade = (width: number): number[] => [Math.max(8, Math.round(width / 8) * 8)];

/** Head counts near the wanted one that give every head an even width of at least 16 and that the KV heads divide. */
function headsWithEvenWidth(width: number, wanted: number, groups: number): number[] {
  const found: number[] = [];
  for (let heads = 1; heads <= Math.min(width, 4096); heads++)
    if (width % heads === 0 && (width / heads) % 2 === 0 && width / heads >= 16 && heads % groups === 0) found.push(heads);
  return found.sort((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted) || a - b).slice(0, 2);
}
