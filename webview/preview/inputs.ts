import type { FromPreview, PreviewDesign, ToPreview } from '../protocol.ts';
import { checkpointBytes, count } from './checkpoint.ts';
import type { Context } from './compute.ts';
import type { SampleSettings } from './settings.ts';
import { t } from './text.ts';
import { bytesText } from './words.ts';

/** What the extension reads for the page: rows of a file, a tokenizer, a checkpoint's layers. Asked for when a setting needs them. */
export class Inputs {
  readonly #ask: (message: FromPreview) => void;
  readonly #give: (context: Context) => void;
  #file: { readonly uri: string; readonly name: string; readonly reason: string } | undefined;
  #fileAsked = '';
  #tokenizer: string | undefined;
  #tokenizerAsked = false;
  #request = 0;
  /** The layers that were asked for, and the bytes that are still to come. */
  #weights:
    | {
        readonly key: string;
        readonly name: string;
        readonly reason: string;
        readonly all: number;
        left: number;
        readonly without: string;
        readonly numbers: number;
        readonly embedded: boolean;
      }
    | undefined;

  constructor(ask: (message: FromPreview) => void, give: (context: Context) => void) {
    this.#ask = ask;
    this.#give = give;
  }

  /** Name of the file whose rows are read; '' for none. */
  get fileName(): string {
    return this.#file?.name ?? '';
  }

  /** Path of the tokenizer; '' where there is none, undefined while it is looked for. */
  get tokenizer(): string | undefined {
    return this.#tokenizer;
  }

  /** Name of the checkpoint whose layers are there. */
  get checkpoint(): string {
    return this.#weights?.reason === '' && this.#weights.left === 0 ? this.#weights.name : '';
  }

  /** Why the layers before those of the checkpoint are not run; '' where they are. */
  get without(): string {
    return this.#weights?.without ?? '';
  }

  /** Whether tokens have the model's own embeddings. */
  get embedded(): boolean {
    return this.#weights?.embedded ?? false;
  }

  /** Numbers of the checkpoint's matrices that are used. */
  get numbers(): number {
    return this.#weights?.numbers ?? 0;
  }

  /** Asks for what the settings need and is not there. */
  need(settings: SampleSettings, design: PreviewDesign | undefined): void {
    const { model, source } = settings;
    if (model === 'trained') return;
    if (source === 'text' && settings.tokenizer === 'workspace' && this.#tokenizer === undefined && !this.#tokenizerAsked) {
      this.#tokenizerAsked = true;
      this.#ask({ kind: 'findTokenizer' });
    }
    if (source === 'file' && settings.file !== '' && settings.file !== this.#file?.uri && settings.file !== this.#fileAsked) {
      this.#fileAsked = settings.file;
      this.#ask({ kind: 'readFile', uri: settings.file });
    }
    if (model !== 'checkpoint' || design === undefined) return;
    const key = JSON.stringify([design, settings.layer, settings.layers, settings.before, isEmbedded(settings)]);
    if (key === this.#weights?.key) return;
    this.#weights = { key, name: '', reason: '', all: 0, left: Number.POSITIVE_INFINITY, without: '', numbers: 0, embedded: false };
    this.#ask({
      kind: 'findWeights',
      request: ++this.#request,
      layer: settings.layer,
      layers: settings.layers,
      before: settings.before,
      embedded: isEmbedded(settings),
    });
  }

  /** What the sample still needs, in words. */
  missing(settings: SampleSettings): string | undefined {
    const { model, source, tokenizer: by, text } = settings;
    if (model === 'trained') return undefined;
    if (model === 'checkpoint') {
      const { reason = '', all = 0, left = Number.POSITIVE_INFINITY } = this.#weights ?? {};
      if (reason !== '') return reason;
      if (all === 0) return t('Looking for the checkpoint…');
      if (left > 0) return t('Reading the checkpoint: {done} of {all}.', { done: bytesText(all - left), all: bytesText(all) });
    }
    if (source === 'file') {
      if (settings.file === '') return t('Pick a .npy, .json or .safetensors file that holds one row of numbers per token.');
      if (this.#file?.uri !== settings.file) return t('Reading the file…');
      if (this.#file.reason !== '') return this.#file.reason;
    }
    if (source !== 'text' || by !== 'workspace' || text.trim() === '') return undefined;
    if (this.#tokenizer === undefined) return t('Looking for tokenizer.json…');
    return this.#tokenizer === '' ? t('No tokenizer.json was found beside the file or in the workspace.') : undefined;
  }

  /** Takes what the extension sent. @returns whether it was one of these, and whether there is something new to compute or say */
  receive(message: ToPreview): 'other' | 'news' | 'nothing' {
    switch (message.kind) {
      case 'tokenizer':
        this.#tokenizer = message.name;
        if (message.json !== '') this.#give({ kind: 'tokenizer', json: message.json });
        return 'news';
      case 'file':
        this.#file = { uri: message.uri, name: message.name, reason: '' };
        this.#fileAsked = message.uri;
        this.#give({ kind: 'file', name: message.name, bytes: message.bytes });
        return 'news';
      case 'noFile':
        this.#file = { uri: message.uri, name: '', reason: message.reason };
        return 'news';
      case 'checkpoint': {
        if (message.request !== this.#request || this.#weights === undefined) return 'nothing';
        const { key } = this.#weights;
        const bytes = message.reason === '' ? checkpointBytes(message) : message.reason;
        const reason = typeof bytes === 'string' ? bytes : '';
        const all = typeof bytes === 'string' ? 0 : bytes;
        const { name, without } = message;
        const table = message.layers.flatMap(({ parts }) => parts).find(({ role }) => role === 'embedding')?.tensor;
        const numbers = message.tensors.reduce((total, tensor) => total + (tensor.name === table ? 0 : count(tensor.shape)), 0);
        this.#weights = { key, name, reason, all, left: all, without, numbers, embedded: table !== undefined };
        if (reason === '') this.#give({ kind: 'checkpoint', message });
        return 'news';
      }
      case 'weights': {
        const { request, tensor, at, bytes } = message;
        if (request !== this.#request || this.#weights === undefined || this.#weights.reason !== '') return 'nothing';
        this.#weights.left -= bytes.byteLength;
        this.#give({ kind: 'part', tensor, at, bytes });
        return 'news';
      }
      default:
        return 'other';
    }
  }

  /** What was handed over is gone: it is asked for anew. */
  lost(): void {
    this.#file = undefined;
    this.#fileAsked = '';
    this.#weights = undefined;
  }
}

/** Whether tokens are those of the model's own vocabulary, so that they have embeddings in it. */
const isEmbedded = ({ model, source, tokenizer, text, before }: SampleSettings): boolean =>
  model === 'checkpoint' && before && source === 'text' && tokenizer === 'workspace' && text.trim() !== '';
