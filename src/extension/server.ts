import * as vscode from 'vscode';
import type { BaseLanguageClient, LanguageClientOptions } from 'vscode-languageclient';
import {
  type CompareParams,
  type CompareResult,
  compareRequest,
  type ReportParams,
  type ReportResult,
  reportRequest,
  type StartParams,
  type StartResult,
  startRequest,
  type WriteParams,
  type WriteResult,
  writeRequest,
} from '../protocol/calculator.ts';
import {
  type CalculateParams,
  type CalculateResult,
  type CommandTarget,
  calculateRequest,
  type DesignChangedParams,
  type DesignParams,
  type DesignResult,
  designChangedNotification,
  designRequest,
  type InitializationOptions,
  type LintSizesParams,
  type LintSizesResult,
  lintSizesRequest,
  type ReadFileParams,
  readFileRequest,
  readFolderRequest,
} from '../protocol/languageServer.ts';

/** Makes a client for this platform: a child process, or a worker in the browser. Loaded only when first needed. */
export type CreateClient = (options: LanguageClientOptions) => Promise<BaseLanguageClient>;

/** Commands that the server may name in lenses and actions. */
const serverCommands = ['headwise.previewAttention', 'headwise.calculateShapes', 'headwise.ignoreInFile', 'headwise.chooseConfig'];

/** Documents that show something other than a file to edit: what an old commit says wrong cannot be mended. */
const foreignSchemes: ReadonlySet<string> = new Set([
  'git',
  'gitfs',
  'gitlens',
  'review',
  'output',
  'vscode',
  'vscode-settings',
  'walkThrough',
  'comment',
]);

export const documentSelector: readonly { readonly language?: string; readonly pattern?: string }[] = [
  { language: 'json' },
  { language: 'jsonc' },
  { language: 'yaml' },
  { language: 'toml' },
  { language: 'shellscript' },
  { language: 'gin' },
  { language: 'python' },
  // Where another extension, or none, gives these files a language of its own.
  { pattern: '**/*.{gin,toml,yml,yaml,json}' },
];

/** Modules of model code that are named to the server. */
const mostModules = 500;

/** The language server as the rest of the extension sees it. Requests wait for it to start; without it they answer undefined. */
export class Server implements vscode.Disposable {
  readonly #create: CreateClient;
  readonly #log: vscode.LogOutputChannel;
  readonly #changed = new vscode.EventEmitter<string>();
  #client: Promise<BaseLanguageClient | undefined> | undefined;

  /** Fires with a document's URI when the answer to `design` may have changed; with '' when all may have. */
  readonly onDidChangeDesign = this.#changed.event;

  constructor(create: CreateClient, log: vscode.LogOutputChannel) {
    this.#create = create;
    this.#log = log;
  }

  start(): Promise<BaseLanguageClient | undefined> {
    this.#client ??= this.#start().catch((error: unknown) => {
      this.#log.error(`The language server did not start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      vscode.window
        .showErrorMessage(vscode.l10n.t('Headwise could not start its language server.'), vscode.l10n.t('Show Output'))
        .then((choice) => (choice === undefined ? undefined : this.#log.show()));
      return undefined;
    });
    return this.#client;
  }

