import * as vscode from 'vscode';
import type { CommandTarget, IgnoreTarget } from '../protocol/languageServer.ts';
import { calculateShapes } from './calculator.ts';
import type { CalculatorPanels } from './calculatorPanel.ts';
import type { PreviewPanels } from './previewPanel.ts';
import type { Server } from './server.ts';

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;

/** Commands can be called by anyone with anything, so arguments are read, not believed. */
function readTarget(value: unknown): CommandTarget | undefined {
  if (value instanceof vscode.Uri) return { uri: value.toString(), design: '' };
  if (!isRecord(value) || typeof value.uri !== 'string') return undefined;
  return { uri: value.uri, design: typeof value.design === 'string' ? value.design : '' };
}

export function registerCommands(
  context: vscode.ExtensionContext,
  server: Server,
  preview: PreviewPanels,
  panels: CalculatorPanels,
  log: vscode.LogOutputChannel,
): void {
  const register = (name: string, run: (argument: unknown) => unknown): void => {
    const guarded = async (argument: unknown): Promise<void> => {
      try {
        await run(argument);
      } catch (error) {
        log.error(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
        await vscode.window.showErrorMessage(vscode.l10n.t('Headwise: {0}', error instanceof Error ? error.message : String(error)));
      }
    };
    context.subscriptions.push(vscode.commands.registerCommand(name, guarded));
  };
  register('headwise.previewAttention', (argument) => {
    const state = isRecord(argument) && typeof argument.state === 'string' ? argument.state : undefined;
    return preview.open(readTarget(argument) ?? (state === undefined ? activeTarget() : undefined), state);
  });
  register('headwise.calculateShapes', (argument) => calculateShapes({ server, preview }, panels, readTarget(argument)));
  register('headwise.showOutput', () => log.show());
  register('headwise.restartServer', () => server.restart());
  register('headwise.ignoreInFile', ignoreInFile);
  register('headwise.chooseConfig', (argument) => chooseConfig(readTarget(argument) ?? activeTarget()));
  register('headwise.openSample', openSample);
  register('headwise.openWalkthrough', () =>
    vscode.commands.executeCommand('workbench.action.openWalkthrough', `${context.extension.id}#headwise.start`, false),
  );
}

function activeTarget(): CommandTarget | undefined {
  const document = vscode.window.activeTextEditor?.document;
  return document === undefined ? undefined : { uri: document.uri.toString(), design: '' };
}

/** Adds a code to `headwise.perFileIgnores` of the workspace: plain JSON has no comments to say it in. */
async function ignoreInFile(argument: unknown): Promise<void> {
  if (!isRecord(argument)) return;
  const { uri, path, code } = argument as Partial<IgnoreTarget>;
  if (typeof uri !== 'string' || typeof path !== 'string' || typeof code !== 'string') return;
  await setForFile<string[]>(vscode.Uri.parse(uri), path, 'perFileIgnores', (codes) => [
    ...new Set([...(Array.isArray(codes) ? codes : []), code]),
  ]);
}

/** Sets one file's entry in a setting of the workspace that goes by globs. */
async function setForFile<Value>(
  uri: vscode.Uri,
  path: string,
  setting: 'perFileIgnores' | 'configs',
  change: (value: Value | undefined) => Value | undefined,
): Promise<void> {
  const configuration = vscode.workspace.getConfiguration('headwise', uri);
  const several = (vscode.workspace.workspaceFolders?.length ?? 0) > 1;
  const inspected = configuration.inspect<Record<string, Value>>(setting);
  const current = (several ? inspected?.workspaceFolderValue : inspected?.workspaceValue) ?? {};
  // A glob without a slash would mean files of that name everywhere.
  const escaped = path.replace(/[[\]{}()*?!+@\\]/g, '\\$&');
  const glob = escaped.includes('/') ? escaped : `/${escaped}`;
  const { [glob]: before, ...others } = current;
  const after = change(before);
  await configuration.update(
    setting,
    after === undefined ? others : { ...others, [glob]: after },
    several ? vscode.ConfigurationTarget.WorkspaceFolder : vscode.ConfigurationTarget.Workspace,
  );
}

/** Files that are offered as configurations. */
const maximumConfigs = 500;

/** Asks which configuration's numbers are to hold for a file of model code, and keeps the answer in the workspace's settings. */
async function chooseConfig(target: CommandTarget | undefined): Promise<void> {
  const uri = target === undefined ? undefined : vscode.Uri.parse(target.uri);
  const folder = uri === undefined ? undefined : vscode.workspace.getWorkspaceFolder(uri);
  if (uri === undefined || folder === undefined) {
    await vscode.window.showInformationMessage(vscode.l10n.t('A config can be chosen for files of an opened folder.'));
    return;
  }
  const pathOf = (file: vscode.Uri): string => file.path.slice(folder.uri.path.replace(/\/+$/, '').length + 1);
  const own = uri.path.slice(0, uri.path.lastIndexOf('/') + 1);
  const find = async (): Promise<(vscode.QuickPickItem & { readonly path: string | undefined })[]> => {
    const pattern = new vscode.RelativePattern(folder, '**/*.{json,yaml,yml,toml}');
    const files = await vscode.workspace.findFiles(pattern, '**/{node_modules,.git,.venv,.vscode}/**', maximumConfigs);
    // Those that are called so come first, and of them the nearest.
    const rank = (file: vscode.Uri): number =>
      Number(!/config/i.test(file.path.slice(file.path.lastIndexOf('/')))) + Number(!file.path.startsWith(own)) * 2;
    const sorted = files
      .map((file) => ({ path: pathOf(file), rank: rank(file) }))
      .sort((a, b) => a.rank - b.rank || (a.path < b.path ? -1 : 1));
    return [
      { label: vscode.l10n.t('The config.json beside it'), description: vscode.l10n.t('where there is one'), path: undefined },
      { label: vscode.l10n.t('None'), description: vscode.l10n.t('the defaults of the code alone'), path: '' },
      ...sorted.map(({ path }) => ({ label: path, path })),
    ];
  };
  const picked = await vscode.window.showQuickPick(find(), { title: vscode.l10n.t('Config whose numbers hold for {0}', pathOf(uri)) });
  if (picked !== undefined) await setForFile<string>(uri, pathOf(uri), 'configs', () => picked.path);
}

/** A config with two mistakes to try everything on; nothing is written to disk. */
async function openSample(): Promise<void> {
  const content = `${JSON.stringify(
    {
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      hidden_act: 'silu',
      hidden_size: 4096,
      intermediate_size: 14336,
      max_position_embeddings: 8192,
      num_attention_heads: 32,
      num_hidden_layers: 32,
      num_key_value_heads: 5,
      rms_norm_eps: 1e-5,
      rope_theta: 500000,
      torch_dtype: 'bfloat16',
      vocab_sise: 128256,
    },
    undefined,
    2,
  )}\n`;
  const document = await vscode.workspace.openTextDocument({ language: 'json', content });
  await vscode.window.showTextDocument(document, { preview: false });
}
