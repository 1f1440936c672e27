import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readDesign } from '../../../src/design/read.ts';
import { attentionTraits } from '../../../src/server/attentionTraits.ts';
import { parseConfig } from '../../../src/syntax/read.ts';
import { scalingText } from '../../../webview/preview/formula.ts';
import { controlled, isOddlyScaled } from '../../../webview/preview/projections.ts';
import { freshSettings } from '../../../webview/preview/settings.ts';
import type { PreviewDesign } from '../../../webview/protocol.ts';
import { repositoryRoot } from '../kernel/load-kernels.ts';

interface Golden {
  readonly name: string;
  readonly scaling: {
    readonly kind: string;
    readonly length: number;
    readonly shortFactors: readonly number[];
    readonly longFactors: readonly number[];
  };
  readonly frequencies: { readonly f32: string };
  readonly factor: number;
}

describe('longrope from a config', () => {
  const { scalings } = JSON.parse(readFileSync(join(repositoryRoot(), 'test/golden/transformers.generated.json'), 'utf8')) as {
    scalings: readonly Golden[];
  };
  const cases = scalings.filter(({ scaling }) => scaling.kind === 'longrope');
  const design = (
    scaling: Golden['scaling'],
    block: object = {},
    beside: object = { original_max_position_embeddings: 1024 },
  ): PreviewDesign => {
    const config = {
      model_type: 'phi3',
      hidden_size: 96,
      intermediate_size: 256,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      num_key_value_heads: 2,
      max_position_embeddings: 4096,
      rope_theta: 10000,
      rope_scaling: { type: 'longrope', short_factor: scaling.shortFactors, long_factor: scaling.longFactors, ...block },
      ...beside,
    };
    const found = readDesign(parseConfig(JSON.stringify(config), { path: 'config.json' }))?.designs[0];
    assert.ok(found);
    return { queryHeads: 2, keyValueHeads: 2, headDim: 48, valueDim: 48, causal: true, positions: 'rope', ...attentionTraits(found) };
  };

  for (const { name, scaling, frequencies, factor } of cases) {
    it(`is what Transformers computes: ${name}`, () => {
      const read = design(scaling, name.includes('own factor') ? { attention_factor: 1.5 } : {});
      assert.equal(read.scaling?.kind, 'longrope');
      const { positions } = controlled(read, freshSettings, scaling.length);
      assert.ok(positions?.kind === 'rotary');
      const bytes = Buffer.from(frequencies.f32, 'base64');
      const expected = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4));
      assert.equal(positions.frequencies?.length, expected.length);
      for (const [pair, value] of expected.entries())
        assert.ok(Math.abs((positions.frequencies?.[pair] as number) / value - 1) < 1e-6, `pair ${pair}`);
      assert.ok(Math.abs((positions.factor ?? 1) - factor) < 1e-6);
      assert.match(scalingText(read), /^LongRoPE × 4/);
    });
  }

  it('is not computed where lists or lengths are not known, or do not fit', () => {
    const { scaling } = cases[0] as Golden;
    const kinds = [
      design(scaling, {}, {}),
      design(scaling, { short_factor: 'auto' }),
      design(scaling, { long_factor: [1, 'x'] }),
      // PhiMoE's factors are its own.
      design(scaling, { short_mscale: 1.2, long_mscale: 1.2 }),
    ].map((each) => each.scaling?.kind);
    assert.deepEqual(kinds, ['other', 'other', 'other', 'other']);
    const wide = { ...design(scaling), headDim: 64 };
    assert.ok(isOddlyScaled(wide));
    const { positions } = controlled(wide, freshSettings, 100);
    assert.ok(positions?.kind === 'rotary' && positions.frequencies === undefined);
    assert.equal(scalingText(wide), '');
  });
});
