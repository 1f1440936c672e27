import { deepEqual, equal, match, ok } from 'node:assert/strict';
import * as vscode from 'vscode';
import { closeAll, codeOf, eventually, findings, lenses, openSample, positionOf, whole } from './workspace.ts';

describe('a model config in the editor', () => {
  afterEach(closeAll);

  it('shows what is wrong, where and with which numbers', async () => {
    const document = await openSample('gpt2-wide/config.json');
    const finding = await eventually('HW101', () => findings(document.uri).find((entry) => codeOf(entry) === 'HW101'));
    equal(finding.severity, vscode.DiagnosticSeverity.Error);
    match(finding.message, /770/);
    match(finding.message, /12/);
    match(document.getText(finding.range), /12|770/);
    ok(typeof finding.code === 'object', 'the code has no link to its documentation');
    ok((finding.relatedInformation ?? []).length > 0, 'nothing points at the other number');
  });

  it('says nothing about a correct design', async () => {
    const document = await openSample('qwen-good/config.json');
    await lenses(document.uri);
    await new Promise((resolve) => setTimeout(resolve, 500));
    deepEqual(
      findings(document.uri)
        .filter(({ severity }) => severity <= vscode.DiagnosticSeverity.Warning)
        .map(codeOf),
      [],
    );
  });

  it('leaves a file that is no model config alone', async () => {
    const document = await openSample('README.md');
    await new Promise((resolve) => setTimeout(resolve, 300));
    deepEqual(findings(document.uri).map(codeOf), []);
  });

  it('applies a quick fix, and the finding goes', async () => {
    const document = await openSample('gpt2-wide/config.json');
    const finding = await eventually('HW101', () => findings(document.uri).find((entry) => codeOf(entry) === 'HW101'));
    // VS Code cancels the question where the document's findings change meanwhile.
    const actions = await eventually('code actions', async () => {
      const asked = vscode.commands.executeCommand<vscode.CodeAction[]>(
        'vscode.executeCodeActionProvider',
        document.uri,
        finding.range,
        vscode.CodeActionKind.QuickFix.value,
        20,
      );
      const answer = await Promise.resolve(asked).catch(() => []);
      return answer.length > 0 ? answer : undefined;
    });
    const fix = actions.find(({ title }) => /^Use \d+ heads/.test(title));
    ok(fix?.edit, `no fix changes the heads: ${actions.map(({ title }) => title).join('; ')}`);
    const heads = Number(/\d+/.exec(fix.title)?.[0]);
    equal(770 % heads, 0, `${heads} heads do not divide 770 either`);
    ok(await vscode.workspace.applyEdit(fix.edit));
    match(document.getText(), new RegExp(`"n_head": ${heads},`));
    await eventually('the finding to go', () => (findings(document.uri).some((entry) => codeOf(entry) === 'HW101') ? undefined : true));
  });

  it('follows typing', async () => {
    const document = await openSample('qwen-good/config.json');
    await lenses(document.uri);
    const start = positionOf(document, '"num_key_value_heads": 8').translate(0, '"num_key_value_heads": '.length);
    const edit = new vscode.WorkspaceEdit();
    edit.replace(document.uri, new vscode.Range(start, start.translate(0, 1)), '5');
    ok(await vscode.workspace.applyEdit(edit));
    const finding = await eventually('a finding about 5 KV heads', () =>
      findings(document.uri).find(({ severity }) => severity === vscode.DiagnosticSeverity.Error),
    );
    match(finding.message, /16/);
    match(finding.message, /5/);
  });

  it('shows a layer’s shapes on hover', async () => {
    const document = await openSample('qwen-good/config.json');
    await lenses(document.uri);
    const at = positionOf(document, 'num_attention_heads');
    const hovers = await vscode.commands.executeCommand<vscode.Hover[]>('vscode.executeHoverProvider', document.uri, at);
    const text = hovers.flatMap(({ contents }) => contents.map((part) => (typeof part === 'string' ? part : part.value))).join('\n');
    // 16 heads of 128 read a stream of 1024.
    match(text, /2048/);
    match(text, /1024/);
  });

  it('offers the keys of the family', async () => {
    const document = await openSample('qwen-good/config.json');
    await lenses(document.uri);
    const at = positionOf(document, '"attention_bias"');
    const edit = new vscode.WorkspaceEdit();
    edit.insert(document.uri, at, '"sliding"\n  ');
    ok(await vscode.workspace.applyEdit(edit));
    const labels = await eventually('sliding_window among the completions', async () => {
      const list = await vscode.commands.executeCommand<vscode.CompletionList>(
        'vscode.executeCompletionItemProvider',
        document.uri,
        at.translate(0, '"sliding'.length),
      );
      const found = list.items.map(({ label }) => (typeof label === 'string' ? label : label.label));
      return found.some((label) => label.includes('sliding_window')) ? found : undefined;
    });
    ok(!labels.some((label) => label.includes('hidden_size')), 'a key that is already there is offered again');
  });

  it('sums the design up in a code lens', async () => {
    const document = await openSample('qwen-good/config.json');
    const found = await lenses(document.uri);
    const titles = found.map(({ command }) => command?.title ?? '');
    ok(
      titles.some((title) => title.includes('28 layers') && title.includes('16 heads x 128') && title.includes('8 KV heads')),
      titles.join('; '),
    );
    ok(
      found.some(({ command }) => command?.command === 'headwise.previewAttention'),
      'no lens opens the preview',
    );
  });

  it('annotates numbers with what they amount to', async () => {
    const document = await openSample('qwen-good/config.json');
    await lenses(document.uri);
    const hints = await vscode.commands.executeCommand<vscode.InlayHint[]>(
      'vscode.executeInlayHintProvider',
      document.uri,
      whole(document),
    );
    const labels = hints.map(({ label }) => (typeof label === 'string' ? label : label.map(({ value }) => value).join('')));
    ok(
      labels.some((label) => label.includes('2048')),
      labels.join('; '),
    );
    ok(
      labels.some((label) => label.includes('groups of 2')),
      labels.join('; '),
    );
  });

  for (const [path, numbers] of [
    ['llama-gqa/config.json', ['32', '5']],
    ['speech/stt.toml', ['1000', '24']],
    ['megatron/pretrain.sh', ['32', '6']],
  ] as const) {
    it(`finds the mistake in ${path}`, async () => {
      const document = await openSample(path);
      const finding = await eventually('an error', () =>
        findings(document.uri).find(({ severity }) => severity === vscode.DiagnosticSeverity.Error),
      );
      for (const number of numbers) ok(finding.message.includes(number), finding.message);
    });
  }

  it('finds nothing wrong in neox/410M.yml', async () => {
    const document = await openSample('neox/410M.yml');
    await lenses(document.uri);
    await new Promise((resolve) => setTimeout(resolve, 500));
    deepEqual(
      findings(document.uri)
        .filter(({ severity }) => severity <= vscode.DiagnosticSeverity.Warning)
        .map(codeOf),
      [],
    );
  });
});
