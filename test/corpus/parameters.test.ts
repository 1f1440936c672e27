import assert from 'node:assert/strict';
import { join } from 'node:path';
import { parametersOf } from '../../src/calculator/parameters.ts';
import { readDesign } from '../../src/design/read.ts';
import { parseConfig } from '../../src/syntax/read.ts';
import { useLayoutsOfSource } from '../unit/calculator/layouts.ts';
import { corpusFiles, findCorpus, readJson } from './corpus.ts';
import type { FoldedShapes } from './shapes.ts';

interface Model {
  readonly class: string;
  readonly parameters: number;
  readonly model_type: string;
  readonly shapes: FoldedShapes;
  readonly config?: unknown;
}

interface Truth {
  readonly id: string;
  readonly config_slug: string | null;
  readonly quantity: string;
  readonly value: unknown;
  readonly exactness: string;
}

/** Architectures that see or hear; everything else reads text alone. */
const perceives =
  /vision|vit|clip|image|audio|speech|wav2vec|hubert|sew|whisper|swin|beit|deit|dino|sam|yolo|det|resnet|regnet|convnext|mobilenet|segformer|levit|cvt|pvt|bit$|maskformer|oneformer|mask2former|swiftformer|blip|llava|d_fine|deimv2|edgetam|owlv2|qwen3_5_moe$|vl|omni|asr|voxtral|speecht5|encodec|codec|mimi|tokenizer|univnet|xcodec|flamingo|gemma3$|gemma4$|gemma4_unified|gemma3n|siglip|aimv2|align|aria|idefics|janus|kosmos|pali|ovis|fuyu|flava|git$|groupvit|bridgetower|vilt|tvp|udop|layoutlmv3|lxmert|mgp-str|florence|csm|dia$|moshi|canary|clap|clvp|granite_speech|higgs|kyutai|glmasr|parakeet|pe_audio|pop2piano|moonshine|textnet|ocr|formulanet|patchtst|pi0|radio|focalnet|hgnet|efficient|seggpt|maskformer|depth|ijepa|jepa|vivit|videomae|videoprism|tipsv2|mllama|mlcd|metaclip|lighton|minicpmv|internvl|muse_glimmer|musicflamingo|nemotron3|glm_image|glm4v|cosmos3|deepseek_vl|cohere2_vision|exaone4_5|kimi_k25|step3p7|sam3|trocr|vibevoice|speech_to_text|perceiver|decision_transformer|phi4_multimodal|neomme|markuplm|hyperclovax_vision/;

const corpus = findCorpus();
if (corpus !== undefined) {
  /** `exact`, `not modelled: why`, or what differs. */
  const compare = (text: string, path: string, model: Model): { readonly state: 'exact' | 'absent' | 'wrong'; readonly detail: string } => {
    const reading = readDesign(parseConfig(text, { path }));
    if (reading === undefined) return { state: 'absent', detail: 'no model config' };
    const parameters = parametersOf(reading);
    if (!parameters.known) return { state: 'absent', detail: parameters.reason };
    const found = new Map(parameters.tensors.map(({ name, count, shapes }) => [name, [count, shapes.length === 1 ? shapes[0] : shapes]]));
    const differing = [...new Set([...found.keys(), ...Object.keys(model.shapes)])].filter(
      (name) => JSON.stringify(found.get(name)) !== JSON.stringify(model.shapes[name]),
    );
    if (parameters.total !== BigInt(model.parameters))
      return { state: 'wrong', detail: `total ${parameters.total}, really ${model.parameters}` };
    return differing.length === 0
      ? { state: 'exact', detail: '' }
      : { state: 'wrong', detail: `differs in ${differing.slice(0, 4).join(', ')}` };
  };

  describe('parameters against the real models', () => {
    before(useLayoutsOfSource);

    it('are exact or absent for every architecture at its default sizes', () => {
      const groups = { text: { exact: 0, absent: 0 }, perceiving: { exact: 0, absent: 0 } };
      const wrong: string[] = [];
      const absent: string[] = [];
      const models = readJson(join(corpus, 'hf-shapes.json')) as Readonly<Record<string, Model>>;
      for (const [name, model] of Object.entries(models)) {
        const { state, detail } = compare(JSON.stringify(model.config), 'config.json', model);
        const text = !perceives.test(name);
        if (state === 'wrong') wrong.push(`${name}: ${detail}`);
        else groups[text ? 'text' : 'perceiving'][state]++;
        if (state === 'absent' && text) absent.push(name);
      }
      for (const [group, { exact, absent: without }] of Object.entries(groups))
        console.log(`      ${group}: ${exact} exact, ${without} not modelled, of ${exact + without}`);
      if (absent.length > 0) console.log(`      text architectures not modelled: ${absent.join(' ')}`);
      assert.deepEqual(wrong, []);
      assert.ok(groups.text.exact >= floors.text, `${groups.text.exact} text architectures exact`);
      assert.ok(groups.perceiving.exact >= floors.perceiving, `${groups.perceiving.exact} others exact`);
    });

    it('are exact or absent for published configs', () => {
      const files = new Map(corpusFiles(corpus).map((file) => [file.slug, file]));
      const models = readJson(join(corpus, 'hf-real-shapes.json')) as Readonly<Record<string, Model>>;
      const wrong: string[] = [];
      const absent: string[] = [];
      let exact = 0;
      for (const [slug, model] of Object.entries(models)) {
        const file = files.get(slug);
        assert.ok(file !== undefined, slug);
        const { state, detail } = compare(file.text, file.path, model);
        if (state === 'exact') exact++;
        else (state === 'wrong' ? wrong : absent).push(`${slug}: ${detail}`);
      }
      console.log(`      published: ${exact} exact, ${absent.length} not modelled`);
      for (const reason of absent) console.log(`        ${reason}`);
      assert.deepEqual(wrong, []);
      assert.ok(exact >= floors.published, `${exact} exact`);
    });

    it('agree with published exact totals', () => {
      const files = new Map(corpusFiles(corpus).map((file) => [file.slug, file]));
      const wrong: string[] = [];
      let right = 0;
      let absent = 0;
      for (const truth of (readJson(join(corpus, 'truth.json')) as { readonly entries: readonly Truth[] }).entries) {
        if (truth.quantity !== 'total_params' || truth.exactness !== 'exact' || typeof truth.value !== 'number') continue;
        const file = files.get(truth.config_slug ?? '');
        const reading = file === undefined ? undefined : readDesign(parseConfig(file.text, { path: file.path }));
        const parameters = reading === undefined ? undefined : parametersOf(reading);
        if (parameters?.known !== true) absent++;
        else if (parameters.total === BigInt(truth.value)) right++;
        else wrong.push(`${truth.id} ${truth.config_slug}: ${parameters.total}, published ${truth.value}`);
      }
      console.log(`      published totals: ${right} right, ${absent} not modelled`);
      assert.deepEqual(wrong, []);
      assert.ok(right >= floors.truth, `${right} right`);
    });
  });
}

/** Counts that were reached: fewer is a loss. */
const floors = { text: 121, perceiving: 191, published: 37, truth: 14 };
