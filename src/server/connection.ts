import {
  type CancellationToken,
  type ClientCapabilities,
  CodeActionKind,
  type CompletionItem,
  type Connection,
  type Diagnostic,
  DiagnosticSeverity,
  DidChangeConfigurationNotification,
  DidChangeWatchedFilesNotification,
  type DocumentDiagnosticReport,
  ErrorCodes,
  type InitializeResult,
  LSPErrorCodes,
  MarkupKind,
  NotebookDocuments,
  type Position,
  ResponseError,
  TextDocumentSyncKind,
  TextDocuments,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { CheckpointShapes } from '../checkpoint/safetensors.ts';
import type { TransformerDesign } from '../design/design.ts';
import { calculation } from '../features/calculation.ts';
import { blockDesigns, blockLenses, codeHints, codeHover, refactorings } from '../features/code.ts';
import { fixAll, quickFixes } from '../features/codeActions.ts';
import { codeLenses } from '../features/codeLens.ts';
import { completionDoc, completions, shapeComments } from '../features/completion.ts';
import { diagnostics } from '../features/diagnostics.ts';
import { hover } from '../features/hover.ts';
import { inlayHints } from '../features/inlayHints.ts';
import { type Translate, translator } from '../features/messages.ts';
import { findingsOfSizes, findingsOfSizesAlone } from '../features/otherSizes.ts';
import { summariseFile } from '../features/summary.ts';
import {
  type CalculateParams,
  type CalculateResult,
  calculateRequest,
  type DesignChangedParams,
  type DesignParams,
  type DesignResult,
  designChangedNotification,
  designRequest,
  type InitializationOptions,
  type LintSizes,
  type LintSizesParams,
  type LintSizesResult,
  lintSizesRequest,
  type ReadFileParams,
  readFileRequest,
  readFolderRequest,
} from '../protocol/languageServer.ts';
import { maximumLength } from '../syntax/read.ts';
import { type Analysis, analyse, needsPython } from '../workspace/analyse.ts';
import type { ValuesFile } from '../workspace/code/given.ts';
import { configFor } from '../workspace/filter.ts';
import { mergeSettings, readProjectSettings, rebaseSettings } from '../workspace/projectSettings.ts';
import type { PythonReader } from '../workspace/python.ts';
import { defaultSettings, type Settings } from '../workspace/settings.ts';
import { maximumQuery, serveCalculator } from './calculator.ts';
import {
  type ClientAbilities,
  type CompletionData,
  fromLspRange,
  toCodeAction,
  toCodeLens,
  toCompletionItem,
  toDiagnostic,
  toInlayHint,
  toLspRange,
  toStackSummary,
} from './convert.ts';
import { inHaste, Leftovers, oneByOne } from './haste.ts';
import { FollowedImports, type ImportSource } from './imports.ts';
import { isSettingsFile, ProjectFiles } from './projectFiles.ts';
import { RemoteImports } from './remoteImports.ts';
import { defaultEditorSettings, type EditorSettings, readClientSettings } from './settings.ts';
import { baseName, parentUri, plainUri, relativePath, resolveUri } from './uris.ts';
import { documentSource, NotebookSources, type Source, type View } from './views.ts';

/** What the platform adds: reading a settings file, where the client does not do that itself. */
export interface Host {
  /** Text of a file by URI; undefined where it is missing or cannot be read here. */
  readonly readFile: (uri: string) => Promise<string | undefined>;
  /** Whether a folder is the root of a repository, where the host can see that. */
  readonly isRepository?: (folder: string) => boolean;
  /** Shapes of the checkpoint beside a document, where the host can read files at once. */
  readonly readCheckpoint?: (uri: string) => CheckpointShapes | undefined;
  /** Fetches how classes of models are laid out, where that takes a while; asked when the first model config is read. */
  readonly layouts?: (options: InitializationOptions) => Promise<void>;
  /** The Python reader, loaded when it is first asked for; undefined where it cannot be. */
  readonly python?: (options: InitializationOptions, note: (problem: string) => void) => Promise<PythonReader | undefined>;
  /** Where Python files import from, where the host can read files at once. */
  readonly imports?: ImportSource;
  /** Model code was read, and nothing has happened for a while since. */
  readonly rest?: () => void;
  readonly version: string;
}

/** Python files whose trees are kept between keystrokes. */
export const keptTrees = 8;

/** Documents of model code whose analyses are kept, some megabytes each; those looked at longest ago are read again when they are asked for. */
const keptAnalyses = 6;

/** A request that takes longer is named in the log, in milliseconds. */
const slow = 50;

/** Quiet time after a keystroke before diagnostics are pushed or a preview is told, in milliseconds. */
const debounce = 150;

/** Quiet time after model code was read before memory is given back, in milliseconds. */
const resting = 2000;

/** Quiet time after an edit before what rests on it in other files is asked for again, in milliseconds. */
const settling = 400;

/** Quiet time after a keystroke before what its answer left is gone on with, in milliseconds. */
const pause = 20;

interface Cached {
  readonly version: string;
  /** The configuration that gave numbers to it, by its plain URI. */
  readonly config: string | undefined;
  readonly languageId: string;
  readonly settings: Settings;
  readonly analysis: Analysis | undefined;
  /** There was an analysis, which was let go. */
  readonly isForgotten?: true;
}

interface Folder {
  readonly uri: string;
}

interface PlacedSettings extends EditorSettings {
  /** The folder that globs are relative to, as a URI; '' where there is none. */
  readonly root: string;
}

/** Serves one client until it leaves. Holds every open document's text and its latest analysis, nothing else. */
export function serve(connection: Connection, host: Host): void {
  const documents = new TextDocuments(TextDocument);
  const notebooks = new NotebookDocuments(TextDocument);
  const notebookSources = new NotebookSources(notebooks);
  const cache = new Map<string, Cached>();
  const reports = new Map<string, { readonly id: string; readonly json: string }>();
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  const tooLong = new Set<string>();
  /** Texts of configurations that give numbers to code, by plain URI: `text` is there once it was read. */
  const configs = new Map<string, { readonly reading: Promise<void>; text?: string | undefined; isRead?: true }>();
  /** Documents whose answers are other ones since a file that they rest on has changed. */
  const outdated = new Set<string>();
  let renewing: ReturnType<typeof setTimeout> | undefined;
  /** By folder URI; '' for documents outside every folder. */
  const ofClient = new Map<string, Promise<EditorSettings>>();
  /** By opened folder and the document's own. */
  const placedSettings = new Map<string, Promise<PlacedSettings>>();
  let folders: Folder[] = [];
  let capabilities: ClientCapabilities = {};
  let options: InitializationOptions = {};
  let pushed: unknown;
  let abilities: ClientAbilities = { relatedInformation: false, documentChanges: false, commands: new Set() };
  let t: Translate = translator();
  let reportCount = 0;
  let python: PythonReader | undefined;
  let pythonAsked = false;
  let layouts: Promise<void> | undefined;
  let rest: ReturnType<typeof setTimeout> | undefined;
  const leftovers = new Leftovers();

  const failed = (what: string, error: unknown): void => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    connection.console.error(`${what} failed: ${text}`);
  };

  /** One broken document must not cost the others their server: whatever goes wrong is logged and answered by `otherwise`. */
  async function guarded<T>(
    what: string,
    token: CancellationToken,
    otherwise: T,
    work: () => Promise<T>,
  ): Promise<T | ResponseError<never>> {
    const started = performance.now();
    try {
      if (token.isCancellationRequested) return cancelled();
      const result = await work();
      return token.isCancellationRequested ? cancelled() : result;
    } catch (error) {
      if (error instanceof ResponseError) return error as ResponseError<never>;
      failed(what, error);
      return otherwise;
    } finally {
      const took = performance.now() - started;
      if (took > slow) connection.console.log(`${what} took ${took.toFixed(0)} ms`);
    }
  }

  const cancelled = (): ResponseError<never> => new ResponseError(LSPErrorCodes.RequestCancelled, 'cancelled');

  const folderOf = (uri: string): Folder | undefined =>
    folders.filter((folder) => relativePath(folder.uri, uri) !== undefined).sort((a, b) => b.uri.length - a.uri.length)[0];

  function pathOf(uri: string): string {
    const folder = folderOf(uri);
    return (folder === undefined ? undefined : relativePath(folder.uri, uri)) ?? baseName(uri);
  }

  const readFile = async (uri: string): Promise<string | undefined> => {
    const open = documents.get(uri);
    if (open !== undefined) return open.getText();
    // The client hands over files of its opened folders alone.
    if (options.readFile !== true || folderOf(uri) === undefined) return host.readFile(uri);
    const params: ReadFileParams = { uri };
    return (await connection.sendRequest<string | null>(readFileRequest, params)) ?? undefined;
  };

  /** The text of an open document, whichever way its URI is written. */
  const editedText = (uri: string): string | undefined => {
    const plain = plainUri(uri);
    return (documents.get(uri) ?? documents.all().find((each) => plainUri(each.uri) === plain))?.getText();
  };

  /** The configuration that gives numbers to model code: at once where it was read before, else a promise of that. */
  function valuesFor(uri: string, { root, settings }: PlacedSettings): ValuesFile | undefined | Promise<void> {
    const path = relativePath(root, uri);
    const chosen = configFor(path ?? baseName(uri), settings);
    const base = path === undefined ? parentUri(uri) : root;
    const found = chosen === undefined || base === undefined ? undefined : resolveUri(base, chosen);
    if (found === undefined) return undefined;
    const plain = plainUri(found);
    const edited = editedText(found);
    if (edited !== undefined) return { uri: found, text: edited };
    const known = configs.get(plain);
    // A file that is not there gives nothing, until it is.
    if (known !== undefined) return known.isRead === true ? { uri: found, text: known.text ?? '' } : known.reading;
    const reading = readFile(found)
      .catch(() => undefined)
      .then((text) => {
        const entry = configs.get(plain);
        if (entry === undefined) return;
        entry.isRead = true;
        entry.text = text !== undefined && text.length <= maximumLength ? text : undefined;
      });
    configs.set(plain, { reading });
    return reading;
  }

  /** A file is not what it was: what rests on it in other documents is worked out again, and shown once edits have come to rest. */
  function changed(uri: string): void {
    const plain = plainUri(uri);
    configs.delete(plain);
    const affected = new Set(importsFor(uri)?.forget(uri, editedText(uri)) ?? []);
    for (const [other, { config }] of cache) if (config === plain) affected.add(other);
    affected.delete(uri);
    if (affected.size === 0) return;
    for (const other of affected) {
      cache.delete(other);
      for (const part of partsOf(other)) outdated.add(part);
    }
    renew();
  }

  /** Once edits have come to rest, the client is told to ask again for what is outdated. */
  function renew(): void {
    clearTimeout(renewing);
    renewing = setTimeout(() => {
      const again = [...outdated].filter((other) => sourceOf(other) !== undefined);
      outdated.clear();
      if (again.length === 0) return;
      askAgain();
      for (const other of again) later(other, 0);
    }, settling);
  }

  const projectFiles = new ProjectFiles({
    readFile,
    // Above the opened folder a repository's root ends the search, where the host can see it.
    isTop: (folder) => host.isRepository?.(folder) ?? folders.every(({ uri }) => relativePath(uri, folder) === undefined),
    note: (problem) => connection.console.warn(problem),
  });

  /** What the client says for a folder. */
  function clientSettings(folder: string): Promise<EditorSettings> {
    let settings = ofClient.get(folder);
    if (settings === undefined) {
      settings = (async () => {
        const asked = capabilities.workspace?.configuration === true;
        const scope = { section: 'headwise', ...(folder === '' ? {} : { scopeUri: folder }) };
        return readClientSettings(asked ? await connection.workspace.getConfiguration(scope) : pushed);
      })();
      ofClient.set(folder, settings);
    }
    return settings;
  }

  async function loadSettings(folder: string, directory: string | undefined): Promise<PlacedSettings> {
    try {
      const client = await clientSettings(folder);
      const project = directory === undefined ? undefined : await projectFiles.of(directory);
      if (project === undefined) return { ...client, root: folder };
      if (folder === '') return { ...client, settings: mergeSettings(client.settings, project.settings), root: project.folder };
      // Globs are relative to the file that holds them; here to the higher of the two folders.
      const below = project.folder === folder ? '' : relativePath(folder, project.folder);
      if (below !== undefined)
        return { ...client, settings: mergeSettings(client.settings, rebaseSettings(project.settings, below)), root: folder };
      const own = { ...defaultSettings, ...rebaseSettings(client.settings, relativePath(project.folder, folder) ?? '') };
      return { ...client, settings: mergeSettings(own, project.settings), root: project.folder };
    } catch (error) {
      failed('Reading settings', error);
      return { ...defaultEditorSettings, root: folder };
    }
  }

  function settingsFor(uri: string): Promise<PlacedSettings> {
    const folder = folderOf(uri)?.uri ?? '';
    const directory = parentUri(uri);
    const key = `${folder} ${directory ?? ''}`;
    let settings = placedSettings.get(key);
    if (settings === undefined) {
      settings = loadSettings(folder, directory);
      placedSettings.set(key, settings);
    }
    return settings;
  }

  /** Loads what a document needs before it can be read; undefined when nothing is missing. */
  function preparation(text: string, uri: string, languageId: string): Promise<void> | undefined {
    if (pythonAsked || host.python === undefined || !needsPython({ text, path: pathOf(uri), languageId })) return undefined;
    const loading = host.python(options, (problem) => connection.console.warn(problem));
    return loading.then((reader) => {
      python = reader;
      pythonAsked = true;
    });
  }

  /** What is analysed for a document: itself, or the notebook that it is a cell of. Undefined when it is not open. */
  function sourceOf(uri: string): Source | undefined {
    const document = documents.get(uri);
    return document === undefined ? notebookSources.source(uri) : documentSource(document);
  }

  /** The documents that show what is analysed under a URI: itself, or the cells of a notebook. */
  function partsOf(id: string): readonly string[] {
    const notebook = notebooks.getNotebookDocument(id);
    return notebook === undefined ? [id] : notebookSources.cellsOf(notebook).map(({ uri }) => uri);
  }

  const allOpen = (): readonly string[] => [...documents.all(), ...notebooks.cellTextDocuments.all()].map(({ uri }) => uri);

  const ownImports = host.imports === undefined ? undefined : new FollowedImports(host.imports);
  const clientImports = new RemoteImports({
    readFile,
    readFolder: async (uri) => (await connection.sendRequest<readonly string[] | null>(readFolderRequest, { uri })) ?? undefined,
    isOpen: (uri) => options.readFolder === true && folderOf(uri) !== undefined,
  });
  const importsFor = (uri: string) => (host.imports?.pathOf(uri) === undefined ? clientImports : ownImports);

  /** The client has handed over where a document's imports were looked for: it is worked out again. */
  async function importsArrived(uri: string): Promise<void> {
    const id = sourceOf(uri)?.id;
    if (id === undefined) return;
    cache.delete(id);
    for (const part of partsOf(id)) outdated.add(part);
    // More may be missing then.
    await analysisOf(uri);
    renew();
  }

  /** Puts the document last in the order in which they are let go of. */
  function remember(id: string, entry: Cached): void {
    cache.delete(id);
    cache.set(id, entry);
    let kept = 0;
    for (const [other, each] of [...cache].reverse()) {
      if (each.analysis?.code === undefined || ++kept <= keptAnalyses) continue;
      cache.set(other, { ...each, analysis: undefined, isForgotten: true });
    }
  }

  /** The document and what is known about it; undefined when it is closed or too long. */
  async function analysisOf(
    uri: string,
    wanted: 'soon' | 'more' | 'all' = 'soon',
  ): Promise<{ readonly document: View; readonly analysis: Analysis; readonly editor: PlacedSettings } | undefined> {
    const editor = await settingsFor(sourceOf(uri)?.id ?? uri);
    const source = sourceOf(uri);
    if (source === undefined) return undefined;
    const { id, version, languageId, text, view: document } = source;
    const known = cache.get(id);
    const isSame = known?.settings === editor.settings && known.languageId === languageId && known.isForgotten !== true;
    const isWhole = known?.analysis?.code?.stale === undefined;
    if (isSame && known.version === version && (isWhole || wanted === 'soon')) {
      remember(id, known);
      return known.analysis === undefined ? undefined : { document, analysis: known.analysis, editor };
    }
    const preparing = preparation(text, id, languageId);
    if (preparing !== undefined) return preparing.then(() => analysisOf(uri, wanted));
    const values = languageId === 'python' && needsPython({ text, path: pathOf(id), languageId }) ? valuesFor(id, editor) : undefined;
    if (values instanceof Promise) return values.then(() => analysisOf(uri, wanted));
    let analysis: Analysis | undefined;
    if (text.length <= maximumLength) {
      tooLong.delete(id);
      const imports = python === undefined ? undefined : importsFor(id)?.of(id, python.parse, editedText);
      analysis = analyse(
        {
          text,
          path: relativePath(editor.root, id) ?? baseName(id),
          languageId,
          python,
          imports,
          values: () => values,
          checkpoint: () => host.readCheckpoint?.(id),
          ...(wanted === 'more' ? { isOver: oneByOne() } : wanted === 'soon' && isSame && canAskAgain() ? { isOver: inHaste() } : {}),
        },
        editor.settings,
      );
      clientImports
        .fetch()
        ?.then(() => importsArrived(uri))
        .catch((error) => failed('Following imports', error));
      if (analysis.reading !== undefined) layouts ??= host.layouts?.(options);
    } else if (!tooLong.has(id)) {
      tooLong.add(id);
      connection.console.info(`${baseName(id)} is longer than ${maximumLength} characters and is not read.`);
    }
    const config = values === undefined ? undefined : plainUri(values.uri);
    remember(id, { version, languageId, settings: editor.settings, analysis, config });
    if (analysis?.code?.stale === undefined) leftovers.drop(id);
    else if (wanted === 'soon')
      leftovers.goOn(
        id,
        () => finish(uri, version),
        (error) => failed('Reading on', error),
        pause,
      );
    if (analysis?.code !== undefined && host.rest !== undefined) {
      clearTimeout(rest);
      rest = setTimeout(host.rest, resting);
      rest.unref?.();
    }
    return analysis === undefined ? undefined : { document, analysis, editor };
  }

  /** Reads on in a document that a hasty answer left; true while there is more, unless it was edited. The client is told at the end. */
  async function finish(uri: string, version: string): Promise<boolean> {
    const isCurrent = (): boolean => sourceOf(uri)?.version === version;
    if (!isCurrent()) return false;
    const found = await analysisOf(uri, 'more');
    if (found === undefined || !isCurrent()) return false;
    if (found.analysis.code?.stale !== undefined) return true;
    askAgain();
    for (const part of partsOf(sourceOf(uri)?.id ?? uri)) later(part, 0);
    return false;
  }

  /** Whether a client that was answered in haste can be told that there is more. */
  const canAskAgain = (): boolean => !pulls() || capabilities.workspace?.diagnostics?.refreshSupport === true;

  /** The same for model configs alone: everything else is none of our business. */
  async function configOf(uri: string) {
    const found = await analysisOf(uri);
    const reading = found?.analysis.reading;
    return found === undefined || reading === undefined ? undefined : { ...found, reading };
  }

  /** The same for model configs and model code. */
  async function modelOf(uri: string, wanted: 'soon' | 'all' = 'soon') {
    const found = await analysisOf(uri, wanted);
    return found === undefined || (found.analysis.reading === undefined && found.analysis.code === undefined) ? undefined : found;
  }

  async function diagnosticsOf(uri: string): Promise<Diagnostic[]> {
    const found = await analysisOf(uri);
    if (found === undefined) return [];
    const { document, analysis } = found;
    if (isSettingsFile(uri) && folderOf(uri) !== undefined) return settingsDiagnostics(document, analysis);
    if (analysis.reading === undefined && analysis.code === undefined) return [];
    return diagnostics(analysis).flatMap((data) => toDiagnostic(document, data, abilities) ?? []);
  }

  /** What is wrong in `headwise.json` or `[tool.headwise]`; what is wrong with the JSON itself its own language support says. */
  function settingsDiagnostics(document: View, { parsed }: Analysis): Diagnostic[] {
    const syntax = new Set(parsed.problems.map((problem) => problem.range));
    const problems = readProjectSettings(parsed)?.problems ?? [];
    return problems
      .filter((problem) => !syntax.has(problem.range))
      .map(({ range, message }) => ({
        range: toLspRange(document, range),
        severity: DiagnosticSeverity.Warning,
        source: 'headwise',
        message,
      }));
  }

  const pulls = (): boolean => capabilities.textDocument?.diagnostic !== undefined;

  async function push(uri: string): Promise<void> {
    const source = sourceOf(uri);
    if (source === undefined) return;
    const { version } = source.view;
    const items = await diagnosticsOf(uri);
    if (sourceOf(uri)?.version === source.version) await connection.sendDiagnostics({ uri, version, diagnostics: items });
  }

  const later = (uri: string, wait: number): void => {
    clearTimeout(timers.get(uri));
    timers.set(
      uri,
      setTimeout(() => {
        timers.delete(uri);
        tell(uri).catch((error) => failed('Publishing', error));
      }, wait),
    );
  };

  async function tell(uri: string): Promise<void> {
    if (!pulls()) await push(uri);
    const source = sourceOf(uri);
    if (source === undefined || options.designChanged !== true) return;
    const params: DesignChangedParams = { uri, version: source.view.version };
    await connection.sendNotification(designChangedNotification, params);
  }

  /** Settings may mean something else now: everything shown is asked for again. */
  function refresh(): void {
    ofClient.clear();
    placedSettings.clear();
    projectFiles.forget();
    cache.clear();
    askAgain();
    for (const uri of allOpen()) later(uri, 0);
  }

  /** Tells the client that answers may be other ones now. */
  function askAgain(): void {
    const ignore = (): void => {};
    const { workspace } = capabilities;
    if (workspace?.diagnostics?.refreshSupport === true) connection.languages.diagnostics.refresh().catch(ignore);
    if (workspace?.inlayHint?.refreshSupport === true) connection.languages.inlayHint.refresh().catch(ignore);
    if (workspace?.codeLens?.refreshSupport === true) connection.sendRequest('workspace/codeLens/refresh').catch(ignore);
  }

  connection.onInitialize((params): InitializeResult => {
    capabilities = params.capabilities;
    options = readOptions(params.initializationOptions);
    pushed = options.settings;
    t = translator(options.bundle);
    folders = params.workspaceFolders?.map(({ uri }) => ({ uri })) ?? (params.rootUri ? [{ uri: params.rootUri }] : []);
    abilities = {
      relatedInformation:
        capabilities.textDocument?.diagnostic?.relatedInformation ??
        capabilities.textDocument?.publishDiagnostics?.relatedInformation ??
        false,
      documentChanges: capabilities.workspace?.workspaceEdit?.documentChanges === true,
      commands: new Set(options.commands ?? []),
    };
    return {
      serverInfo: { name: 'headwise', version: host.version },
      capabilities: {
        positionEncoding: 'utf-16',
        textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental },
        notebookDocumentSync: { notebookSelector: [{ notebook: '*', cells: [{ language: 'python' }] }] },
        diagnosticProvider: { identifier: 'headwise', interFileDependencies: true, workspaceDiagnostics: false },
        codeActionProvider: {
          codeActionKinds: [CodeActionKind.QuickFix, CodeActionKind.RefactorRewrite, `${CodeActionKind.SourceFixAll}.headwise`],
        },
        hoverProvider: true,
        inlayHintProvider: true,
        codeLensProvider: {},
        completionProvider: { resolveProvider: true, triggerCharacters: ['"', '-', '#', ' '] },
        workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
      },
    };
  });

  connection.onInitialized(() => {
    const { workspace } = capabilities;
    const note = (error: unknown): void => failed('Registering', error);
    if (workspace?.didChangeConfiguration?.dynamicRegistration === true)
      connection.client.register(DidChangeConfigurationNotification.type, { section: 'headwise' }).catch(note);
    if (workspace?.didChangeWatchedFiles?.dynamicRegistration === true) {
      // Settings, modules that others import, and configurations that give numbers to code.
      const watchers = [{ globPattern: '**/*.{py,json,yaml,yml,toml}' }];
      connection.client.register(DidChangeWatchedFilesNotification.type, { watchers }).catch(note);
    }
    if (workspace?.workspaceFolders === true) {
      connection.workspace.onDidChangeWorkspaceFolders(({ added, removed }) => {
        const gone = new Set(removed.map(({ uri }) => uri));
        folders = [...folders.filter(({ uri }) => !gone.has(uri)), ...added.map(({ uri }) => ({ uri }))];
        refresh();
      });
    }
  });

  connection.onDidChangeConfiguration(({ settings }) => {
    if (isRecord(settings) && 'headwise' in settings) pushed = settings.headwise;
    refresh();
  });
  connection.onDidChangeWatchedFiles(({ changes }) => {
    if (changes.some(({ uri }) => isSettingsFile(uri))) refresh();
    for (const { uri } of changes) changed(uri);
  });

  documents.onDidOpen(({ document }) => later(document.uri, 0));
  documents.onDidChangeContent(({ document }) => {
    changed(document.uri);
    if (String(document.version) !== cache.get(document.uri)?.version && cache.has(document.uri)) later(document.uri, debounce);
    else if (!timers.has(document.uri)) later(document.uri, 0);
  });
  documents.onDidClose(({ document: { uri } }) => {
    cache.delete(uri);
    leftovers.drop(uri);
    tooLong.delete(uri);
    importsFor(uri)?.close(uri);
    // What was not saved is gone.
    changed(uri);
    left(uri);
  });

  connection.languages.diagnostics.on(({ textDocument: { uri }, previousResultId }, token) =>
    guarded<DocumentDiagnosticReport>('textDocument/diagnostic', token, { kind: 'full', items: [] }, async () => {
      const items = await diagnosticsOf(uri);
      const json = JSON.stringify(items);
      const last = reports.get(uri);
      if (last !== undefined && last.json === json && last.id === previousResultId) return { kind: 'unchanged', resultId: last.id };
      const id = last?.json === json ? last.id : String(++reportCount);
      reports.set(uri, { id, json });
      return { kind: 'full', resultId: id, items };
    }),
  );

  connection.onHover(({ textDocument: { uri }, position }, token) =>
    guarded('textDocument/hover', token, null, async () => {
      const model = await modelOf(uri);
      if (model === undefined) return null;
      const { document, analysis } = model;
      const offset = document.offsetAt(position);
      const text = hover(analysis, offset, t) ?? codeHover(analysis, offset, t);
      if (text === undefined) return null;
      return { contents: { kind: MarkupKind.Markdown, value: text.markdown }, range: toLspRange(document, text.range) };
    }),
  );

  connection.languages.inlayHint.on(({ textDocument: { uri }, range }, token) =>
    guarded('textDocument/inlayHint', token, null, async () => {
      const model = await modelOf(uri);
      if (model === undefined || !model.editor.inlayHints) return null;
      const { document, analysis } = model;
      const within = fromLspRange(document, range);
      return [...inlayHints(analysis, within, t), ...codeHints(analysis, within, t)].flatMap((hint) => toInlayHint(document, hint) ?? []);
    }),
  );

  connection.onCodeLens(({ textDocument: { uri } }, token) =>
    guarded('textDocument/codeLens', token, null, async () => {
      const model = await modelOf(uri);
      if (model === undefined || !model.editor.codeLens) return null;
      const { document, analysis } = model;
      return [...codeLenses(analysis, t), ...blockLenses(analysis, t)].flatMap((lens) => toCodeLens(document, lens, abilities) ?? []);
    }),
  );

  connection.onCompletion(({ textDocument: { uri }, position, context }, token) =>
    guarded('textDocument/completion', token, null, async () => {
      const written = documents.get(uri) ?? notebooks.cellTextDocuments.get(uri);
      if (/^[# ]$/.test(context?.triggerCharacter ?? '') && !startsComment(written, position)) return null;
      const model = await modelOf(uri);
      if (model === undefined) return null;
      const { document, analysis } = model;
      const offset = document.offsetAt(position);
      return [...completions(analysis, offset, t), ...shapeComments(analysis, offset, t)].map((completion) =>
        toCompletionItem(document, completion),
      );
    }),
  );

  connection.onCompletionResolve((item, token) =>
    guarded<CompletionItem>('completionItem/resolve', token, item, async () => {
      const data: unknown = item.data;
      if (!isCompletionData(data)) return item;
      const config = await configOf(data.uri);
      if (config === undefined) return item;
      const value = completionDoc(config.reading, data.design, data.key, t);
      return value === '' ? item : { ...item, documentation: { kind: MarkupKind.Markdown, value } };
    }),
  );

  connection.onCodeAction(({ textDocument: { uri }, range, context }, token) =>
    guarded('textDocument/codeAction', token, null, async () => {
      // What is fixed on saving is all that is to be fixed.
      const isSaving = context.only?.some((only) => only.startsWith('source.')) === true;
      const model = await modelOf(uri, isSaving ? 'all' : 'soon');
      if (model === undefined) return null;
      const { document, analysis } = model;
      const wants = (kind: string): boolean =>
        context.only?.some((only) => only === '' || kind === only || kind.startsWith(`${only}.`)) ?? kind !== 'source.fixAll.headwise';
      const canIgnoreInSettings = abilities.commands.has('headwise.ignoreInFile') && folderOf(uri) !== undefined;
      const actions = wants('quickfix')
        ? quickFixes(analysis, fromLspRange(document, range), { languageId: document.languageId, canIgnoreInSettings }, t)
        : [];
      const all = wants('source.fixAll.headwise') ? fixAll(analysis, t, (range) => document.showing(range) === document) : undefined;
      if (all !== undefined) actions.push(all);
      if (wants('refactor.rewrite')) actions.push(...refactorings(analysis, document.offsetAt(range.start), t));
      return actions.flatMap((action) => toCodeAction(document, action, pathOf(uri), context.diagnostics, abilities) ?? []);
    }),
  );

  connection.onRequest(designRequest, (params: unknown, token: CancellationToken) =>
    guarded<DesignResult | null>(designRequest, token, null, async () => {
      if (!isDesignParams(params)) throw new ResponseError<never>(ErrorCodes.InvalidParams, 'expected {uri: string}');
      const model = await modelOf(params.uri);
      const designs = model === undefined ? [] : designsOf(model.analysis);
      if (model === undefined || (model.analysis.reading === undefined && designs.length === 0)) return null;
      const { document, analysis } = model;
      const findings = { error: 0, warning: 0, information: 0, hint: 0 };
      for (const finding of analysis.findings) findings[finding.severity]++;
      const { uri, version } = document;
      const stacks = designs.map((design) => toStackSummary(document, analysis, design, t));
      return { uri, version, summary: summariseFile({ designs }, t), dialect: analysis.reading?.dialect ?? 'python', stacks, findings };
    }),
  );

  connection.onRequest(calculateRequest, (params: unknown, token: CancellationToken) =>
    guarded<CalculateResult | null>(calculateRequest, token, null, async () => {
      if (!isCalculateParams(params)) throw new ResponseError<never>(ErrorCodes.InvalidParams, 'expected {query: string, base?}');
      const model = params.base === undefined ? undefined : await modelOf(params.base.uri);
      const designs = model === undefined ? [] : designsOf(model.analysis);
      return calculation(params.query.slice(0, maximumQuery), designs.find(({ name }) => name === params.base?.design) ?? designs[0], t);
    }),
  );

  connection.onRequest(lintSizesRequest, (params: unknown, token: CancellationToken) =>
    guarded<LintSizesResult>(lintSizesRequest, token, { findings: [] }, async () => {
      if (!isLintSizesParams(params)) throw new ResponseError<never>(ErrorCodes.InvalidParams, 'expected {sizes, base?}');
      const { sizes, base } = params;
      const model = base === undefined ? undefined : await modelOf(base.uri);
      const { settings } = model?.editor ?? { settings: defaultSettings };
      const reading = model?.analysis.reading;
      const block = model === undefined ? undefined : blockDesigns(model.analysis).find(({ name }) => name === base?.design);
      const written = reading?.designs.find(({ name }) => name === base?.design) ?? reading?.designs[0];
      if (block !== undefined || base === undefined || model === undefined || reading === undefined || written === undefined)
        return { findings: findingsOfSizesAlone(block, sizes, settings) };
      const path = (model.editor.root === undefined ? undefined : relativePath(model.editor.root, base.uri)) ?? baseName(base.uri);
      return { findings: findingsOfSizes(reading, written, sizes, path, settings) };
    }),
  );

  serveCalculator(connection, {
    modelOf,
    designsOf: (analysis) => designsOf(analysis),
    layouts: () => {
      layouts ??= host.layouts?.(options);
      return layouts;
    },
    codeBeside: async (uri, modules) => {
      const own = host.imports?.pathOf(uri) === undefined ? undefined : host.imports;
      const pathOf = own?.pathOf ?? ((each: string) => (clientImports.isOpen(each) ? each : undefined));
      const path = pathOf(uri);
      if (path === undefined) return undefined;
      if (!pythonAsked) {
        python = await host.python?.(options, (problem) => connection.console.warn(problem));
        pythonAsked = true;
      }
      if (python === undefined) return undefined;
      const open = documents.all().flatMap((document) => {
        const path = document.languageId === 'python' ? pathOf(document.uri) : undefined;
        return path === undefined ? [] : [{ path, text: document.getText() }];
      });
      const loaders = (own ?? clientImports).loaders(python.parse, editedText);
      return {
        folder: path.slice(0, path.lastIndexOf('/')),
        loader: loaders.of(path),
        parse: python.parse,
        open,
        elsewhere: modules.flatMap((each) => pathOf(each) ?? []),
        loaderOf: (each) => loaders.of(each),
        arriving: () => clientImports.fetch(),
      };
    },
    translate: () => t,
    guarded,
  });

  /** The stacks of a configuration, and the blocks of model code. */
  const designsOf = (analysis: Analysis): readonly TransformerDesign[] => [...(analysis.reading?.designs ?? []), ...blockDesigns(analysis)];

  notebooks.onDidOpen((notebook) => {
    for (const { uri } of notebookSources.cellsOf(notebook)) later(uri, 0);
  });
  notebooks.onDidChange(({ notebookDocument, cells }) => {
    const edited = new Set(cells?.changed.textContent.map(({ document }) => document));
    for (const { uri } of notebookSources.cellsOf(notebookDocument)) {
      later(uri, debounce);
      // What is said of a cell rests on the others.
      if (!edited.has(uri)) outdated.add(uri);
    }
    for (const { document } of cells?.removed ?? []) left(document);
    if (outdated.size > 0) renew();
  });
  notebooks.onDidClose((notebook) => {
    notebookSources.forget(notebook);
    cache.delete(notebook.uri);
    importsFor(notebook.uri)?.close(notebook.uri);
    for (const { document } of notebook.cells) left(document);
  });

  /** A document, or a cell, is shown no more. */
  function left(uri: string): void {
    clearTimeout(timers.get(uri));
    timers.delete(uri);
    reports.delete(uri);
    // What was pushed for a closed document would stay on the client's list for ever.
    if (!pulls()) connection.sendDiagnostics({ uri, diagnostics: [] }).catch((error) => failed('Publishing', error));
  }

  documents.listen(connection);
  notebooks.listen(connection);
  connection.listen();
}

/** Blanks and number signs are typed everywhere: they ask for a completion only where one has just begun a comment of Python. */
const startsComment = (document: TextDocument | undefined, { line, character }: Position): boolean =>
  document?.languageId === 'python' &&
  /#\s?$/.test(document.getText({ start: { line, character: Math.max(0, character - 2) }, end: { line, character } }));

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const lintedSizes = [
  'queryHeads',
  'keyValueHeads',
  'headDim',
  'valueDim',
  'queryLoraRank',
  'keyValueLoraRank',
  'nopeHeadDim',
  'ropeHeadDim',
] as const satisfies readonly (keyof LintSizes)[];

const isLintSizesParams = (value: unknown): value is LintSizesParams =>
  isRecord(value) &&
  isRecord(value.sizes) &&
  Object.entries(value.sizes).every(([name, size]) => lintedSizes.some((known) => known === name) && Number.isSafeInteger(size)) &&
  (value.base === undefined || (isRecord(value.base) && typeof value.base.uri === 'string' && typeof value.base.design === 'string'));

const isCalculateParams = (value: unknown): value is CalculateParams =>
  isRecord(value) && typeof value.query === 'string' && (value.base === undefined || isDesignParams(value.base));

const isDesignParams = (value: unknown): value is DesignParams => isRecord(value) && typeof value.uri === 'string';

const isCompletionData = (value: unknown): value is CompletionData =>
  isRecord(value) && typeof value.uri === 'string' && typeof value.key === 'string' && typeof value.design === 'string';

function readOptions(value: unknown): InitializationOptions {
  if (!isRecord(value)) return {};
  const strings = (list: unknown): string[] => (Array.isArray(list) ? list.filter((item): item is string => typeof item === 'string') : []);
  const bundle = isRecord(value.bundle)
    ? Object.fromEntries(Object.entries(value.bundle).filter((pair): pair is [string, string] => typeof pair[1] === 'string'))
    : undefined;
  return {
    commands: strings(value.commands),
    readFile: value.readFile === true,
    readFolder: value.readFolder === true,
    designChanged: value.designChanged === true,
    settings: value.settings,
    ...(typeof value.pythonParser === 'string' ? { pythonParser: value.pythonParser } : {}),
    ...(bundle === undefined ? {} : { bundle }),
  };
}
