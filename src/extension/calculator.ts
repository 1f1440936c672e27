import * as vscode from 'vscode';
import type { CalculateResult, CommandTarget } from '../protocol/languageServer.ts';
import type { Server } from './server.ts';

const example = 'd=4096 h=32 kv=8 T=4096 bf16';

/** A picker that answers while one types; what is open is the base, so that `T=32768` alone is a question. */
export async function calculateShapes(server: Server, target: CommandTarget | undefined): Promise<void> {
  const design = target === undefined ? undefined : await server.design(vscode.Uri.parse(target.uri));
  const base = design === undefined ? undefined : target;
  const stack = design?.stacks.find((one) => one.name === (target?.design ?? '')) ?? design?.stacks[0];
  const pick = vscode.window.createQuickPick();
  pick.title =
    stack === undefined || stack.summary === '' ? vscode.l10n.t('Calculate shapes') : vscode.l10n.t('Calculate shapes: {0}', stack.summary);
  pick.placeholder =
    base === undefined
      ? vscode.l10n.t('For example: {0}', example)
      : vscode.l10n.t('Type to change a number, for example: T=4096 kv=4 bf16');
  pick.keepScrollPosition = true;
  pick.ignoreFocusOut = true;
  let result: CalculateResult | undefined;
  let asked = 0;

  const update = async (): Promise<void> => {
    const turn = ++asked;
    pick.busy = true;
    const answer = await server.calculate({ query: pick.value, ...(base === undefined ? {} : { base }) });
    // A later keystroke overtook this one.
    if (turn !== asked) return;
    result = answer;
    pick.items = itemsOf(answer);
    pick.busy = false;
  };

  await new Promise<void>((closed) => {
    pick.onDidChangeValue(() => void update());
    pick.onDidAccept(async () => {
      await update();
      if (result === undefined || result.rows.length === 0) return;
      await vscode.env.clipboard.writeText(result.markdown);
      vscode.window.setStatusBarMessage(vscode.l10n.t('Headwise: shapes copied as Markdown'), 4000);
      pick.hide();
    });
    pick.onDidHide(() => {
      pick.dispose();
      closed();
    });
    pick.show();
    void update();
  });
}

function itemsOf(result: CalculateResult | undefined): vscode.QuickPickItem[] {
  if (result === undefined) return [{ label: vscode.l10n.t('The language server does not answer.'), alwaysShow: true }];
  return [
    ...result.problems.map((problem) => ({ label: `$(warning) ${problem}`, alwaysShow: true })),
    ...result.rows.map(({ label, value, detail }) => ({ label: `${label}: ${value}`, description: detail, alwaysShow: true })),
    ...(result.hint === undefined ? [] : [{ label: `$(info) ${result.hint}`, alwaysShow: true }]),
  ];
}
