import { type ConfigNode, isScalar, isSequence } from '../syntax/node.ts';
import type { DesignRole, Field, TransformerDesign } from './design.ts';
import { evidence, isLibraryConfig } from './detect.ts';
import { declaredType, gatedOf, isClipTower, isFourfold, isGatedName, isGptNeoX, isOpenLm, moshiGate } from './dialects.ts';
import { aliasesOf, type Family } from './families.ts';
import { deriveHeadDim, type Fields, joinPath } from './fields.ts';
import { type SizeFormula, sizeFormulas } from './formulas.ts';
import { type LexiconConcept, lexicon, notAttention } from './lexicon.ts';
import { booleanOf, numberOf, type Section } from './section.ts';
import { gatedByFamily, traitsOf } from './traits.ts';

/** What a stack's reading needs to know of its file. */
export interface FileContext {
  readonly sections: readonly Section[];
  /** The file builds on others that are not read (gin's `include`): what it leaves out may be set there. */
  readonly partial: boolean;
  /** Whether a library class reads the file, so that what it leaves out has the class's defaults. */
  readonly hasDefaults: boolean;
}

export type Part = 'encoder' | 'decoder' | undefined;

export class StackReader {
  readonly #section: Section;
  readonly #family: Family | undefined;
  readonly #file: FileContext;
  /** Where names without the section's affix are found. */
  readonly #shared: Section | undefined;
  readonly #custom: boolean;
  #isQuotient = false;
  /** Whether the family's own key names are used here (else the lexicon's). */
  readonly usesFamily: boolean;

  constructor(section: Section, family: Family | undefined, file: FileContext, shared?: Section) {
    this.#section = section;
    this.#family = family;
    this.#file = file;
    this.#shared = shared;
    // In Python a call of the library's own class says which defaults hold.
    const isLibraryCall = section.mapping.modelType !== undefined && section.mapping.className !== undefined;
    this.#custom =
      (!isLibraryCall && !file.hasDefaults) ||
      section.has('auto_map') ||
      (file.sections[0]?.has('auto_map') ?? false) ||
      (!isLibraryCall && !isLibraryConfig(section, file.sections));
    this.usesFamily = family !== undefined && this.#familyKeysPresent(family);
  }

