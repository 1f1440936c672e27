import { isBaseField } from '../../design/baseFields.ts';
import { isFieldOfSomeFamily } from '../../design/families.ts';
import { booleanOf, normaliseName, numberOf, type Section } from '../../design/section.ts';
import { type EntryNode, isScalar } from '../../syntax/node.ts';
import { editDistance } from '../../text/nearest.ts';
import { isFirstOfMapping, ropeBlocks } from '../positions/rope.ts';
import { defineRule } from '../rule.ts';
import { isKnownName, isKnownWord } from './keyWords.ts';

/** Names so common and so long that a near miss is surely one of them, whatever code reads the file. */
const strongNames = [
  'num_attention_heads',
  'num_key_value_heads',
  'num_hidden_layers',
  'hidden_size',
  'intermediate_size',
  'vocab_size',
  'max_position_embeddings',
  'rms_norm_eps',
  'layer_norm_eps',
  'layer_norm_epsilon',
  'rope_theta',
  'rope_scaling',
  'hidden_act',
  'tie_word_embeddings',
  'partial_rotary_factor',
  'sliding_window',
  'num_experts_per_tok',
  'num_query_groups',
  'ffn_hidden_size',
  'tensor_model_parallel_size',
  'pipeline_model_parallel_size',
  'ffn_dim_multiplier',
  'multiple_of',
  'n_kv_heads',
];

const ropeNames = [
  'rope_type',
  'rope_theta',
  'factor',
  'low_freq_factor',
  'high_freq_factor',
  'original_max_position_embeddings',
  'attention_factor',
  'beta_fast',
  'beta_slow',
  'short_factor',
  'long_factor',
  'mscale_all_dim',
  'mrope_section',
  'partial_rotary_factor',
];
const otherRopeNames = new Set(['type', 'mscale', 'truncate', 'mrope_interleaved', 'short_mscale', 'long_mscale', 'alpha', 'finetuned']);

export const misspelledKey = defineRule({
  code: 'HW801',
  name: 'misspelled-key',
  category: 'file',
  severity: 'warning',
  since: '0.1.0',
  docs: {
    what: 'A key that nothing reads is a small slip away from one that this family reads and that is not written.',
    why: 'Config classes keep keys they do not know as plain attributes, so a misspelled one is accepted without a word and the default of the intended one is used: a model of another size is built.',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_head": 16, "num_hidden_layers": 32, "intermediate_size": 11008}',
      },
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "intermidiate_size": 14336}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "intermediate_size": 14336}',
      },
    ],
    fixSafety: 'Unsafe: renaming the key makes its value count, which changes the model that is built.',
    references: ['https://github.com/huggingface/transformers/blob/main/src/transformers/configuration_utils.py'],
  },
  messages: {
    family: '{class} reads no key "{key}". Did you mean {near}?',
    byDefault: '{class} reads no key "{key}", so {near} is {value} by default. Did you mean {near}?',
    known: 'Nothing is known to read the key "{key}". Did you mean {near}?',
  },
  checkDesign(design, { reading, report }) {
    if (!isFirstOfMapping(design, reading)) return;
    const { section, knowledge } = design;
    const sure = knowledge !== undefined && !design.custom;
    const wanted = sure ? [...knowledge.fields.keys(), ...Object.keys(knowledge.subConfigs), 'rope_theta', 'rope_scaling'] : strongNames;
    for (const name of section.names) {
      const entry = section.entry(name);
      if (entry === undefined || entry.merged === true || section.affix !== '') continue;
      const near = intended(entry, section, wanted, sure);
      if (near === undefined) continue;
      const value = sure ? knowledge.fields.get(near) : undefined;
      report({
        at: entry.keyRange,
        message: sure ? (value === undefined || value === null ? 'family' : 'byDefault') : 'known',
        data: { class: knowledge?.className ?? '', key: entry.key, near, value: String(value) },
        fixes: [rename(entry, near)],
      });
    }
    for (const block of ropeBlocks(design)) {
      for (const name of block.section.names) {
        const entry = block.section.entry(name);
        if (entry === undefined || otherRopeNames.has(name)) continue;
        const near = intended(entry, block.section, ropeNames, true);
        if (near !== undefined)
          report({
            at: entry.keyRange,
            message: 'known',
            data: { key: entry.key, near },
            fixes: [rename(entry, near)],
          });
      }
    }
  },
});

const rename = (entry: EntryNode, key: string) => ({
  title: `Did you mean ${key}?`,
  safe: false,
  edits: [{ range: entry.keyRange, newText: key }],
});

