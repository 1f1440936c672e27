import * as vscode from 'vscode';
import type { CalculatorAction, PageSide } from '../../webview/calculator/messages.ts';
import type { StartResult } from '../protocol/calculator.ts';
import type { CalculateResult, CommandTarget } from '../protocol/languageServer.ts';
import { type ActionHost, offeredActions, runAction } from './calculatorActions.ts';
import { pickBase } from './calculatorBase.ts';
import type { CalculatorPanels } from './calculatorPanel.ts';
import { nameOf } from './previewPanel.ts';
import type { Server } from './server.ts';

const example = 'd=4096 h=32 kv=8 T=4096 bf16';

type Item = vscode.QuickPickItem & { readonly action?: CalculatorAction };
type Button = vscode.QuickInputButton & { readonly action: CalculatorAction | 'pick' };

/**
 * A picker that answers while one types. It starts from the stack that is named, else from what is under the cursor: selected sizes, the
 * block of model code, the config that is open. Enter opens the result; actions stand below the answers and as buttons.
 */
export async function calculateShapes(host: ActionHost, panels: CalculatorPanels, target: CommandTarget | undefined): Promise<void> {
  const { server } = host;
  const start = target === undefined ? await startFromCursor(server) : undefined;
  let base = target ?? start?.base;
  const design = base === undefined ? undefined : await server.design(vscode.Uri.parse(base.uri));
  if (design === undefined) base = undefined;
  const pick = vscode.window.createQuickPick<Item>();
  const buttons: Button[] = [
    { action: 'pick', tooltip: vscode.l10n.t('Start from a config or a published design'), iconPath: new vscode.ThemeIcon('library') },
    ...offeredActions().map(([action, tooltip, icon]) => ({ action, tooltip, iconPath: new vscode.ThemeIcon(icon) })),
  ];
  pick.buttons = buttons;
  pick.keepScrollPosition = true;
  pick.ignoreFocusOut = true;
  const describe = (summary: string): void => {
    pick.title = summary === '' ? vscode.l10n.t('Calculate shapes') : vscode.l10n.t('Calculate shapes: {0}', summary);
    pick.placeholder =
      base === undefined
        ? vscode.l10n.t('For example: {0}', example)
        : vscode.l10n.t('Type to change a number, for example: T=4096 kv=4 bf16');
  };
  const stack = design?.stacks.find((one) => one.name === base?.design) ?? design?.stacks[0];
  describe(base === undefined ? '' : (stack?.summary ?? ''));
  pick.value = start?.query ?? '';

  let good: { readonly query: string; readonly answer: CalculateResult } | undefined;
  let asked = 0;
  const update = async (): Promise<void> => {
    const turn = ++asked;
    pick.busy = true;
    const query = pick.value;
    const answer = await server.calculate({ query, ...(base === undefined ? {} : { base }) });
    // A later keystroke overtook this one.
    if (turn !== asked) return;
    if (answer !== undefined && answer.problems.length === 0 && answer.rows.length > 0) good = { query, answer };
    pick.items = itemsOf(query, answer, good);
    pick.busy = false;
  };
  const side = (): PageSide => ({
    query: pick.value,
    ...(base === undefined ? {} : { base }),
    name: base === undefined ? '' : nameOf(base.uri),
  });
  const act = async (action: CalculatorAction | undefined): Promise<void> => {
    const question = side();
    pick.hide();
    if (action === undefined) panels.open(question);
    else await runAction(host, action, question);
  };
  // Another picker takes this one's place for a while.
  let isAway = false;
  const startAnew = async (): Promise<void> => {
    isAway = true;
    const picked = await pickBase(server);
    isAway = false;
    if (picked !== undefined) {
      if (picked.base !== undefined) await vscode.workspace.openTextDocument(vscode.Uri.parse(picked.base.uri));
      base = picked.base;
      describe(picked.name);
      pick.value = `${picked.preset} ${pick.value}`.trim();
    }
    pick.show();
    await update();
  };

  await new Promise<void>((closed) => {
    pick.onDidChangeValue(() => void update());
    pick.onDidAccept(() => act(pick.selectedItems[0]?.action));
    pick.onDidTriggerButton((button) => {
      const { action } = button as Button;
      return action === 'pick' ? startAnew() : act(action);
    });
    pick.onDidHide(() => {
      if (isAway) return;
      pick.dispose();
      closed();
    });
    pick.show();
    void update();
  });
}

/** What is under the cursor of the active editor; undefined without one. */
async function startFromCursor(server: Server): Promise<StartResult | undefined> {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) return undefined;
  const { document, selection } = editor;
  return server.calculatorStart({
    uri: document.uri.toString(),
    position: { line: selection.active.line, character: selection.active.character },
    selection: document.getText(selection).slice(0, 10_000),
  });
}

/** Problems with the characters that cause them, answers, what would say more, and what can be done with them. */
function itemsOf(
  query: string,
  result: CalculateResult | undefined,
  good: { readonly query: string; readonly answer: CalculateResult } | undefined,
): Item[] {
  if (result === undefined) return [{ label: vscode.l10n.t('The language server does not answer.'), alwaysShow: true }];
  const marked = ({ start, end }: { readonly start: number; readonly end: number }): string =>
    `${query.slice(0, start)}»${query.slice(start, end)}«${query.slice(end)}`;
  const isBad = result.problems.length > 0;
  const shown = isBad ? (good?.answer ?? result) : result;
  const separator = (label: string): Item => ({ label, kind: vscode.QuickPickItemKind.Separator });
  return [
    ...result.problems.map((problem, at): Item => {
      const range = result.ranges[at];
      return {
        label: `$(warning) ${problem}`,
        ...(range === undefined || query === '' ? {} : { detail: marked(range) }),
        alwaysShow: true,
      };
    }),
    // What is half typed does not take the last good answer away.
    ...(isBad && good !== undefined ? [separator(good.query === '' ? vscode.l10n.t('before') : good.query)] : []),
    ...shown.rows.map(({ label, value, detail }): Item => ({ label: `${label}: ${value}`, description: detail, alwaysShow: true })),
    ...(result.hint === undefined ? [] : [{ label: `$(info) ${result.hint}`, alwaysShow: true }]),
    ...(shown.rows.length === 0 || isBad
      ? []
      : [
          separator(vscode.l10n.t('Enter opens the result')),
          ...offeredActions().map(([action, name, icon]): Item => ({ label: `$(${icon}) ${name}`, action, alwaysShow: true })),
        ]),
  ];
}
