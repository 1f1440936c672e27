import * as vscode from 'vscode';
import type { DesignResult } from '../protocol/languageServer.ts';
import { documentSelector, type Server } from './server.ts';

/** True while the active editor shows a model config; menus depend on it. */
const contextKey = 'headwise.isModelConfig';

/** The language status of the active editor: the design in one line, graver when there are findings. */
export function showStatus(server: Server): vscode.Disposable {
  const item = vscode.languages.createLanguageStatusItem('headwise.design', [...documentSelector]);
  item.name = vscode.l10n.t('Headwise');
  let asked = 0;

  const update = async (): Promise<void> => {
    const document = vscode.window.activeTextEditor?.document;
    const turn = ++asked;
    const relevant = document !== undefined && vscode.languages.match([...documentSelector], document) > 0;
    if (!relevant) {
      await vscode.commands.executeCommand('setContext', contextKey, false);
      return;
    }
    const design = await server.design(document.uri);
    // A later question overtook this one while the server was answering.
    if (turn !== asked) return;
    show(item, design);
    await vscode.commands.executeCommand('setContext', contextKey, design !== undefined);
  };

  show(item, undefined);
  return vscode.Disposable.from(
    item,
    vscode.window.onDidChangeActiveTextEditor(() => void update()),
    server.onDidChangeDesign((uri) => {
      if (uri === '' || uri === vscode.window.activeTextEditor?.document.uri.toString()) void update();
    }),
  );
}

function show(item: vscode.LanguageStatusItem, design: DesignResult | undefined): void {
  if (design === undefined) {
    item.text = vscode.l10n.t('Not a model config');
    item.detail = undefined;
    item.severity = vscode.LanguageStatusSeverity.Information;
    item.command = { title: vscode.l10n.t('Show Output'), command: 'headwise.showOutput' };
    return;
  }
  const { error, warning, information } = design.findings;
  const counts = [
    error === 0 ? '' : error === 1 ? vscode.l10n.t('1 error') : vscode.l10n.t('{0} errors', error),
    warning === 0 ? '' : warning === 1 ? vscode.l10n.t('1 warning') : vscode.l10n.t('{0} warnings', warning),
    information === 0 ? '' : information === 1 ? vscode.l10n.t('1 note') : vscode.l10n.t('{0} notes', information),
  ].filter((text) => text !== '');
  item.text = design.summary;
  item.detail = counts.length === 0 ? vscode.l10n.t('nothing wrong found') : counts.join(', ');
  item.severity =
    error > 0
      ? vscode.LanguageStatusSeverity.Error
      : warning > 0
        ? vscode.LanguageStatusSeverity.Warning
        : vscode.LanguageStatusSeverity.Information;
  const drawable = design.stacks.some((stack) => stack.queryHeads !== undefined && stack.headDim !== undefined);
  item.command = drawable
    ? { title: vscode.l10n.t('Preview Attention'), command: 'headwise.previewAttention' }
    : { title: vscode.l10n.t('Calculate Shapes'), command: 'headwise.calculateShapes' };
}
