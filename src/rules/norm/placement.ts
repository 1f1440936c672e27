import type { Field } from '../../design/design.ts';
import type { Section } from '../../design/section.ts';
import { isScalar } from '../../syntax/node.ts';
import { writtenBoolean } from '../keys.ts';

export interface PlacementFlag {
  /** As written: `norm_first`. */
  readonly key: string;
  readonly places: 'pre' | 'post';
  readonly field: Field<boolean | string>;
}

/** Booleans that are true where norms come before each sublayer, false where they come after the residual sum. */
const preFlags = [
  'do_layer_norm_before',
  'norm_first',
  'layer_norm_first',
  'normalize_before',
  'pre_norm',
  'prenorm',
  'pre_layer_norm',
  'pre_ln',
];

/** Strings that say the same: `pre_ln`, `post`, `postln`. */
const wordFlags = ['layernorm_positioning', 'transformer_block_type', 'ln_type', 'norm_position', 'layernorm_variant'];

/** What one mapping says of where its norms sit. */
export function placementFlags(section: Section): readonly PlacementFlag[] {
  const flags: PlacementFlag[] = [];
  for (const name of preFlags) {
    const field = writtenBoolean(section, name);
    if (field?.range !== undefined) flags.push({ key: field.key ?? name, places: field.value ? 'pre' : 'post', field });
  }
  for (const name of wordFlags) {
    const found = section.lookup(name);
    if (found.state !== 'value' || !isScalar(found.node) || typeof found.node.value !== 'string') continue;
    const places = /^pre/i.test(found.node.value) ? 'pre' : /^post/i.test(found.node.value) ? 'post' : undefined;
    if (places === undefined) continue;
    const { value, range } = found.node;
    flags.push({
      key: found.entry.key,
      places,
      field: { value, source: 'written', range, keyRange: found.entry.keyRange, key: found.entry.key },
    });
  }
  return flags;
}
