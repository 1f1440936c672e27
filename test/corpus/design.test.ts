import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { ConfigReading } from '../../src/design/design.ts';
import { readDesign } from '../../src/design/read.ts';
import { parseJson } from '../../src/syntax/json.ts';
import { corpusFiles, findCorpus, readJson } from './corpus.ts';
import { compare, type FoldedShapes, factsFor, layerFacts } from './shapes.ts';

interface ShapeEntry {
  readonly class: string;
  readonly model_type?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly shapes: FoldedShapes;
}

/**
 * Where the parameters of a layer do not say what the design's field says, and why. Everything else must agree.
 * These are limits of deriving facts from parameter names, or parts of a model that a design does not describe.
 */
const known: Readonly<Record<string, string>> = {
  deimv2: 'fc1 holds gate and value',
  glm_image: 'the vision tower hides the text layers in the names',
  mask2former: 'one decoder layer less than written: decoder_layers - 1',
  oneformer: 'one decoder layer less than written: decoder_layers - 1',
  minicpmv4_7: 'q_proj holds query and output gate',
  qwen3_5_moe: 'q_proj holds query and output gate',
  qwen3_5_text: 'q_proj holds query and output gate',
  qwen3_next: 'q_proj holds query and output gate',
  'mm-grounding-dino': 'the text tower hides among detector layers in the names',
  mobilebert: 'attention works inside the bottleneck',
  moonshine: 'fc1 holds gate and value',
  nemotron3_5_asr: 'written sizes are the decoder LSTM',
  parakeet_tdt: 'written sizes are the decoder LSTM',
  olmo_hybrid: 'linear attention layers come first',
  perceiver: 'layers work on latents of their own width',
  pp_formulanet: 'the encoder is a vision tower',
  ovis2: 'the visual table widens the language model',
  vjepa2: 'the predictor hides the encoder in the names',
  zamba2: 'attention reads two concatenated hidden states',
};

function tally(
  name: string,
  reading: ConfigReading | undefined,
  entry: ShapeEntry,
  totals: { right: number; unknown: number; undecided: number; wrong: string[] },
): void {
  const groups = layerFacts(entry.shapes, entry.model_type ?? name);
  for (const design of reading?.designs ?? []) {
    const facts = factsFor(design, groups, reading?.designs.length === 1);
    if (facts === undefined) {
      totals.undecided++;
      continue;
    }
    for (const { field, expected, actual } of compare(design, facts)) {
      if (actual === undefined) totals.unknown++;
      else if (actual === expected) totals.right++;
      else if (known[name] === undefined) totals.wrong.push(`${name} ${design.name}: ${field} is ${expected}, read ${actual}`);
    }
  }
}

const corpus = findCorpus();
if (corpus !== undefined) {
  describe('designs against the parameters of the real models', () => {
    const fresh = (): { right: number; unknown: number; undecided: number; wrong: string[] } => ({
      right: 0,
      unknown: 0,
      undecided: 0,
      wrong: [],
    });
    const print = (what: string, { right, unknown, undecided, wrong }: ReturnType<typeof fresh>): void =>
      console.log(
        `      ${what}: ${right} sizes right, ${wrong.length} wrong, ${unknown} not read, ${undecided} stacks undecided by the names`,
      );

    it('published configs', () => {
      const shapes = readJson(join(corpus, 'hf-real-shapes.json')) as Readonly<Record<string, ShapeEntry>>;
      const totals = fresh();
      for (const { slug, text } of corpusFiles(corpus)) {
        const entry = shapes[slug];
        if (entry !== undefined) tally(slug, readDesign(parseJson(text)), entry, totals);
      }
      print('published configs', totals);
      assert.deepEqual(totals.wrong, []);
      assert.ok(totals.right > 150);
    });

    it('default configs, every field written', () => {
      const shapes = readJson(join(corpus, 'hf-shapes.json')) as Readonly<Record<string, ShapeEntry>>;
      const totals = fresh();
      for (const [type, entry] of Object.entries(shapes))
        tally(type, readDesign(parseJson(JSON.stringify({ model_type: entry.model_type ?? type, ...entry.config }))), entry, totals);
      print('default configs', totals);
      assert.deepEqual(totals.wrong, []);
      assert.ok(totals.right > 1200);
    });

    it('configs that name only their model type: all from defaults', () => {
      const shapes = readJson(join(corpus, 'hf-shapes.json')) as Readonly<Record<string, ShapeEntry>>;
      const totals = fresh();
      for (const [type, entry] of Object.entries(shapes))
        tally(
          type,
          readDesign(parseJson(JSON.stringify({ model_type: entry.model_type ?? type, architectures: [entry.class] }))),
          entry,
          totals,
        );
      print('from defaults alone', totals);
      assert.deepEqual(totals.wrong, []);
      assert.ok(totals.right > 700);
    });
  });
}
