import type { TransformerDesign } from '../design/design.ts';
import type { Section } from '../design/section.ts';
import type { AttentionTraits, LatentWidths, RotaryScale, StackSummary } from '../protocol/languageServer.ts';
import { canonicalType, type RopeBlock, ropeBlocks, ropeType } from '../rules/positions/rope.ts';
import { blockTraits } from './blockTraits.ts';

/** Families whose relative positions are T5's buckets (T5Attention of modeling_t5.py and its like). */
const bucketed: ReadonlySet<string> = new Set(['t5', 'mt5', 'umt5', 'longt5', 'switch_transformers', 'pix2struct', 'pop2piano', 'udop']);
/** Families that do not scale their scores. */
const unscaled: ReadonlySet<string> = new Set([...bucketed, 'gpt_neo']);
/** Families that rotate neighbouring features (`rotate_every_two`, `x[..., 0::2]` or complex numbers in modeling_<type>.py). */
const neighbouring: ReadonlySet<string> = new Set(
  'gptj codegen cohere cohere2 glm glm4 ernie4_5 ernie4_5_moe helium llama4_text deepseek_v2 deepseek_v3 youtu longcat_flash'.split(' '),
);

/** What a stack's file, or its family's code, says of its attention beyond heads and their widths. */
export function attentionTraits(design: TransformerDesign): AttentionTraits & Pick<StackSummary, 'ropeTheta'> {
  const { section, family, fields } = design;
  const type = family ?? '';
  const latent = latentWidths(design);
  const rope = fields.positions?.value === undefined || fields.positions.value === 'rope' ? ropeBlock(design) : undefined;
  const scaling = rope === undefined ? undefined : rotaryScale(design, rope);
  const block = blockTraits(design);
  // Where both are written, present code takes the block's.
  const ropeTheta = rope?.section.number('rope_theta') ?? fields.ropeTheta?.value;
  const softcap = section.number('attn_logit_softcapping');
  const isBucketed = fields.positions?.value === 'relative' && (bucketed.has(type) || section.has('relative_attention_num_buckets'));
  const scale = scoreScale(design, latent, scaling);
  return {
    ...(ropeTheta === undefined ? {} : { ropeTheta }),
    ...(latent === undefined ? {} : { latent }),
    ...(block === undefined ? {} : { block }),
    ...(scaling === undefined ? {} : { scaling }),
    ...(latent !== undefined || neighbouring.has(type) ? { interleaved: section.boolean('rope_interleave') !== false } : {}),
    ...(scale === undefined ? {} : { scale }),
    ...(softcap === undefined || softcap <= 0 ? {} : { softcap }),
    ...(isBucketed
      ? {
          buckets: section.number('relative_attention_num_buckets') ?? 32,
          maxDistance: section.number('relative_attention_max_distance') ?? 128,
        }
      : {}),
  };
}

function latentWidths({ fields }: TransformerDesign): LatentWidths | undefined {
  const { queryLoraRank, keyValueLoraRank, ropeHeadDim, nopeHeadDim } = fields;
  if (keyValueLoraRank === undefined || ropeHeadDim === undefined || nopeHeadDim === undefined) return undefined;
  return {
    ...(queryLoraRank === undefined ? {} : { queryRank: queryLoraRank.value }),
    keyValueRank: keyValueLoraRank.value,
    plainDim: nopeHeadDim.value,
    rotaryDim: ropeHeadDim.value,
  };
}

/** The rotary settings that most layers use. */
function ropeBlock(design: TransformerDesign): RopeBlock | undefined {
  const blocks = ropeBlocks(design).filter(({ layerType }) => layerType === undefined || layerType === 'full_attention');
  return blocks.find(({ key }) => key === 'rope_parameters') ?? blocks[0];
}