  async #start(): Promise<BaseLanguageClient> {
    const started = performance.now();
    const initializationOptions: InitializationOptions = {
      commands: serverCommands,
      readFile: true,
      readFolder: true,
      designChanged: true,
      ...(vscode.l10n.bundle === undefined ? {} : { bundle: vscode.l10n.bundle }),
    };
    const client = await this.#create({
      documentSelector: documentSelector.map((filter) => ({ ...filter }) as { language: string }),
      initializationOptions,
      outputChannel: this.#log,
      middleware: {
        didOpen: async (document, next) => (foreignSchemes.has(document.uri.scheme) ? undefined : next(document)),
      },
    });
    client.onNotification(designChangedNotification, ({ uri }: DesignChangedParams) => this.#changed.fire(uri));
    client.onRequest(readFileRequest, ({ uri }: ReadFileParams) => readProjectFile(uri));
    client.onRequest(readFolderRequest, ({ uri }: ReadFileParams) => readProjectFolder(uri));
    await client.start();
    this.#log.info(`Language server ready after ${(performance.now() - started).toFixed(0)} ms.`);
    this.#changed.fire('');
    return client;
  }

  async restart(): Promise<void> {
    const client = await this.#client;
    this.#client = undefined;
    await client?.dispose();
    await this.start();
  }

  /** What the open document says about a model; undefined when it is none. */
  async design(uri: vscode.Uri): Promise<DesignResult | undefined> {
    const params: DesignParams = { uri: uri.toString() };
    return (await this.#request<DesignResult | null>(designRequest, params)) ?? undefined;
  }

  calculate(params: CalculateParams): Promise<CalculateResult | undefined> {
    return this.#request<CalculateResult>(calculateRequest, params);
  }

  lintSizes(params: LintSizesParams): Promise<LintSizesResult | undefined> {
    return this.#request<LintSizesResult>(lintSizesRequest, params);
  }

  /** Everything that follows from a design; undefined where its base is no model (any more). */
  async report(params: ReportParams): Promise<ReportResult | undefined> {
    return (await this.#request<ReportResult | null>(reportRequest, params)) ?? undefined;
  }

  /** Whether the model's code has the parameters that were counted; undefined where there is none to ask. */
  async compareCode(base: CommandTarget): Promise<CompareResult | undefined> {
    // As the library names its modules, and repositories with code of their own.
    const modules = await vscode.workspace.findFiles('**/modeling_*.py', '**/{node_modules,.git,.venv,site-packages}/**', mostModules);
    const params: CompareParams = { ...base, modules: modules.map(String) };
    return (await this.#request<CompareResult | null>(compareRequest, params)) ?? undefined;
  }

  /** What to calculate with, from where the cursor is. */
  async calculatorStart(params: StartParams): Promise<StartResult | undefined> {
    return (await this.#request<StartResult | null>(startRequest, params)) ?? undefined;
  }

  /** A result as text, or as edits of a document. */
  async write(params: WriteParams): Promise<WriteResult | undefined> {
    return (await this.#request<WriteResult | null>(writeRequest, params)) ?? undefined;
  }

  async #request<T>(method: string, params: unknown): Promise<T | undefined> {
    const client = await this.start();
    try {
      return await client?.sendRequest<T>(method, params);
    } catch (error) {
      this.#log.debug(`${method}: ${String(error)}`);
      return undefined;
    }
  }

  dispose(): void {
    this.#changed.dispose();
    this.#client?.then((client) => client?.dispose()).catch(() => undefined);
  }
}

/** Bytes; larger files hold data. */
const maximumSize = 6_000_000;

/** Only settings, configurations and modules of opened folders are handed over, so that a confused server cannot read anything else. */
async function readProjectFile(text: string): Promise<string | null> {
  const uri = vscode.Uri.parse(text);
  if (!/\.(?:jsonc?|ya?ml|toml|py)$/i.test(uri.path) || vscode.workspace.getWorkspaceFolder(uri) === undefined) return null;
  try {
    if ((await vscode.workspace.fs.stat(uri)).size > maximumSize) return null;
    return new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
  } catch {
    return null;
  }
}

/** Where modules may lie: Python files and folders, in opened folders alone. */
async function readProjectFolder(text: string): Promise<readonly string[] | null> {
  const uri = vscode.Uri.parse(text);
  if (vscode.workspace.getWorkspaceFolder(uri) === undefined) return null;
  try {
    const entries = await vscode.workspace.fs.readDirectory(uri);
    return entries.filter(([name, type]) => (type & vscode.FileType.Directory) !== 0 || name.endsWith('.py')).map(([name]) => name);
  } catch {
    return null;
  }
}