/** The one absent name that a key is a slip of; undefined where none or more than one is near enough. */
function intended(entry: EntryNode, section: Section, wanted: readonly string[], sure: boolean): string | undefined {
  const { key } = entry;
  if (key.length < 5 || key.startsWith('_') || wanted.includes(key)) return undefined;
  // Another format's spelling of the same words, `rmsnorm_eps`, is a slip in a class that is known.
  const words = wordsOf(key).join('');
  if (isKnownName(key)) {
    if (!sure || isFieldOfSomeFamily(key) || isBaseField(key)) return undefined;
    if (!wanted.some((name) => lettersApart(key, name) === 0 && wordsOf(name).join('') === words)) return undefined;
  }
  const found = new Set<string>();
  for (const name of wanted) {
    if (name.startsWith('_') || !isSlip(key, name, sure) || isPresent(section, name, key)) continue;
    if (fits(entry, name)) found.add(name);
  }
  const [only] = found;
  return found.size === 1 ? only : undefined;
}

/** Whether a name is written by another entry; names are looked up normalised, so this entry itself may answer to it. */
function isPresent(section: Section, name: string, key: string): boolean {
  const entry = section.entry(name) ?? section.entry(normaliseName(name));
  return entry !== undefined && entry.key !== key;
}

/** A key whose value is text or a truth value is not a slip of a number's name. */
function fits(entry: EntryNode, name: string): boolean {
  if (!/(size|heads|layers|eps|epsilon|embeddings|theta|dim|factor|groups|_of|multiplier)$/.test(name)) return true;
  if (!isScalar(entry.value)) return entry.value !== undefined && name !== 'tie_word_embeddings' ? entry.value.kind === 'sequence' : false;
  if (name === 'tie_word_embeddings') return booleanOf(entry.value) !== undefined;
  return numberOf(entry.value) !== undefined;
}

function isSlip(key: string, name: string, sure: boolean): boolean {
  if (sure && `num_${key}` === name && name.length > 10) return true; // attention_heads
  if (Math.abs(key.length - name.length) > 4 || lettersApart(key, name) > 4) return false;
  const typed = wordsOf(key);
  const meant = wordsOf(name);
  // Code that is not known may read names of its own that differ in form or number only.
  if (sure && typed.join('') === meant.join('')) return true; // hiddenSize, hidden-size, hiddensize
  if (sure && sameWords(typed, meant)) return true; // size_hidden
  const limit = Math.min(key.length, name.length) < 12 ? 1 : 2;
  const distance = editDistance(key.toLowerCase(), name.toLowerCase(), limit);
  if (distance > limit || digitsOf(key) !== digitsOf(name)) return false;
  // num_attention_head: a count in the singular is a slip anywhere.
  if ((sure || name.startsWith('num_')) && distance === 1 && (`${key}s` === name || `${name}s` === key)) return true;
  // Words that are names' parts elsewhere were meant: encoder_layers is no slip of decoder_layers.
  if (singulars(typed).join('_') === singulars(meant).join('_')) return sure;
  return typed.some((word) => !isKnownWord(word) && !meant.includes(word));
}

/** How many letters one has and the other lacks, whatever their order: at most twice the edit distance, and cheap to know. */
function lettersApart(a: string, b: string): number {
  const left = lettersOf(a);
  const right = lettersOf(b);
  let apart = 0;
  for (let i = 0; i < 26; i++) apart += Math.abs((left[i] ?? 0) - (right[i] ?? 0));
  return apart;
}

const letterCounts = new Map<string, Uint8Array>();

function lettersOf(word: string): Uint8Array {
  const known = letterCounts.get(word);
  if (known !== undefined) return known;
  const counts = new Uint8Array(26);
  for (let i = 0; i < word.length; i++) {
    const letter = (word.charCodeAt(i) | 32) - 97;
    if (letter >= 0 && letter < 26) counts[letter] = (counts[letter] ?? 0) + 1;
  }
  if (letterCounts.size < 5000) letterCounts.set(word, counts);
  return counts;
}

const wordsOf = (name: string): string[] =>
  normaliseName(name)
    .split(/[_.\s]+/)
    .filter((word) => word !== '');

const singulars = (words: readonly string[]): string[] => words.map((word) => (word.length > 3 ? word.replace(/s$/, '') : word));

const digitsOf = (name: string): string => name.replace(/\D/g, '');

const sameWords = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.length > 1 && [...a].sort().join(' ') === [...b].sort().join(' ');
