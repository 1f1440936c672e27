import type { Field, TransformerDesign } from '../../design/design.ts';
import { writtenNumber } from '../keys.ts';
import { defineRule } from '../rule.ts';
import { writeFix } from '../suggest.ts';

/** Classes that put the merged patches straight among the token embeddings, with the vision config's key for their width (transformers 5.18). */
const mergers: Readonly<Record<string, string>> = {
  qwen2_vl: 'hidden_size',
  qwen2_5_vl: 'out_hidden_size',
  qwen3_vl: 'out_hidden_size',
  qwen3_vl_moe: 'out_hidden_size',
  qwen3_5: 'out_hidden_size',
  qwen3_5_moe: 'out_hidden_size',
  glm4v: 'out_hidden_size',
  glm4v_moe: 'out_hidden_size',
};

/** Widths of vision towers that LLaVA configs name, from their own published configs. */
const towers: readonly (readonly [RegExp, number])[] = [
  [/(^|\/)clip-vit-base-patch(16|32)/i, 768],
  [/(^|\/)clip-vit-large-patch14/i, 1024],
  [/CLIP-ViT-H-14/i, 1280],
  [/CLIP-ViT-bigG-14/i, 1664],
  [/siglip2?-so400m-patch14/i, 1152],
  [/siglip2?-large-patch16/i, 1024],
  [/siglip2?-base-patch16/i, 768],
];

export const projectorWidth = defineRule({
  code: 'HW208',
  name: 'projector-width-does-not-fit',
  category: 'projections',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'The width between vision tower and language model does not fit one of them.',
    why: "Qwen-VL and GLM-4V put merged patches directly among the token embeddings, so their width must be the language model's; otherwise the model takes text only, and the first image fails with a shape error. LLaVA builds its projector for `mm_hidden_size` features, and the named tower gives its own width or a multiple of it.",
    bad: [
      {
        language: 'json',
        code: '{"model_type": "qwen2_5_vl", "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 2, "num_hidden_layers": 36, "vision_config": {"depth": 32, "hidden_size": 1280, "num_heads": 16, "out_hidden_size": 3584}}',
      },
      {
        language: 'json',
        code: '{"model_type": "qwen3_vl", "text_config": {"model_type": "qwen3_vl_text", "hidden_size": 2560, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "num_hidden_layers": 36}, "vision_config": {"model_type": "qwen3_vl", "depth": 24, "hidden_size": 1024, "num_heads": 16, "out_hidden_size": 2048}}',
      },
      {
        language: 'json',
        code: '{"model_type": "llava_llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "mm_hidden_size": 1664, "mm_vision_tower": "openai/clip-vit-large-patch14-336"}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "qwen2_5_vl", "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 2, "num_hidden_layers": 36, "vision_config": {"depth": 32, "hidden_size": 1280, "num_heads": 16, "out_hidden_size": 2048}}',
      },
      {
        language: 'json',
        code: '{"model_type": "llava_llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "mm_hidden_size": 1024, "mm_vision_tower": "openai/clip-vit-large-patch14-336"}',
      },
    ],
    fixSafety: "Unsafe: it changes the projector's shape.",
    references: ['https://arxiv.org/abs/2502.13923', 'https://github.com/haotian-liu/LLaVA/issues/1161'],
  },
  messages: {
    merged: 'The vision tower gives {vision} features per patch, the language model takes {width}.',
    tower: 'mm_hidden_size {size} does not fit {tower}, which gives {width} features: {size} is no multiple of it.',
  },
  checkFile({ reading, report }) {
    for (const design of reading.designs) checkTower(design);
    const root = reading.root;
    const key = mergers[root.string('model_type') ?? ''];
    const visionConfig = root.child('vision_config');
    if (key === undefined || visionConfig === undefined || root.has('auto_map')) return;
    const vision = writtenNumber(visionConfig, key);
    const textConfig = root.child('text_config');
    const width = writtenNumber(root, 'hidden_size') ?? (textConfig === undefined ? undefined : writtenNumber(textConfig, 'hidden_size'));
    if (vision?.range === undefined || width === undefined || vision.value === width.value) return;
    report({
      at: vision.range,
      message: 'merged',
      data: { vision: vision.value, width: width.value },
      related: [{ range: width.keyRange, message: `The language model's width ${width.value} is set here.` }],
      fixes: writeFix(reading, `Use ${vision.key} ${width.value}`, [[vision, width.value]]),
    });

    function checkTower({ section }: TransformerDesign): void {
      const size: Field<number> | undefined = writtenNumber(section, 'mm_hidden_size');
      const name = section.string('mm_vision_tower') ?? section.string('vision_tower');
      if (size?.range === undefined || name === undefined || !(size.value > 0)) return;
      const tower = towers.find(([pattern]) => pattern.test(name));
      if (tower === undefined || size.value % tower[1] === 0) return;
      report({
        at: size.range,
        message: 'tower',
        data: { size: size.value, tower: name, width: tower[1] },
        fixes: writeFix(reading, `Use mm_hidden_size ${tower[1]}`, [[size, tower[1]]]),
      });
    }
  },
});
