import * as vscode from 'vscode';
import type { CommandTarget } from '../protocol/languageServer.ts';
import { nameOf } from './previewPanel.ts';
import type { Server } from './server.ts';

/** What a calculation stands on: a document's stack, a published design by its word in queries, or nothing. */
export interface PickedBase {
  readonly base?: CommandTarget;
  /** Name of the document; '' without one. */
  readonly name: string;
  readonly preset: string;
}

/** Files that are offered. */
const mostFiles = 300;

/** Lets a config of the workspace or a published design be picked. */
export async function pickBase(server: Server): Promise<PickedBase | undefined> {
  const items = async (): Promise<(vscode.QuickPickItem & { readonly picked_?: PickedBase })[]> => {
    const [files, start] = await Promise.all([
      vscode.workspace.findFiles(
        '**/{*config*,*params*,*model*}.{json,yaml,yml,toml}',
        '**/{node_modules,.git,.venv,.vscode}/**',
        mostFiles,
      ),
      server.calculatorStart({ uri: '', position: { line: 0, character: 0 }, selection: '' }),
    ]);
    const paths = files.map((uri) => ({ uri, path: vscode.workspace.asRelativePath(uri) })).sort((a, b) => (a.path < b.path ? -1 : 1));
    const separator = (label: string) => ({ label, kind: vscode.QuickPickItemKind.Separator });
    return [
      { label: vscode.l10n.t('Nothing: sizes of the expression alone'), picked_: { name: '', preset: '' } },
      ...(paths.length === 0 ? [] : [separator(vscode.l10n.t('Configs of the workspace'))]),
      ...paths.map(({ uri, path }) => ({
        label: path,
        picked_: { base: { uri: uri.toString(), design: '' }, name: nameOf(uri.toString()), preset: '' },
      })),
      separator(vscode.l10n.t('Published designs')),
      ...(start?.presets ?? []).map((preset) => ({ label: preset, picked_: { name: '', preset } })),
    ];
  };
  const picked = await vscode.window.showQuickPick(items(), { title: vscode.l10n.t('Start from a config or a published design') });
  return picked?.picked_;
}
