import * as vscode from 'vscode';
import { previewHtml } from '../../webview/html.ts';
import {
  type FromPreview,
  isDesignOrUnavailable,
  isFromPreview,
  MOST_NUMBERS,
  type PreviewDesign,
  type ToPreview,
} from '../../webview/protocol.ts';
import { findLayers, type LayerOptions } from '../checkpoint/layers.ts';
import type { CommandTarget, Place, StackSummary } from '../protocol/languageServer.ts';
import { checkpointNames, toPreviewDesign } from './previewDesign.ts';
import { checkpointFolder, findTokenizer, pickArray, type ReadRange, readPicked } from './previewFiles.ts';
import { type LinkTarget, linkQuery, readLink } from './previewLink.ts';
import type { Server } from './server.ts';

const viewType = 'headwise.attentionPreview';

export interface PreviewPanels {
  /** Opens the preview of a document's stack beside the editor, or brings the one that is open to the front. */
  readonly open: (target: CommandTarget | undefined, state?: string) => Promise<void>;
}

/** A link's query: which document, and the page's state. */
const linkPath = '/preview';

/** Registers the preview and its revival after a reload of the window. */
export function registerPreview(
  context: vscode.ExtensionContext,
  server: Server,
  log: vscode.LogOutputChannel,
  readRange?: ReadRange,
): PreviewPanels {
  const panels = new Map<string, PreviewPanel>();
  const adopt = (panel: vscode.WebviewPanel, target: CommandTarget | undefined): PreviewPanel => {
    const key = keyOf(target);
    const preview = new PreviewPanel(context, server, log, panel, target, readRange);
    panels.set(key, preview);
    panel.onDidDispose(() => {
      if (panels.get(key) === preview) panels.delete(key);
    });
    return preview;
  };
  context.subscriptions.push(
    vscode.window.registerWebviewPanelSerializer(viewType, {
      deserializeWebviewPanel: async (panel, state: unknown) => {
        adopt(panel, readState(state));
      },
    }),
    vscode.window.registerUriHandler({
      handleUri: async (uri) => {
        if (uri.path !== linkPath) return;
        const link = readLink(uri.query);
        await open(link.uri === undefined ? undefined : { uri: link.uri, design: link.design ?? '' }, link.state);
      },
    }),
    { dispose: () => panels.clear() },
  );
  return { open };

  async function open(target: CommandTarget | undefined, state?: string): Promise<void> {
    if (target !== undefined) {
      try {
        // The server reads open documents only.
        await vscode.workspace.openTextDocument(vscode.Uri.parse(target.uri));
      } catch {
        // The page says that the file cannot be opened.
      }
    }
    const design = target === undefined ? undefined : await server.design(vscode.Uri.parse(target.uri));
    // Any other file is no base: the page shows its sample design.
    const base = design === undefined ? undefined : target;
    const known = panels.get(keyOf(base));
    if (known !== undefined) {
      known.reveal();
      known.restore(state);
      return;
    }
    const panel = vscode.window.createWebviewPanel(
      viewType,
      vscode.l10n.t('Attention preview'),
      { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
      { enableScripts: true, localResourceRoots: resourceRoots(context) },
    );
    adopt(panel, base).restore(state);
  }
}

const keyOf = (target: CommandTarget | undefined): string => (target === undefined ? '' : sourceOf(target));

/** A target as one string, as the page keeps it: the document's URI, with the stack's path as fragment where there are several. */
const sourceOf = (target: CommandTarget): string =>
  target.design === '' ? target.uri : `${target.uri}#${encodeURIComponent(target.design)}`;

function targetOf(source: string): CommandTarget {
  const [uri = '', design = ''] = source.split('#', 2);
  try {
    return { uri, design: decodeURIComponent(design) };
  } catch {
    return { uri, design: '' };
  }
}

export const resourceRoots = (context: vscode.ExtensionContext): vscode.Uri[] => [
  vscode.Uri.joinPath(context.extensionUri, 'dist'),
  vscode.Uri.joinPath(context.extensionUri, 'media'),
];

/** The design that the page kept of itself, as its last message; it may be from another version. */
function readState(state: unknown): CommandTarget | undefined {
  const message: unknown = typeof state === 'object' && state !== null ? (state as { message?: unknown }).message : undefined;
  return isDesignOrUnavailable(message) && message.source !== '' ? targetOf(message.source) : undefined;
}

/** Shown where no config is open: a small grouped-query design. */
const sampleDesign: PreviewDesign = { queryHeads: 8, keyValueHeads: 2, headDim: 64, valueDim: 64, causal: true, positions: 'rope' };

class PreviewPanel {
  readonly #context: vscode.ExtensionContext;
  readonly #panel: vscode.WebviewPanel;
  readonly #server: Server;
  readonly #target: CommandTarget | undefined;
  readonly #readRange: ReadRange | undefined;
  /** The stack that was sent last. */
  #stack: StackSummary | undefined;
  /** The checkpoint's layers that were asked for last. */
  #weights = 0;
  /** Where the last design sent writes its fields. */
  #places: Readonly<Record<string, Place>> = {};
  #ready = false;
  /** State of a link, to be given to the page once it listens. */
  #state: string | undefined;
  #asked = 0;

  constructor(
    context: vscode.ExtensionContext,
    server: Server,
    log: vscode.LogOutputChannel,
    panel: vscode.WebviewPanel,
    target: CommandTarget | undefined,
    readRange: ReadRange | undefined,
  ) {
    this.#context = context;
    this.#readRange = readRange;
    this.#panel = panel;
    this.#server = server;
    this.#target = target;
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: resourceRoots(context) };
    panel.iconPath = vscode.Uri.joinPath(context.extensionUri, 'media', 'icon.png');
    if (target !== undefined) panel.title = vscode.l10n.t('Attention: {0}', nameOf(target.uri));
    const subscriptions = [
      webview.onDidReceiveMessage((message: unknown) => {
        if (!isFromPreview(message)) log.warn(`The preview sent something unknown: ${JSON.stringify(message)?.slice(0, 200)}`);
        else if (message.kind === 'error') log.error(`Preview: ${message.message}`);
        else void this.#answer(message).catch((error: unknown) => log.error(`Preview, ${message.kind}: ${String(error)}`));
      }),
      server.onDidChangeDesign((uri) => {
        if (target !== undefined && (uri === '' || uri === target.uri)) void this.#update();
      }),
    ];
    panel.onDidDispose(() => {
      for (const subscription of subscriptions) subscription.dispose();
    });
    const resource = (...path: string[]): string =>
      webview.asWebviewUri(vscode.Uri.joinPath(context.extensionUri, 'dist', ...path)).toString();
    webview.html = previewHtml({
      nonce: makeNonce(),
      cspSource: webview.cspSource,
      scriptUri: resource('webview', 'preview.js'),
      styleUri: resource('webview', 'preview.css'),
      workerUri: resource('webview', 'worker.js'),
      wasmUri: resource('kernel', 'attention.wasm'),
      relaxedWasmUri: resource('kernel', 'attention-relaxed.wasm'),
      modelUri: webview.asWebviewUri(vscode.Uri.joinPath(context.extensionUri, 'media', 'sample-model.safetensors')).toString(),
      ...(vscode.l10n.bundle === undefined ? {} : { translations: vscode.l10n.bundle }),
      language: vscode.env.language,
      debug: context.extensionMode !== vscode.ExtensionMode.Production,
    });
  }

  reveal(): void {
    this.#panel.reveal(undefined, true);
  }

  /** Has the page show the state of a link. */
  restore(state: string | undefined): void {
    if (state === undefined) return;
    this.#state = state;
    void this.#giveState();
  }

  async #giveState(): Promise<void> {
    const state = this.#state;
    if (!this.#ready || state === undefined || state.length > 10_000) return;
    this.#state = undefined;
    await this.#send({ kind: 'restore', state });
  }

  async #send(message: ToPreview): Promise<void> {
    await this.#panel.webview.postMessage(message);
  }

  async #answer(message: Exclude<FromPreview, { kind: 'error' }>): Promise<void> {
    switch (message.kind) {
      case 'ready':
        this.#ready = true;
        await this.#update();
        return this.#giveState();
      case 'reveal':
        return this.#revealField(message.field);
      case 'export':
        return saveFile(message.name, message.bytes);
      case 'pickFile': {
        const file = await pickArray(this.#context);
        if (file !== undefined) await this.#send({ kind: 'file', ...file });
        return;
      }
      case 'readFile': {
        const file = await readPicked(this.#context, message.uri);
        return this.#send(
          typeof file === 'string' ? { kind: 'noFile', uri: message.uri, reason: file } : { kind: 'file', ...file, uri: message.uri },
        );
      }
      case 'findWeights':
        return this.#sendWeights(message);
      case 'findTokenizer':
        return this.#send({ kind: 'tokenizer', ...(await findTokenizer(this.#target)) });
      case 'copyLink': {
        const target: LinkTarget = { ...this.#target, state: message.state };
        const text = message.form === 'command' ? commandText(target) : linkText(target);
        await vscode.env.clipboard.writeText(text);
        vscode.window.setStatusBarMessage(vscode.l10n.t('Copied to the clipboard.'), 4000);
        return;
      }
      case 'lint': {
        const { query, sizes } = message;
        const result = await this.#server.lintSizes({ sizes, ...(this.#target === undefined ? {} : { base: this.#target }) });
        return this.#send({ kind: 'findings', query, findings: (result?.findings ?? []).slice(0, 20) });
      }
    }
  }

  /** Layers of the checkpoint beside the document: their names and shapes first, then their numbers in small pieces. */
  async #sendWeights({ request, layer, layers, before, embedded }: Extract<FromPreview, { kind: 'findWeights' }>): Promise<void> {
    this.#weights = request;
    const none = (reason: string): Promise<void> =>
      this.#send({
        kind: 'checkpoint',
        request,
        name: '',
        reason,
        width: 0,
        interleaved: false,
        gainOffset: 0,
        without: '',
        tensors: [],
        layers: [],
      });
    const stack = this.#stack;
    const design = stack === undefined ? undefined : toPreviewDesign(stack);
    const folder = checkpointFolder(this.#target, this.#readRange);
    if (stack === undefined || design === undefined || folder === undefined)
      return none(vscode.l10n.t('Only the config of a model has a checkpoint beside it.'));
    try {
      const names = checkpointNames(stack);
      const find = (options: LayerOptions) => findLayers(folder, layer, Math.min(layers, mostLayers), design, options);
      const stream = before ? await this.#findStream(stack, find, { ...names, embedded }) : '';
      const found = typeof stream === 'string' ? await find(names) : stream;
      if (typeof found === 'string') return await none(found);
      await this.#send({
        kind: 'checkpoint',
        request,
        name: found.name,
        reason: '',
        width: found.layers[0]?.width ?? 0,
        interleaved: found.layers.some(({ interleaved }) => interleaved),
        gainOffset: names.gainOffset,
        without: typeof stream === 'string' ? stream : '',
        tensors: found.tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
        layers: found.layers.map(({ layer: index, parts }) => ({ layer: index, parts })),
      });
      for (const [tensor, { file, first, length }] of found.tensors.entries()) {
        for (let at = 0; at < length; at += pieceBytes) {
          // The page asked for others meanwhile, or is gone.
          if (this.#weights !== request) return;
          const bytes = new Uint8Array(await file.read(first + at, first + Math.min(length, at + pieceBytes)));
          await this.#send({ kind: 'weights', request, tensor, at, bytes });
        }
      }
    } catch (error) {
      await none(error instanceof Error ? error.message : String(error));
    }
  }

  /** The layers with all that stands before and around them, or why they are not run. */
  async #findStream(
    { block, family }: StackSummary,
    find: (options: LayerOptions) => ReturnType<typeof findLayers>,
    names: LayerOptions,
  ): ReturnType<typeof findLayers> {
    if (block === undefined)
      return family === undefined
        ? vscode.l10n.t('What stands around attention in this model is not known here.')
        : vscode.l10n.t('What stands around attention in the family {0} with these settings is not known here.', family);
    let reason = '';
    // Where the embeddings are too many the rest may still be read.
    for (const embedded of names.embedded === true ? [true, false] : [false]) {
      const found = await find({ ...names, before: true, embedded });
      if (typeof found !== 'string') {
        const numbers = found.tensors.reduce((total, { shape }) => total + shape.reduce((product, length) => product * length, 1), 0);
        if (numbers <= MOST_NUMBERS) return found;
        reason = vscode.l10n.t(
          'The layers up to this one have {0} numbers; at most {1} are read.',
          numbers.toLocaleString('en'),
          MOST_NUMBERS.toLocaleString('en'),
        );
      } else reason = found;
    }
    return reason;
  }

  async #update(): Promise<void> {
    if (!this.#ready) return;
    const turn = ++this.#asked;
    const message = await this.#message();
    // A later edit overtook this one, or the panel is gone.
    if (turn === this.#asked && message !== undefined) await this.#send(message);
  }

  async #message(): Promise<ToPreview | undefined> {
    const target = this.#target;
    if (target === undefined) {
      return { kind: 'design', title: vscode.l10n.t('Sample design'), source: '', design: sampleDesign, warnings: [] };
    }
    const title = nameOf(target.uri);
    const source = sourceOf(target);
    const unavailable = (reason: string): ToPreview => ({ kind: 'unavailable', title, source, reason });
    const uri = vscode.Uri.parse(target.uri);
    try {
      // After a reload the document may not be open: the server reads open documents only.
      await vscode.workspace.openTextDocument(uri);
    } catch {
      return unavailable(vscode.l10n.t('The file cannot be opened any more.'));
    }
    const result = await this.#server.design(uri);
    const stack = result?.stacks.find(({ name }) => name === target.design) ?? result?.stacks[0];
    if (stack === undefined) return unavailable(vscode.l10n.t('The file is no model config with dimensions at the moment.'));
    this.#places = stack.places;
    this.#stack = stack;
    const design = toPreviewDesign(stack);
    if (design === undefined) {
      return unavailable(stack.warnings[0] ?? vscode.l10n.t('The file does not say how many heads there are, or how wide they are.'));
    }
    return {
      kind: 'design',
      title: stack.name === '' ? title : `${title}: ${stack.name}`,
      source,
      design,
      warnings: stack.warnings.slice(0, 20),
    };
  }

  async #revealField(field: string): Promise<void> {
    const place = this.#places[field];
    if (this.#target === undefined || place === undefined) return;
    const uri = vscode.Uri.parse(this.#target.uri);
    const range = new vscode.Range(place.line, place.character, place.line, place.character + place.length);
    const shown = vscode.window.visibleTextEditors.find((editor) => editor.document.uri.toString() === uri.toString());
    await vscode.window.showTextDocument(uri, { selection: range, viewColumn: shown?.viewColumn ?? vscode.ViewColumn.One });
  }
}

