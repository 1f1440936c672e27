import type { DesignFields } from './design.ts';

export type Fields = { -readonly [K in keyof DesignFields]?: DesignFields[K] };

export const joinPath = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

export function deriveHeadDim(fields: Fields): void {
  const { hiddenSize, queryHeads } = fields;
  if (
    fields.headDim === undefined &&
    hiddenSize !== undefined &&
    queryHeads !== undefined &&
    queryHeads.value > 0 &&
    hiddenSize.value % queryHeads.value === 0
  )
    fields.headDim = {
      value: hiddenSize.value / queryHeads.value,
      source: 'derived',
      range: queryHeads.range,
      formula: 'hiddenSize / queryHeads',
    };
  if (fields.valueDim === undefined && fields.headDim !== undefined)
    fields.valueDim = { ...fields.headDim, source: 'derived', formula: fields.headDim.formula ?? 'headDim' };
}
