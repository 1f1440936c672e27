import type { ConfigReading, TransformerDesign } from '../design/design.ts';
import { english, type Translate } from './messages.ts';

const roles: Readonly<Record<string, string>> = {
  decoder: 'decoder',
  encoder: 'encoder',
  text: 'text stack',
  vision: 'vision stack',
  audio: 'audio stack',
  other: 'transformer',
};

const activationNames: Readonly<Record<string, string>> = { silu: 'SwiGLU', swish: 'SwiGLU', gelu: 'GeGLU', relu: 'ReGLU' };

/** `SwiGLU` for a gated silu, the activation's own name otherwise. */
export function ffnName(design: Pick<TransformerDesign, 'fields'>): string | undefined {
  const activation = design.fields.activation?.value;
  if (design.fields.gatedFfn?.value !== true) return activation;
  if (activation === undefined) return 'gated';
  return activationNames[activation] ?? (activation.startsWith('gelu') ? 'GeGLU' : `gated ${activation}`);
}

/**
 * The design in one line, known parts only:
 * `decoder, pre-norm, 32 layers, 32 heads x 128 over 8 KV heads, SwiGLU FFN 14336`. Empty when nothing is known.
 */
export function summarise(design: Pick<TransformerDesign, 'role' | 'fields'>, t: Translate = english): string {
  const { fields } = design;
  const parts: string[] = [];
  if (fields.normPlacement !== undefined && fields.normPlacement.value !== 'none')
    parts.push(
      fields.normPlacement.value === 'parallel' ? t('parallel blocks') : t('{placement}-norm', { placement: fields.normPlacement.value }),
    );
  if (fields.layers !== undefined)
    parts.push(fields.layers.value === 1 ? t('1 layer') : t('{layers} layers', { layers: fields.layers.value }));
  const heads = headsPhrase(design, t);
  if (heads !== undefined) parts.push(heads);
  // Heads that are together as wide as the model have said it already.
  if (fields.hiddenSize !== undefined && fields.hiddenSize.value !== (fields.queryHeads?.value ?? 0) * (fields.headDim?.value ?? 0))
    parts.push(t('width {width}', { width: fields.hiddenSize.value }));
  const ffn = ffnPhrase(design, t);
  if (ffn !== undefined) parts.push(ffn);
  if (parts.length === 0) return '';
  return [t(roles[design.role] ?? design.role), ...parts].join(', ');
}

function headsPhrase(design: Pick<TransformerDesign, 'fields'>, t: Translate): string | undefined {
  const { queryHeads, keyValueHeads, headDim, keyValueLoraRank } = design.fields;
  if (queryHeads === undefined) return undefined;
  const heads = queryHeads.value;
  let phrase = headDim === undefined ? t('{heads} heads', { heads }) : t('{heads} heads x {dim}', { heads, dim: headDim.value });
  if (keyValueLoraRank !== undefined) phrase += t(' over a latent of {rank}', { rank: keyValueLoraRank.value });
  else if (keyValueHeads !== undefined && keyValueHeads.value !== heads)
    phrase += keyValueHeads.value === 1 ? t(' over 1 KV head') : t(' over {heads} KV heads', { heads: keyValueHeads.value });
  return phrase;
}

function ffnPhrase(design: Pick<TransformerDesign, 'fields'>, t: Translate): string | undefined {
  const { intermediateSize, experts, expertsPerToken, expertIntermediateSize } = design.fields;
  const name = ffnName(design);
  const prefix = name === undefined ? '' : `${name} `;
  if (experts !== undefined && experts.value > 1) {
    const width = expertIntermediateSize ?? intermediateSize;
    const routed =
      expertsPerToken === undefined
        ? t('{experts} experts', { experts: experts.value })
        : t('{top} of {experts} experts', { top: expertsPerToken.value, experts: experts.value });
    return width === undefined ? routed : `${routed}, ${prefix}FFN ${width.value}`;
  }
  return intermediateSize === undefined ? undefined : `${prefix}FFN ${intermediateSize.value}`;
}

/** One line for a whole file: its main stack, with a word on how many more there are. */
export function summariseFile({ designs }: Pick<ConfigReading, 'designs'>, t: Translate = english): string {
  const [main, ...others] = designs;
  if (main === undefined) return t('model config without dimensions');
  const line = summarise(main, t) || t('model config');
  return others.length === 0 ? line : t('{line} (and {count} more)', { line, count: others.length });
}