/** Layers that are read at once, and bytes of a piece of them: small enough for the page to answer in between. */
const mostLayers = 16;
const pieceBytes = 2 ** 22;

export const nameOf = (uri: string): string => {
  const { path } = vscode.Uri.parse(uri);
  const parts = path.split('/').filter((part) => part !== '');
  // Nearly every config is called config.json: its folder tells them apart.
  return parts.slice(-2).join('/');
};

/** 128 random bits. */
export function makeNonce(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** What keybindings.json takes, with a key added. */
const commandText = (target: LinkTarget): string => JSON.stringify({ command: 'headwise.previewAttention', args: target });

const linkText = (target: LinkTarget): string =>
  vscode.Uri.from({ scheme: vscode.env.uriScheme, authority: 'headwise.headwise', path: linkPath, query: linkQuery(target) }).toString(
    true,
  );

async function saveFile(name: string, bytes: Uint8Array): Promise<void> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const ending = /\.(png|svg|csv|json|npy)$/.exec(name)?.[1];
  if (ending === undefined) return;
  const target = await vscode.window.showSaveDialog({
    ...(folder === undefined ? {} : { defaultUri: vscode.Uri.joinPath(folder, `attention.${ending}`) }),
    filters: { [ending.toUpperCase()]: [ending] },
  });
  if (target === undefined) return;
  await vscode.workspace.fs.writeFile(target, bytes);
  vscode.window.setStatusBarMessage(vscode.l10n.t('Saved {0}.', vscode.workspace.asRelativePath(target)), 4000);
}