  #familyKeysPresent(family: Family): boolean {
    const main = ['hiddenSize', 'queryHeads', 'layers', 'intermediateSize', 'encoder.layers', 'decoder.layers', 'keyValueHeads', 'headDim'];
    const keys = main.map((concept) => family.keys[concept]).filter((key): key is string => key !== undefined);
    if (keys.length === 0) return false;
    if (keys.some((key) => [key, ...aliasesOf(family, key)].some((name) => this.#section.has(name)))) return true;
    if (this.#custom) return false;
    // Nothing of its sizes is written: all are the family's defaults, unless other names hold them.
    return !(['hiddenSize', 'queryHeads', 'layers'] as const).some((concept) =>
      lexicon[concept].some((name) => this.#section.number(name) !== undefined),
    );
  }

  decoderLayers(): Field<number> | undefined {
    for (const name of ['num_decoder_layers', 'decoder_layers', 'decoder_layers_num', 'n_decoder_layers', 'decoder_num_layers']) {
      const field = this.#written(name);
      if (field !== undefined && !lexiconHit(this.#section, 'layers', name)) return field;
    }
    return undefined;
  }

  #written(name: string): Field<number> | undefined {
    for (const section of this.#shared === undefined ? [this.#section] : [this.#section, this.#shared]) {
      const found = section.lookup(name);
      if (found.state !== 'value') continue;
      let node: ConfigNode | undefined = found.node;
      // A list that says the same for every layer is one number.
      if (isSequence(node)) {
        const values = node.items.map(numberOf);
        if (values.length === 0 || values.some((value) => value !== values[0])) return undefined;
        node = node.items[0];
      }
      const value = node === undefined ? undefined : numberOf(node);
      if (value !== undefined)
        return {
          value,
          source: 'written',
          range: isScalar(node) && node.origin !== undefined ? node.origin : found.node.range,
          keyRange: found.entry.keyRange,
          key: found.entry.key,
        };
    }
    return undefined;
  }

  /** The lexicon's first name that holds a number; undefined also when an earlier name is there but unreadable. */
  #byLexicon(concept: LexiconConcept, except: ReadonlySet<string> = none): Field<number> | 'unknown' | undefined {
    for (const name of lexicon[concept]) {
      if (except.has(name)) continue;
      const found = this.#section.lookup(name);
      if (found.state === 'absent' || found.state === 'null') continue;
      const field = this.#written(name);
      return field ?? 'unknown';
    }
    return undefined;
  }

  /** By the family's key, its aliases, then its default. */
  #byFamily(concept: string, family: Family): Field<number> | 'unknown' | undefined {
    const key = family.keys[concept];
    if (key === undefined) return undefined;
    const names = [key, ...aliasesOf(family, key)];
    for (const name of names) {
      const found = this.#section.lookup(name);
      if (found.state === 'absent' || found.state === 'null') continue;
      return this.#written(name) ?? 'unknown';
    }
    if (this.#custom) return undefined;
    const value = family.fields.get(key);
    return typeof value === 'number' ? { value, source: 'default', key, origin: family.className } : undefined;
  }

  #take(concept: LexiconConcept, part: Part, except?: ReadonlySet<string>): Field<number> | 'unknown' | undefined {
    const family = this.#family;
    if (this.usesFamily && family !== undefined) {
      if (part !== undefined && family.keys[`${part}.${concept}`] !== undefined) {
        const own = this.#byFamily(`${part}.${concept}`, family);
        if (own !== undefined) return own;
      }
      return this.#byFamily(concept, family);
    }
    return this.#byLexicon(concept, except);
  }

  read(part: Part, name: string, role: DesignRole): TransformerDesign | undefined {
    const section = this.#section;
    const family = this.#family;
    const fields: Fields = {};
    this.#isQuotient = false;
    const set = <K extends keyof Fields>(key: K, value: Fields[K] | 'unknown' | undefined): void => {
      if (value !== undefined && value !== 'unknown') fields[key] = value;
    };
    // `hidden_dim` is the FFN's width beside `dim`, the model's alone.
    const otherWidth = [
      'dim',
      'd_model',
      'hidden_size',
      'n_embd',
      'emb_dim',
      'dim_model',
      'base_emb_dim',
      'embed_dim',
      'width',
      'model_dim',
    ].some((word) => section.has(word));
    const whisper = section.number('state') !== undefined ? { hiddenSize: 'state', queryHeads: 'head', layers: 'layer' } : undefined;
    set('hiddenSize', whisper !== undefined ? this.#written(whisper.hiddenSize) : this.#take('hiddenSize', part));
    set('queryHeads', whisper !== undefined ? this.#written(whisper.queryHeads) : this.#take('queryHeads', part));
    set('layers', whisper !== undefined ? this.#written(whisper.layers) : this.#take('layers', part));
    if (this.#shared !== undefined && fields.hiddenSize === undefined) {
      const shared = new StackReader(this.#shared, undefined, this.#file).#byLexicon('hiddenSize');
      set('hiddenSize', shared);
    }
    if (fields.hiddenSize === undefined && /(^|\.)decoder_conf$/.test(section.path)) {
      // WeNet and ESPnet: the decoder is as wide as the encoder's output.
      const encoder = this.#file.sections.find((other) => other.path === section.path.replace(/decoder_conf$/, 'encoder_conf'));
      const width = encoder?.number('output_size');
      const entry = encoder?.entry('output_size');
      if (width !== undefined)
        fields.hiddenSize = {
          value: width,
          source: 'derived',
          range: entry?.value?.range,
          keyRange: entry?.keyRange,
          formula: 'encoder_conf.output_size',
        };
    }
    const keyValueHeads = this.#keyValueHeads(fields);
    set('keyValueHeads', keyValueHeads);
    const enough = [fields.hiddenSize, fields.queryHeads, fields.layers, fields.keyValueHeads].filter(
      (field) => field !== undefined && field.source !== 'derived',
    ).length;
    const ffn = this.#intermediate(fields, part, otherWidth && !this.usesFamily ? undefined : new Set(['hidden_dim']));
    set('intermediateSize', ffn);
    set('vocabularySize', this.#take('vocabularySize', undefined));
    this.#headDims(fields, keyValueHeads === 'unknown');
    if (enough === 0 && fields.headDim?.source !== 'written' && !(section.path === '' && section.affix === '' && evidence(section) >= 3))
      return undefined;
    if (enough < 2 && section.path !== '' && fields.headDim?.source !== 'written') return undefined;
    if (section.path !== '' && fields.hiddenSize === undefined && fields.queryHeads === undefined) return undefined;
    set('maxPositions', this.#take('maxPositions', undefined));
    this.#experts(fields);
    this.#qualities(fields, part);
    return {
      name: part === undefined ? (section.affix === '' ? section.path : joinPath(section.path, name)) : joinPath(section.path, name),
      role,
      family: family?.modelType ?? declaredType(section),
      fields,
      section,
      knowledge: this.usesFamily ? family : undefined,
      custom: this.#custom,
      headDimIsQuotient: this.#isQuotient,
    };
  }

  #keyValueHeads(fields: Fields): Field<number> | 'unknown' | undefined {
    const section = this.#section;
    const family = this.#family;
    const heads = fields.queryHeads;
    const derived = (value: number, formula: string, by?: string): Field<number> => ({
      value,
      source: 'derived',
      range: (by === undefined ? undefined : section.entry(by)?.value?.range) ?? heads?.range,
      keyRange: by === undefined ? heads?.keyRange : section.entry(by)?.keyRange,
      formula,
    });
    // Falcon: new_decoder_architecture uses num_kv_heads, otherwise multi_query means one.
    if (
      section.boolean('new_decoder_architecture') !== true &&
      section.boolean('multi_query') === true &&
      section.number('n_head_kv') === undefined
    )
      return derived(1, '1 (multi_query)', 'multi_query');
    if (this.usesFamily && family?.modelType === 'falcon' && section.boolean('new_decoder_architecture') !== true) {
      if (section.boolean('multi_query') === false) return heads === undefined ? undefined : derived(heads.value, 'queryHeads');
      return this.#custom ? undefined : { value: 1, source: 'default', key: 'multi_query', origin: family.className };
    }
    if (this.usesFamily && family?.keys.keyValueHeads === 'multi_query') {
      if (section.boolean('multi_query') === false) return heads === undefined ? undefined : derived(heads.value, 'queryHeads');
      return this.#custom ? undefined : { value: 1, source: 'default', key: 'multi_query', origin: family.className };
    }
    if (
      section.boolean('multi_query_attention') === true &&
      section.number('multi_query_group_num') === undefined &&
      section.number('n_kv_heads') === undefined
    )
      return derived(1, '1 (multi_query_attention)', 'multi_query_attention');
    if (section.boolean('multi_query_attention') === false && section.number('multi_query_group_num') !== undefined && heads !== undefined)
      return derived(heads.value, 'queryHeads');
    if (section.boolean('group_query_attention') === false && heads !== undefined) return derived(heads.value, 'queryHeads');
    for (const child of ['attn_config', 'extra_attention_params', 'attention', 'attention_config']) {
      const nested = section.child(child);
      if (nested === undefined) continue;
      if (nested.string('attn_type') === 'multiquery_attention') return derived(1, '1 (attn_type)', child);
      const field = new StackReader(nested, undefined, this.#file).#byLexicon('keyValueHeads');
      if (field !== undefined) return field;
    }
    if (this.usesFamily && family?.multiHead === true) return heads === undefined ? undefined : derived(heads.value, 'queryHeads');
    const found = this.#take('keyValueHeads', undefined);
    if (found !== undefined) return found;
    if (this.usesFamily && family !== undefined && family.keys.keyValueHeads === undefined) {
      // Code outside the library may share heads where the library's class does not.
      const written = this.#byLexicon('keyValueHeads');
      if (written !== undefined) return written;
    }
    if (heads === undefined) return undefined;
    // A list of mappings describes the layers one by one; what the top leaves out is said there.
    if (this.#custom && describesLayers(section)) return undefined;
    return derived(heads.value, 'queryHeads');
  }

  #headDims(fields: Fields, keyValueUnknown: boolean): void {
    const section = this.#section;
    const family = this.usesFamily ? this.#family : undefined;
    const latent = section.child('latent_attention') ?? section;
    const part = (name: string): Field<number> | undefined => {
      const holder = latent === section ? this : new StackReader(latent, undefined, this.#file);
      const written = holder.#written(name);
      if (written !== undefined) return written;
      const value = latent.lookup(name).state === 'absent' && !this.#custom ? family?.fields.get(name) : undefined;
      return typeof value === 'number' && family !== undefined
        ? { value, source: 'default', key: name, origin: family.className }
        : undefined;
    };
    const nope = part('qk_nope_head_dim') ?? (section.boolean('multi_latent_attention') === true ? part('qk_head_dim') : undefined);
    const rope = part('qk_rope_head_dim') ?? part('qk_pos_emb_head_dim');
    const rank = part('kv_lora_rank');
    if (nope !== undefined && rope !== undefined && rank !== undefined && nope.value > 0) {
      fields.nopeHeadDim = nope;
      fields.ropeHeadDim = rope;
      fields.keyValueLoraRank = rank;
      const queryRank = part('q_lora_rank');
      if (queryRank !== undefined) fields.queryLoraRank = queryRank;
      const value = part('v_head_dim');
      if (value !== undefined) fields.valueDim = value;
      fields.headDim = {
        value: nope.value + rope.value,
        source: 'derived',
        range: nope.range ?? rope.range,
        keyRange: nope.keyRange ?? rope.keyRange,
        formula: 'nopeHeadDim + ropeHeadDim',
      };
      fields.rotaryDim = rope;
      return;
    }
    // DeepSeek code written for latent attention that switches it off with zeros and nulls.
    const switchedOff = section.lookup('kv_lora_rank').state === 'null' || section.number('qk_nope_head_dim') === 0;
    if (family?.latentAttention === true && !switchedOff) return;
    const explicit = this.#explicitHeadDim(family);
    if (explicit === 'unknown') return;
    const formula = family === undefined ? undefined : sizeFormulas.get(family.modelType)?.headDim;
    if (explicit !== undefined) fields.headDim = explicit;
    else if (formula !== undefined) {
      const value = this.#byFormula(formula);
      if (value === undefined) return;
      fields.headDim = value;
    } else if (
      (family?.floorsHeadDim === true || (family === undefined && isOpenLm(section))) &&
      fields.hiddenSize !== undefined &&
      fields.queryHeads !== undefined &&
      fields.queryHeads.value > 0
    ) {
      fields.headDim = {
        value: Math.floor(fields.hiddenSize.value / fields.queryHeads.value),
        source: 'derived',
        range: fields.queryHeads.range,
        formula: 'hiddenSize // queryHeads',
      };
    }
    if (fields.headDim === undefined && (section.path !== '' || section.affix !== '')) {
      const width = section.number('head_width');
      if (width === undefined && fields.queryHeads === undefined && fields.hiddenSize !== undefined && isClipTower(section)) {
        // CLIP's vision tower: heads = width // head_width, 64 unless set (open_clip, CLIPVisionCfg).
        fields.headDim = { value: 64, source: 'default', key: 'head_width', origin: 'CLIPVisionCfg' };
      }
    }
    if (
      fields.queryHeads === undefined &&
      fields.headDim !== undefined &&
      fields.hiddenSize !== undefined &&
      isClipTower(section) &&
      fields.hiddenSize.value % fields.headDim.value === 0
    ) {
      fields.queryHeads = {
        value: fields.hiddenSize.value / fields.headDim.value,
        source: 'derived',
        range: fields.hiddenSize.range,
        formula: 'hiddenSize / headDim',
      };
      if (fields.keyValueHeads === undefined) fields.keyValueHeads = { ...fields.queryHeads, formula: 'queryHeads' };
    }
    if (fields.headDim === undefined && !(switchedOff && family?.latentAttention === true) && !this.#dividesByDefault(family)) return;
    if (keyValueUnknown && fields.headDim === undefined && fields.queryHeads === undefined) return;
    if (!this.#attends()) return;
    if (fields.headDim === undefined) this.#isQuotient = true;
    deriveHeadDim(fields);
    const value = switchedOff ? undefined : part('v_head_dim');
    if (value !== undefined && value.value > 0 && fields.headDim !== undefined) fields.valueDim = value;
    else if (family === undefined) {
      const written = this.#byLexicon('valueDim');
      if (written !== undefined && written !== 'unknown') fields.valueDim = written;
    }
  }

  /** Whether every layer of the stack may be something else than softmax attention over these heads. */
  #attends(): boolean {
    for (const name of this.#section.names) if (notAttention.test(name)) return this.usesFamily;
    const layers = this.#section.entry('attention_config')?.value;
    if (layers !== undefined && isSequence(layers) && /^\W*(mamba|rwkv|gmlp|amlp)\W/.test(this.#textOf(layers))) return false;
    const type = `${declaredType(this.#section) ?? ''} ${this.#file.sections[0]?.string('model_type') ?? ''}`;
    return this.usesFamily || (!notAttention.test(type) && !/hawk|griffin|mamba|rwkv|mingru|minlstm|xlstm/.test(type));
  }

  #textOf(node: ConfigNode): string {
    if (isScalar(node)) return ` ${String(node.value)} `;
    if (isSequence(node))
      return node.items
        .slice(0, 4)
        .map((item) => this.#textOf(item))
        .join('');
    return '';
  }

  /** False where the family computes its head dim in another way than width / heads. */
  #dividesByDefault(family: Family | undefined): boolean {
    if (family === undefined) {
      const section = this.#section;
      if (this.#file.partial || section.mapping.partial === true) return false;
      // lucidrains' libraries give each head 64 features whatever the width.
      const lucidrains =
        section.has('dim') && section.has('heads') && (section.has('depth') || section.has('max_seq_len') || section.has('num_tokens'));
      // Any other key that speaks of a head's width sets it in a way not known here.
      const other = [...section.names].some(
        (name) =>
          section.lookup(name).state !== 'null' &&
          section.number(name) !== 0 &&
          /head/.test(name) &&
          /(dim|size|width|channels)/.test(name) &&
          !lexicon.headDim.includes(name) &&
          !/hidden|num|linear|value|rope|nope|index|pooler|class|mlp|proj/.test(name),
      );
      return !lucidrains && !other;
    }
    const hidden = family.fields.get(family.keys.hiddenSize ?? '');
    const heads = family.fields.get(family.keys.queryHeads ?? '') ?? family.fields.get(family.keys['encoder.queryHeads'] ?? '');
    const resolved = family.resolved.headDim;
    if (resolved === undefined) return true;
    return typeof hidden === 'number' && typeof heads === 'number' && resolved === Math.floor(hidden / heads);
  }

  #explicitHeadDim(family: Family | undefined): Field<number> | 'unknown' | undefined {
    const section = this.#section;
    if (family !== undefined) {
      const own = this.#byFamily('headDim', family);
      if (own !== undefined) return own;
      // Most modeling code reads `head_dim` even where the config class does not list it.
      const found = section.lookup('head_dim');
      if (found.state === 'value') return this.#written('head_dim') ?? 'unknown';
      return undefined;
    }
    // Cerebras and others give the width of all heads together.
    const inner = this.#written('attention_inner_dim');
    const heads = this.#take('queryHeads', undefined);
    if (inner !== undefined && heads !== undefined && heads !== 'unknown')
      return inner.value % heads.value === 0
        ? { ...inner, value: inner.value / heads.value, source: 'derived', formula: 'attention_inner_dim / queryHeads' }
        : 'unknown';
    for (const holder of [section, section.child('attn_config'), section.child('extra_attention_params'), section.child('attention')]) {
      if (holder === undefined) continue;
      const found = (holder === section ? this : new StackReader(holder, undefined, this.#file)).#byLexicon('headDim');
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** A family's own formula over its keys, written or default. */
  #byFormula(formula: SizeFormula): Field<number> | undefined {
    let by: Field<number> | undefined;
    const value = formula.of((key) => {
      const written = this.#written(key);
      by ??= written;
      if (written !== undefined) return written.value;
      const alias = this.#family === undefined ? undefined : aliasesOf(this.#family, key).find((name) => this.#section.has(name));
      if (alias !== undefined) return this.#section.number(alias);
      const fallback = this.#custom || this.#section.lookup(key).state === 'unknown' ? undefined : this.#family?.fields.get(key);
      return typeof fallback === 'number' ? fallback : undefined;
    });
    return value === undefined
      ? undefined
      : { value, source: 'derived', range: by?.range, keyRange: by?.keyRange, formula: formula.formula };
  }

  #intermediate(fields: Fields, part: Part, except: ReadonlySet<string> | undefined): Field<number> | 'unknown' | undefined {
    const section = this.#section;
    const family = this.usesFamily ? this.#family : undefined;
    const width = fields.hiddenSize?.value;
    const scaled = (value: number, by: string, formula: string): Field<number> => ({
      value,
      source: 'derived',
      range: section.entry(by)?.value?.range ?? fields.hiddenSize?.range,
      keyRange: section.entry(by)?.keyRange,
      key: section.entry(by)?.key,
      formula,
    });
    const key =
      family === undefined
        ? undefined
        : (family.keys[part === undefined ? 'intermediateSize' : `${part}.intermediateSize`] ?? family.keys.intermediateSize);
    const formula = family === undefined ? undefined : sizeFormulas.get(family.modelType)?.intermediateSize;
    if (formula !== undefined && (key === undefined || section.lookup(key).state !== 'value' || family?.modelType !== 'gpt_neo'))
      return this.#byFormula(formula);
    if (key !== undefined && /ratio/.test(key) && family !== undefined) {
      const ratio = section.number(key) ?? (this.#custom ? undefined : family.fields.get(key));
      if (typeof ratio !== 'number' || width === undefined || section.lookup(key).state === 'unknown') return undefined;
      return scaled(Math.trunc(width * ratio), key, `hiddenSize * ${key}`);
    }
    for (const child of ['ffn_config', 'extra_ffn_params']) {
      const nested = section.child(child);
      const written = nested === undefined ? undefined : new StackReader(nested, undefined, this.#file).#byLexicon('intermediateSize');
      if (written !== undefined) return written;
    }
    // A family's list of widths (one per layer) that are not all the same has no single answer.
    const own = this.#take('intermediateSize', part, except);
    if (own === 'unknown') return own;
    const type = declaredType(section);
    if (own !== undefined && own.source === 'written') {
      // Qwen 1 halves it: its two gate matrices share the written width.
      if (type === 'qwen') return scaled(own.value / 2, own.key ?? '', 'intermediate_size / 2');
      // GPT-NeoX scales a gated FFN so that three matrices share the written width (megatron/model/transformer.py, ParallelMLP).
      if (isGptNeoX(section) && isGatedName(section.string('activation')) && own.value % 3 === 0)
        return scaled(own.value / 3, own.key ?? '', 'intermediate_size / 3');
      // OLMo's SwiGLU splits the written width into gate and value (olmo/model.py, output_multiplier 0.5).
      if (own.key === 'mlp_hidden_size' && section.string('activation_type') === 'swiglu')
        return scaled(own.value / 2, own.key, 'mlp_hidden_size / 2');
      if (section.has('gating') && (own.key === 'dim_feedforward' || own.key?.endsWith('dim_feedforward') === true))
        return width === undefined ? undefined : scaled(moshiGate(width, own.value), own.key, 'gated dim_feedforward');
      return own;
    }
    if (own !== undefined) return own;
    if (width === undefined) return undefined;
    if (family !== undefined) {
      if (this.#custom) return undefined;
      const resolved = family.resolved.intermediateSize;
      const defaultWidth = family.fields.get(family.keys.hiddenSize ?? '');
      const fourfold = key === 'n_inner' || (resolved !== undefined && typeof defaultWidth === 'number' && resolved === 4 * defaultWidth);
      return fourfold && key !== undefined ? scaled(4 * width, key, '4 * hiddenSize') : undefined;
    }
    if (isOpenLm(section)) {
      // open_lm/model.py Block: SwiGLU two thirds of 4d, rounded up to 256, unless ffn_type says otherwise.
      const type = section.string('ffn_type') ?? 'swiglu';
      if (type === 'gelu') return scaled(4 * width, 'ffn_type', '4 * hiddenSize');
      return /^(swiglu|swiglu_torch|gemma_geglu)$/.test(type)
        ? scaled(256 * Math.ceil(Math.trunc((8 * width) / 3) / 256), 'ffn_type', '256 * ceil((8 * hiddenSize / 3) / 256)')
        : undefined;
    }
    const multiple = section.number('multiple_of');
    if (multiple !== undefined && multiple > 0 && section.number('dim') !== undefined && !section.has('mlp_structure')) {
      // Touvron et al. 2023; llama/model.py FeedForward: two thirds of 4d, scaled, rounded up to multiple_of.
      const multiplier = section.number('ffn_dim_multiplier');
      const base = Math.trunc((2 * 4 * width) / 3);
      const wide = multiplier === undefined ? base : Math.trunc(multiplier * base);
      return scaled(
        multiple * Math.ceil(wide / multiple),
        'multiple_of',
        'multiple_of * ceil(ffn_dim_multiplier * (8 * hiddenSize / 3) / multiple_of)',
      );
    }
    for (const name of lexicon.ffnRatio) {
      const ratio = section.number(name);
      if (ratio === undefined) continue;
      if (section.has('gating') && section.lookup('gating').state === 'value' && section.string('gating') !== 'none')
        return scaled(moshiGate(width, Math.trunc(width * ratio)), name, `gated hiddenSize * ${name}`);
      // OLMo's SwiGLU splits the written width into gate and value (olmo/model.py, output_multiplier 0.5).
      const halves = section.string('activation_type') === 'swiglu' && section.has('d_model') && name === 'mlp_ratio';
      return scaled(Math.trunc((width * ratio) / (halves ? 2 : 1)), name, `hiddenSize * ${name}${halves ? ' / 2' : ''}`);
    }
    if (isClipTower(section)) return scaled(4 * width, 'mlp_ratio', '4 * hiddenSize');
    const gated =
      isGatedName(section.string('activation') ?? section.string('hidden_act') ?? section.string('activation_type')) ||
      section.boolean('swiglu') === true;
    if (!gated && section.string('mlp_type') !== 'llama' && isFourfold(section)) return scaled(4 * width, '', '4 * hiddenSize');
    return undefined;
  }

  #experts(fields: Fields): void {
    const moe = this.#section.child('moe') ?? this.#section.child('ffn_config');
    const nested = moe === undefined ? undefined : new StackReader(moe, undefined, this.#file);
    for (const concept of ['experts', 'expertsPerToken', 'expertIntermediateSize', 'sharedExperts'] as const) {
      const found =
        (nested === undefined ? undefined : nested.#byLexicon(concept)) ??
        this.#take(concept, undefined) ??
        (this.usesFamily ? this.#byLexicon(concept) : undefined);
      if (found !== undefined && found !== 'unknown') fields[concept] = found;
    }
  }

  #qualities(fields: Fields, part: Part): void {
    const section = this.#section;
    const family = this.usesFamily ? this.#family : undefined;
    const epsilon = this.#take('normEpsilon', undefined) ?? (family !== undefined ? this.#byLexicon('normEpsilon') : undefined);
    if (epsilon !== undefined && epsilon !== 'unknown') fields.normEpsilon = epsilon;
    const activationKey = family?.keys.activation;
    for (const name of activationKey !== undefined ? [activationKey] : lexicon.activation) {
      const found = section.lookup(name);
      if (found.state !== 'value' || !isScalar(found.node) || typeof found.node.value !== 'string') continue;
      fields.activation = {
        value: found.node.value,
        source: 'written',
        range: found.node.range,
        keyRange: found.entry.keyRange,
        key: found.entry.key,
      };
      break;
    }
    if (fields.activation === undefined && family !== undefined && activationKey !== undefined && !this.#custom) {
      const value = family.fields.get(activationKey);
      if (typeof value === 'string') fields.activation = { value, source: 'default', key: activationKey, origin: family.className };
    }
    for (const [field, names] of booleanFields) {
      for (const name of names) {
        const found = section.lookup(name);
        const value = found.state === 'value' ? booleanOf(found.node) : undefined;
        if (value === undefined || found.state !== 'value') continue;
        fields[field] = { value, source: 'written', range: found.node.range, keyRange: found.entry.keyRange, key: found.entry.key };
        break;
      }
      if (fields[field] !== undefined || family === undefined || this.#custom) continue;
      for (const name of names) {
        const value = family.fields.get(name);
        if (typeof value !== 'boolean' || section.has(name)) continue;
        fields[field] = { value, source: 'default', key: name, origin: family.className };
        break;
      }
    }
    for (const name of ['torch_dtype', 'dtype', 'params_dtype', 'precision', 'model_dtype', 'weight_dtype']) {
      const found = section.lookup(name);
      if (found.state !== 'value' || !isScalar(found.node) || typeof found.node.value !== 'string') continue;
      fields.dtype = {
        value: found.node.value.replace(/^torch\./, ''),
        source: 'written',
        range: found.node.range,
        keyRange: found.entry.keyRange,
        key: found.entry.key,
      };
      break;
    }
    const window = this.#written('sliding_window') ?? this.#written('sliding_window_size') ?? this.#written('sliding_window_width');
    if (window !== undefined) fields.slidingWindow = window;
    const theta =
      this.#written('rope_theta') ??
      this.#written('rotary_emb_base') ??
      this.#written('rope_max_timescale') ??
      this.#written('rotary_base');
    if (theta !== undefined) fields.ropeTheta = theta;
    const types = section.lookup('layer_types');
    if (types.state === 'value' && isSequence(types.node)) {
      const values = types.node.items.map((item) => (isScalar(item) && typeof item.value === 'string' ? item.value : undefined));
      if (values.every((value): value is string => value !== undefined))
        fields.layerTypes = {
          value: values,
          source: 'written',
          range: types.node.range,
          keyRange: types.entry.keyRange,
          key: types.entry.key,
        };
    }
    for (const name of ['embedding_size', 'emb_size', 'word_embed_proj_dim']) {
      const written = this.#written(name);
      // In OLMo `embedding_size` is the padded vocabulary.
      if (written !== undefined && !section.has('d_model')) {
        fields.embeddingSize = written;
        break;
      }
    }
    const factor = this.#rotaryFactor();
    if (factor !== undefined) {
      fields.rotaryFactor = factor;
      if (fields.headDim !== undefined && fields.rotaryDim === undefined)
        fields.rotaryDim = {
          value: Math.trunc(fields.headDim.value * factor.value),
          source: 'derived',
          range: factor.range,
          keyRange: factor.keyRange,
          formula: 'headDim * rotaryFactor',
        };
    }
    const rotary = this.#written('rotary_dim') ?? this.#written('pe_rotary_dims') ?? this.#written('rotary_ndims');
    if (rotary !== undefined && rotary.value > 0) fields.rotaryDim = rotary;
    const traits = traitsOf(
      this.#family?.modelType ?? declaredType(section),
      this.#shared === undefined ? [section] : [section, this.#shared],
      part,
      family !== undefined,
    );
    if (traits.normPlacement !== undefined) fields.normPlacement = traits.normPlacement;
    if (traits.causal !== undefined) fields.causal = traits.causal;
    if (traits.positions !== undefined) fields.positions = traits.positions;
    const byFamily = family?.gated ?? gatedByFamily(this.#family?.modelType ?? declaredType(section));
    const gated = gatedOf(section, fields.activation?.value, byFamily);
    if (gated !== undefined)
      fields.gatedFfn = {
        value: gated,
        source: byFamily === gated ? 'default' : 'derived',
        origin: family?.className,
        formula: byFamily === gated ? undefined : 'activation',
      };
  }

  #rotaryFactor(): Field<number> | undefined {
    for (const holder of [this.#section, this.#section.child('rope_parameters'), this.#section.child('rope_scaling')]) {
      if (holder === undefined) continue;
      const reader = holder === this.#section ? this : new StackReader(holder, undefined, this.#file);
      for (const name of ['partial_rotary_factor', 'rotary_pct', 'rotary_percentage', 'rotary_percent', 'rope_pct']) {
        const written = reader.#written(name);
        if (written !== undefined) return written;
      }
    }
    return undefined;
  }
}

/** `block_configs: [{attention: ..., ffn: ...}, ...]`: each layer has a mapping of its own. */
function describesLayers(section: Section): boolean {
  for (const name of section.names) {
    const node = section.entry(name)?.value;
    const first = node?.kind === 'sequence' ? node.items[0] : undefined;
    if (first?.kind === 'mapping' && first.entries.some(({ key }) => /attention|attn|mixer|ffn|mlp|heads/.test(key))) return true;
  }
  return false;
}

const none: ReadonlySet<string> = new Set();

const booleanFields = [
  [
    'tieEmbeddings',
    ['tie_word_embeddings', 'weight_tying', 'tie_weights', 'share_embeddings_and_output_weights', 'logits_via_embedding', 'tie_embeddings'],
  ],
  ['attentionBias', ['attention_bias', 'qkv_bias', 'attn_bias', 'use_qkv_bias', 'attention_qkv_bias', 'add_qkv_bias', 'bias_attn']],
] as const;

export const lexiconHit = (section: Section, concept: LexiconConcept, name: string): boolean =>
  lexicon[concept].find((word) => section.number(word) !== undefined) === name;