/** Read as modeling_rope_utils.py does. */
function rotaryScale(design: TransformerDesign, { section }: RopeBlock): RotaryScale | undefined {
  const name = ropeType(section);
  if (name === undefined) return undefined;
  const type = canonicalType(name);
  if (type === 'default') return undefined;
  const maximum = design.fields.maxPositions?.value;
  const original = section.number('original_max_position_embeddings') ?? design.section.number('original_max_position_embeddings');
  const trainedLength = original ?? maximum;
  const kind = type === 'dynamic' ? 'ntk' : type === 'linear' || type === 'yarn' || type === 'llama3' ? type : 'other';
  // YaRN computes a factor that is not written from the two lengths.
  const ratio = original !== undefined && maximum !== undefined && original > 0 ? maximum / original : undefined;
  const factor = section.number('factor') ?? (kind === 'yarn' || kind === 'other' ? ratio : undefined);
  if (kind === 'other') return (type === 'longrope' ? longrope(design, section, name) : undefined) ?? { kind, name, factor: factor ?? 1 };
  if (factor === undefined || !(factor > 0)) return undefined;
  if (kind === 'linear') return { kind, name, factor };
  // Dynamic scaling begins where the positions of the config end.
  if (kind === 'ntk') return maximum === undefined ? undefined : { kind, name, factor, trainedLength: maximum };
  if (trainedLength === undefined || !(trainedLength > 0)) return undefined;
  if (kind === 'llama3') {
    const low = section.number('low_freq_factor');
    const high = section.number('high_freq_factor');
    if (low === undefined || high === undefined || !(high > low)) return undefined;
    return { kind, name, factor, trainedLength, lowFrequencyFactor: low, highFrequencyFactor: high };
  }
  const optional = {
    betaFast: section.number('beta_fast'),
    betaSlow: section.number('beta_slow'),
    attentionFactor: section.number('attention_factor'),
    mscale: section.number('mscale'),
    mscaleAllDim: section.number('mscale_all_dim'),
    truncate: section.boolean('truncate'),
  };
  return { kind, name, factor, trainedLength, ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) };
}

/** Each pair's own factors (Phi-3); undefined where the two lengths or the lists are not known. */
function longrope(design: TransformerDesign, section: Section, name: string): RotaryScale | undefined {
  // PhiMoE multiplies by factors of its own (PhimoeRotaryEmbedding).
  if (section.has('short_mscale') || section.has('long_mscale')) return undefined;
  // Beside the block it goes before what the block says (standardize_rope_params).
  const trainedLength = design.section.number('original_max_position_embeddings') ?? section.number('original_max_position_embeddings');
  const maximum = design.fields.maxPositions?.value;
  const shortFactors = section.numbers('short_factor');
  const longFactors = section.numbers('long_factor');
  if (trainedLength === undefined || !(trainedLength > 1) || shortFactors === undefined || longFactors === undefined) return undefined;
  if (![...shortFactors, ...longFactors].every((each) => each > 0)) return undefined;
  const factor = section.number('factor') ?? (maximum === undefined ? undefined : maximum / trainedLength);
  const attentionFactor = section.number('attention_factor');
  if (factor === undefined) return undefined;
  return {
    kind: 'longrope',
    name,
    factor,
    trainedLength,
    shortFactors,
    longFactors,
    ...(attentionFactor === undefined ? {} : { attentionFactor }),
  };
}

function scoreScale(design: TransformerDesign, latent: LatentWidths | undefined, scaling: RotaryScale | undefined): number | undefined {
  const { section, family } = design;
  const scalar = section.number('query_pre_attn_scalar');
  if (scalar !== undefined && scalar > 0) return 1 / Math.sqrt(scalar);
  const multiplier = section.number('attention_multiplier');
  if (multiplier !== undefined && family !== undefined && /^granite|^hyperclovax$/.test(family)) return multiplier;
  if (unscaled.has(family ?? '')) return 1;
  // yarn_apply_mscale of modeling_deepseek_v3.py.
  const { factor = 1, mscaleAllDim = 0 } = latent === undefined || scaling === undefined ? {} : scaling;
  if (latent === undefined || mscaleAllDim === 0 || factor <= 1) return undefined;
  const sharpened = 0.1 * mscaleAllDim * Math.log(factor) + 1;
  return (sharpened * sharpened) / Math.sqrt(latent.plainDim + latent.rotaryDim);
}
