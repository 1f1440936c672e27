import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  type CodeAction,
  type CodeLens,
  CodeLensRequest,
  type CompletionItem,
  CompletionRequest,
  CompletionResolveRequest,
  type Diagnostic,
  DiagnosticSeverity,
  DocumentDiagnosticRequest,
  type Hover,
  HoverRequest,
  type InlayHint,
  InlayHintRequest,
  type Position,
} from 'vscode-languageserver/node';
import type { CalculateResult, DesignResult } from '../../src/protocol/languageServer.ts';
import { messageOf, TestClient } from './client.ts';

const commands = ['headwise.previewAttention', 'headwise.calculateShapes', 'headwise.ignoreInFile'];

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** Llama 3 8B with its real sizes. */
const llama = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_act: 'silu',
  hidden_size: 4096,
  intermediate_size: 14336,
  num_attention_heads: 32,
  num_hidden_layers: 32,
  num_key_value_heads: 8,
  torch_dtype: 'bfloat16',
  vocab_size: 128256,
};

/** GPT-2 small with a width that its 12 heads do not divide: 770 = 2 x 5 x 7 x 11. */
const wide = { model_type: 'gpt2', n_ctx: 1024, n_embd: 770, n_head: 12, n_layer: 12, n_positions: 1024, vocab_size: 50257 };

const neox = [
  '{',
  '  # pythia-like',
  '  "num_layers": 24,',
  '  "hidden_size": 1000,',
  '  "num_attention_heads": 16,',
  '  "pos_emb": "rotary"',
  '}',
  '',
].join('\n');

describe('language server over stdio', () => {
  let client: TestClient;
  const uri = 'file:///project/model/config.json';
  const folder = 'file:///project';

  beforeEach(async () => {
    client = await TestClient.start({ rootUri: folder, initializationOptions: { commands, designChanged: true } });
  });
  afterEach(async () => {
    equal(await client.stop(), 0);
  });

  /** Errors alone: a width of 770 has milder findings too. */
  const codes = async (of = uri): Promise<unknown[]> =>
    (await client.pull(of)).filter(({ severity }) => severity === DiagnosticSeverity.Error).map(({ code }) => code);
  const find = (items: readonly Diagnostic[] | undefined): Diagnostic | undefined => items?.find(({ code }) => code === 'HW101');
  const hoverAt = async (position: Position, of = uri): Promise<string> => {
    const found: Hover | null = await client.connection.sendRequest(HoverRequest.type, { textDocument: { uri: of }, position });
    return found === null ? '' : (found.contents as { value: string }).value;
  };
  const hints = async (of = uri): Promise<string[]> => {
    const document = client.document(of);
    const range = { start: { line: 0, character: 0 }, end: document.positionAt(document.getText().length) };
    const found: InlayHint[] | null = await client.connection.sendRequest(InlayHintRequest.type, { textDocument: { uri: of }, range });
    return (found ?? []).map(({ position, label }) => {
      const line = document.getText().split('\n')[position.line]?.slice(0, position.character).trim() ?? '';
      return `${line} ${String(label)}`;
    });
  };
  const lenses = async (of = uri): Promise<CodeLens[]> =>
    (await client.connection.sendRequest(CodeLensRequest.type, { textDocument: { uri: of } })) ?? [];
  const complete = async (position: Position, of = uri): Promise<CompletionItem[]> => {
    const found = await client.connection.sendRequest(CompletionRequest.type, { textDocument: { uri: of }, position });
    return Array.isArray(found) ? found : (found?.items ?? []);
  };

  it('says who it is and what it can do', () => {
    const result = client.initializeResult;
    equal(result?.serverInfo?.name, 'headwise');
    match(result?.serverInfo?.version ?? '', /^\d+\.\d+\.\d+/);
    deepEqual(result?.capabilities.textDocumentSync, { openClose: true, change: 2 });
    ok(result?.capabilities.diagnosticProvider !== undefined);
    equal(result?.capabilities.executeCommandProvider, undefined);
  });

  describe('diagnostics', () => {
    it('come with code, link, numbers and the line that set the other number', async () => {
      await client.open(uri, 'json', json(wide));
      const finding = find(await client.pull(uri));
      equal(finding?.code, 'HW101');
      equal(finding?.source, 'headwise');
      equal(finding?.severity, DiagnosticSeverity.Error);
      match(finding?.codeDescription?.href ?? '', /^https:\/\/.*HW101/);
      match(messageOf(finding), /770.*12.*2/s);
      deepEqual(finding?.range, client.rangeOf(uri, '12'));
      deepEqual(finding?.relatedInformation?.[0]?.location, { uri, range: client.rangeOf(uri, 'n_embd') });
    });

    it('follow incremental edits', async () => {
      await client.open(uri, 'json', json(wide));
      deepEqual(await codes(), ['HW101']);
      await client.replace(uri, '770', '768');
      deepEqual(await codes(), []);
      await client.replace(uri, '"n_head": 12', '"n_head": 13');
      deepEqual(await codes(), ['HW101']);
    });

    it('are unchanged where nothing changed, and full where it did', async () => {
      await client.open(uri, 'json', json(wide));
      const ask = (previousResultId?: string) =>
        client.connection.sendRequest(DocumentDiagnosticRequest.type, { textDocument: { uri }, previousResultId });
      const first = await ask();
      ok(first.kind === 'full' && first.resultId !== undefined);
      deepEqual(await ask(first.resultId), { kind: 'unchanged', resultId: first.resultId });
      await client.replace(uri, '770', '777');
      const second = await ask(first.resultId);
      ok(second.kind === 'full');
      notEqual(second.resultId, first.resultId);
      match(messageOf(find(second.items)), /777/);
    });

    it('say what can be said of half-typed text', async () => {
      await client.open(uri, 'json', '{"model_type": "gpt2", "n_embd": 770, "n_head": 12, "n_layer": 12, "n_po');
      ok((await codes()).includes('HW101'));
    });

    it('leave everything that is no model config alone', async () => {
      const other = 'file:///project/package.json';
      await client.open(other, 'json', json({ name: 'x', version: '1.0.0', dependencies: { heads: '7' }, heads: 12 }));
      deepEqual(await codes(other), []);
      deepEqual(await hints(other), []);
      deepEqual(await lenses(other), []);
      equal(await hoverAt({ line: 1, character: 4 }, other), '');
      deepEqual(await complete({ line: 1, character: 2 }, other), []);
      equal(await client.connection.sendRequest('headwise/design', { uri: other }), null);
    });

    it('work in YAML with JSON inside and comments', async () => {
      const yaml = 'file:///project/configs/410M.yml';
      await client.open(yaml, 'yaml', neox);
      const finding = find(await client.pull(yaml));
      equal(finding?.code, 'HW101');
      match(messageOf(finding), /1000.*16.*8/s);
    });

    it('are pushed, with their reasons in the text, to clients that cannot pull', async () => {
      const old = await TestClient.start({ capabilities: {}, rootUri: folder });
      try {
        await old.open(uri, 'json', json(wide));
        const items = await old.until('diagnostics published', () => old.published.get(uri));
        const item = find(items);
        equal(item?.relatedInformation, undefined);
        match(messageOf(item), /The width 770 is set here/);
        await old.replace(uri, '770', '768');
        await old.until('the finding gone', () => find(old.published.get(uri)) === undefined);
        await old.replace(uri, '768', '770');
        await old.until('the finding back', () => find(old.published.get(uri)));
        await old.close(uri);
        await old.until('the list cleared', () => old.published.get(uri)?.length === 0);
      } finally {
        equal(await old.stop(), 0);
      }
    });
  });

  describe('code actions', () => {
    it('fix a finding with computed values, each giving a file without it', async () => {
      await client.open(uri, 'json', json(wide));
      const finding = find(await client.pull(uri));
      ok(finding);
      const fixes = (await client.codeActions(uri, finding.range, undefined, [finding])).filter(({ edit }) => edit !== undefined);
      ok(fixes.length >= 2, `only ${fixes.map(({ title }) => title).join('; ')}`);
      for (const { title } of fixes) {
        await client.change(uri, [{ text: json(wide) }]);
        const fresh: CodeAction | undefined = (await client.codeActions(uri, finding.range, undefined, [finding])).find(
          (action) => action.title === title,
        );
        ok(fresh, title);
        equal(fresh.diagnostics?.[0]?.code, 'HW101');
        await client.apply(fresh);
        const after: { n_embd: number; n_head: number } = JSON.parse(client.text(uri));
        equal(after.n_embd % after.n_head, 0, title);
        deepEqual(await codes(), [], title);
      }
    });

    it('are made for the version that the client has', async () => {
      await client.open(uri, 'json', json(wide));
      await client.replace(uri, '"n_layer": 12', '"n_layer": 24');
      const actions = await client.codeActions(uri, client.rangeOf(uri, '"n_head": 12'));
      const change = actions[0]?.edit?.documentChanges?.[0];
      ok(change !== undefined && 'textDocument' in change);
      equal(change.textDocument.version, 2);
    });

    it('suppress by a comment where the format has them', async () => {
      const yaml = 'file:///project/configs/410M.yml';
      await client.open(yaml, 'yaml', neox);
      const finding = find(await client.pull(yaml));
      ok(finding);
      const action = (await client.codeActions(yaml, finding.range)).find(({ title }) => title === 'Ignore HW101 on this line');
      ok(action);
      await client.apply(action);
      match(client.text(yaml), /"num_attention_heads": 16, {2}# headwise: ignore\[HW101\]\n/);
      deepEqual(await codes(yaml), []);
    });

    it('suppress by a client command in plain JSON', async () => {
      await client.open(uri, 'json', json(wide));
      const finding = find(await client.pull(uri));
      ok(finding);
      const action = (await client.codeActions(uri, finding.range)).find(({ title }) => title.startsWith('Ignore HW101'));
      deepEqual(action?.command?.arguments, [{ uri, path: 'model/config.json', code: 'HW101' }]);
      equal(action?.command?.command, 'headwise.ignoreInFile');
      // What the command then writes takes the finding out.
      await client.configure({ perFileIgnores: { 'model/config.json': ['HW101'] } });
      await client.until('a refresh', () => client.refreshes.length > 0);
      deepEqual(await codes(), []);
    });

    it('never offer a command that the client does not have', async () => {
      const plain = await TestClient.start({ rootUri: folder });
      try {
        await plain.open(uri, 'json', json(wide));
        const actions = await plain.codeActions(uri, plain.rangeOf(uri, '"n_head": 12'));
        ok(actions.length > 0);
        deepEqual(
          actions.filter(({ command }) => command !== undefined),
          [],
        );
        const found: CodeLens[] = (await plain.connection.sendRequest(CodeLensRequest.type, { textDocument: { uri } })) ?? [];
        deepEqual(
          found.map(({ command }) => command?.command),
          [''],
        );
      } finally {
        equal(await plain.stop(), 0);
      }
    });

    it('apply all safe fixes at once, and no unsafe one', async () => {
      const yaml = 'file:///project/configs/410M.yml';
      const text = neox
        .replace('"num_layers": 24,', '"num_layers": 24, # headwise: ignore[HW101]')
        .replace('"pos_emb": "rotary"', '"pos_emb": "rotary" # headwise: ignore[HW101]');
      await client.open(yaml, 'yaml', text);
      const whole = client.rangeOf(yaml, text);
      deepEqual(
        (await client.codeActions(yaml, whole, ['source.organizeImports'])).map(({ title }) => title),
        [],
      );
      const actions = await client.codeActions(yaml, whole, ['source.fixAll']);
      deepEqual(
        actions.map(({ kind }) => kind),
        ['source.fixAll.headwise'],
      );
      ok(actions[0]);
      await client.apply(actions[0]);
      equal(client.text(yaml), neox);
      deepEqual(await codes(yaml), ['HW101']);
      deepEqual(await client.codeActions(yaml, whole, ['source.fixAll.headwise']), []);
    });
  });

  describe('hover', () => {
    it('shows the shapes of a layer as a table', async () => {
      await client.open(uri, 'json', json(llama));
      const text = await hoverAt(client.rangeOf(uri, 'num_key_value_heads').start);
      match(text, /\*\*KV heads\*\* = 8/);
      match(text, /\| q \| 4096 → 4096 \| 32 heads x 128 \|/);
      match(text, /\| k \| 4096 → 1024 \| 8 heads x 128, each serves 4 query heads \|/);
      match(text, /\| o \| 4096 → 4096 \|/);
      match(text, /\| FFN \| 4096 → 14336 → 4096 \|/);
      // 2 x 8 x 128 numbers x 32 layers x 2 bytes = 131072 bytes.
      match(text, /\| KV cache \| 128 KiB per token \|/);
      match(text, /head dimension 128 = model width \/ query heads = 4096 \/ 32/);
    });

    it('names the class whose default holds', async () => {
      const { num_key_value_heads: _, ...rest } = llama;
      await client.open(uri, 'json', json({ ...rest, model_type: 'mistral', architectures: ['MistralForCausalLM'] }));
      // MistralConfig: num_key_value_heads=8.
      const text = await hoverAt(client.rangeOf(uri, 'num_attention_heads').start);
      match(text, /KV heads 8, default of `MistralConfig`/);
      match(text, /\| k \| 4096 → 1024 \|/);
    });

    it('works in nested stacks, each with its own numbers', async () => {
      const nested = {
        model_type: 'llava',
        text_config: { model_type: 'llama', hidden_size: 4096, num_attention_heads: 32, num_hidden_layers: 32, intermediate_size: 11008 },
        vision_config: {
          model_type: 'clip_vision_model',
          hidden_size: 1024,
          num_attention_heads: 16,
          num_hidden_layers: 24,
          intermediate_size: 4096,
        },
      };
      await client.open(uri, 'json', json(nested));
      const text = client.text(uri);
      const vision = text.indexOf('"hidden_size": 1024');
      match(await hoverAt(client.document(uri).positionAt(vision + 3)), /\| q \| 1024 → 1024 \| 16 heads x 64 \|/);
      match(await hoverAt(client.rangeOf(uri, '"text_config"').end), /\| q \| 4096 → 4096 \| 32 heads x 128 \|/);
      const found = await lenses();
      const lines = found
        .filter(({ command }) => command?.command === '')
        .map(({ range, command }) => `${range.start.line} ${command?.title}`);
      ok(
        lines.some((line) => line.startsWith(`${client.rangeOf(uri, '"text_config"').start.line} `) && line.includes('32 heads x 128')),
        lines.join('\n'),
      );
      ok(
        lines.some((line) => line.startsWith(`${client.rangeOf(uri, '"vision_config"').start.line} `) && line.includes('16 heads x 64')),
        lines.join('\n'),
      );
    });
  });

  it('hints what the numbers amount to', async () => {
    await client.open(uri, 'json', json(llama));
    deepEqual(await hints(), [
      '"hidden_size": 4096 = 32 heads x 128',
      '"intermediate_size": 14336 = 3.5 x width',
      '"num_attention_heads": 32 x 128',
      '"num_key_value_heads": 8 groups of 4',
    ]);
    await client.replace(uri, '"num_key_value_heads": 8', '"num_key_value_heads": 1');
    ok((await hints()).includes('"num_key_value_heads": 1 shared by 32 heads'));
  });

  it('hints nothing where the numbers do not fit', async () => {
    await client.open(uri, 'json', json(wide));
    deepEqual(
      (await hints()).filter((hint) => /n_embd|n_head/.test(hint)),
      [],
    );
  });

  it('sums the design up in a lens with its two commands', async () => {
    await client.open(uri, 'json', json({ ...llama, model_type: 'mistral', architectures: ['MistralForCausalLM'] }));
    const found = await lenses();
    match(found[0]?.command?.title ?? '', /^decoder, pre-norm, 32 layers, 32 heads x 128 over 8 KV heads, .*SwiGLU FFN 14336$/);
    equal(found[0]?.range.start.line, 0);
    deepEqual(
      found.slice(1).map(({ command }) => [command?.command, command?.arguments]),
      [
        ['headwise.previewAttention', [{ uri, design: '' }]],
        ['headwise.calculateShapes', [{ uri, design: '' }]],
      ],
    );
  });

  describe('completion', () => {
    it('offers the family’s keys that are missing, with default and documentation', async () => {
      await client.open(uri, 'json', json(llama).replace('  "vocab_size"', '  "rms_"\n  "vocab_size"'));
      const items = await complete(client.document(uri).positionAt(client.text(uri).indexOf('"rms_') + 5));
      const item = items.find(({ label }) => label === 'rms_norm_eps');
      ok(item, items.map(({ label }) => label).join(' '));
      ok(!items.some(({ label }) => label === 'hidden_size'));
      const edit = item.textEdit;
      ok(edit && 'range' in edit);
      await client.change(uri, [{ range: edit.range, text: edit.newText }]);
      // LlamaConfig: rms_norm_eps=1e-06.
      equal(JSON.parse(client.text(uri)).rms_norm_eps, 1e-6);
      const resolved = await client.connection.sendRequest(CompletionResolveRequest.type, item);
      match(JSON.stringify(resolved.documentation), /variance/);
      match(JSON.stringify(resolved.documentation), /LlamaConfig/);
    });

    it('offers values where they can be listed', async () => {
      await client.open(uri, 'json', json(llama).replace('"silu"', '"ge"'));
      const items = await complete(client.document(uri).positionAt(client.text(uri).indexOf('"ge"') + 3));
      const item = items.find(({ label }) => label === 'gelu_pytorch_tanh');
      ok(item?.textEdit && 'range' in item.textEdit, items.map(({ label }) => label).join(' '));
      await client.change(uri, [{ range: item.textEdit.range, text: item.textEdit.newText }]);
      equal(JSON.parse(client.text(uri)).hidden_act, 'gelu_pytorch_tanh');
    });

    it('offers nothing inside a value that is no word, or in a comment', async () => {
      await client.open(uri, 'json', json(llama));
      deepEqual(await complete(client.rangeOf(uri, '4096').end), []);
    });
  });

  describe('settings', () => {
    it('change severities, and the client is told to ask again', async () => {
      await client.open(uri, 'json', json(wide));
      equal(find(await client.pull(uri))?.severity, DiagnosticSeverity.Error);
      await client.configure({ rules: { HW101: 'information' } });
      await client.until('a refresh', () => client.refreshes.includes('workspace/diagnostic/refresh'));
      equal(find(await client.pull(uri))?.severity, DiagnosticSeverity.Information);
      await client.configure({ rules: { 'heads-do-not-divide-width': 'off' } });
      await client.until('another refresh', () => client.refreshes.length > 1);
      deepEqual(await codes(), []);
    });

    it('switch hints and lenses off', async () => {
      await client.configure({ inlayHints: { enabled: false }, codeLens: { enabled: false } });
      await client.open(uri, 'json', json(llama));
      deepEqual([await hints(), await lenses()], [[], []]);
    });

    it('survive nonsense', async () => {
      await client.open(uri, 'json', json(wide));
      await client.configure({ rules: 7, parallel: { tensor: 'x' }, perFileIgnores: [[]], exclude: { a: null } });
      await client.until('a refresh', () => client.refreshes.length > 0);
      deepEqual(await codes(), ['HW101']);
    });

    it('come from headwise.json and pyproject.toml at the root, which win over the client', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'headwise-lsp-'));
      const root = pathToFileURL(directory).href;
      const config = `${root}/config.json`;
      writeFileSync(join(directory, 'pyproject.toml'), '[tool.headwise.rules]\nHW101 = "hint"\n');
      const other = await TestClient.start({ rootUri: root, settings: { rules: { HW101: 'warning' } } });
      try {
        await other.open(config, 'json', json(wide));
        equal(find(await other.pull(config))?.severity, DiagnosticSeverity.Hint);
        await other.until('watchers registered', () => other.registered.includes('workspace/didChangeWatchedFiles'));
        writeFileSync(join(directory, 'headwise.json'), '{"rules": {"HW101": "off"}}');
        await other.fileChanged(`${root}/headwise.json`);
        await other.until('a refresh', () => other.refreshes.length > 0);
        equal(find(await other.pull(config)), undefined);
        writeFileSync(join(directory, 'headwise.json'), '{"rulez": {}}');
        await other.fileChanged(`${root}/headwise.json`);
        await other.until('another refresh', () => other.refreshes.length > 1);
        equal(find(await other.pull(config))?.severity, DiagnosticSeverity.Warning);
        await other.open(`${root}/headwise.json`, 'json', '{"rulez": {}}');
        match(messageOf((await other.pull(`${root}/headwise.json`))[0]), /rules/);
      } finally {
        await other.stop();
        rmSync(directory, { recursive: true });
      }
    });

    describe('of a project', () => {
      let directory: string;
      const root = (): string => pathToFileURL(directory).href;
      const write = (path: string, text: string): void => {
        mkdirSync(join(directory, path, '..'), { recursive: true });
        writeFileSync(join(directory, path), text);
      };
      beforeEach(() => {
        directory = mkdtempSync(join(tmpdir(), 'headwise lsp [x]-'));
      });
      afterEach(() => {
        rmSync(directory, { recursive: true });
      });

      /** The severity of HW101 in each file, for a client that opened `folder`. */
      async function severities(folder: string, paths: readonly string[], settings = {}): Promise<(DiagnosticSeverity | undefined)[]> {
        const other = await TestClient.start({ rootUri: `${root()}${folder}`, settings });
        try {
          const found: (DiagnosticSeverity | undefined)[] = [];
          for (const path of paths) {
            await other.open(`${root()}/${path}`, 'json', json(wide));
            found.push(find(await other.pull(`${root()}/${path}`))?.severity);
          }
          return found;
        } finally {
          await other.stop();
        }
      }

      it('are those of the nearest file above a document, within the repository', async () => {
        write('headwise.json', '{"rules": {"HW101": "information"}}');
        write('repository/.git/HEAD', 'ref: refs/heads/main');
        write('repository/pyproject.toml', '[tool.headwise.rules]\nHW101 = "hint"\n');
        write('repository/models/pyproject.toml', '[tool.ruff]\n');
        write('repository/models/old/headwise.json', '{"rules": {"HW101": "warning"}}');
        const paths = ['config.json', 'models/config.json', 'models/old/config.json', 'models/old/gpt/config.json'];
        const wanted = [DiagnosticSeverity.Hint, DiagnosticSeverity.Hint, DiagnosticSeverity.Warning, DiagnosticSeverity.Warning];
        // Whatever part of the repository is opened.
        for (const folder of ['/repository', '/repository/models', '/repository/models/old/gpt'])
          deepEqual(
            await severities(
              folder,
              paths.map((path) => `repository/${path}`),
            ),
            wanted,
            folder,
          );
        // Another repository's settings are not its own.
        write('repository/vendored/.git', 'gitdir: elsewhere');
        deepEqual(await severities('/repository', ['repository/vendored/config.json']), [DiagnosticSeverity.Error]);
      });

      it('hold globs that are relative to their file, beside those of the client for its folder', async () => {
        write('.git/HEAD', 'ref: refs/heads/main');
        write('headwise.json', '{"perFileIgnores": {"work/old/*.json": ["HW101"]}}');
        const client = { perFileIgnores: { 'draft/*.json': ['HW101'], 'any.json': ['HW101'] } };
        const paths = [
          'work/old/config.json',
          'work/draft/config.json',
          'work/new/draft/config.json',
          'work/new/any.json',
          'old/config.json',
        ];
        const error = DiagnosticSeverity.Error;
        deepEqual(await severities('/work', paths, client), [undefined, undefined, error, undefined, error]);
        write('work/new/headwise.json', '{"exclude": ["/config.json", "models/old", "*.yaml"]}');
        const below = ['work/new/config.json', 'work/new/deep/config.json', 'work/new/models/old/config.json', 'work/config.json'];
        deepEqual(await severities('', below), [undefined, error, undefined, error]);
      });
    });
  });

  describe('its own requests', () => {
    it('tell the design, and when it changes', async () => {
      const changed: unknown[] = [];
      client.connection.onNotification('headwise/designChanged', (params) => {
        changed.push(params);
      });
      await client.open(uri, 'json', json(llama));
      const design: DesignResult | null = await client.connection.sendRequest('headwise/design', { uri });
      const [stack] = design?.stacks ?? [];
      deepEqual([stack?.queryHeads, stack?.keyValueHeads, stack?.headDim, stack?.causal], [32, 8, 128, true]);
      await client.until('told once', () => changed.length > 0);
      await client.replace(uri, '"num_key_value_heads": 8', '"num_key_value_heads": 4');
      await client.until('told of version 2', () => changed.some((params) => (params as { version: number }).version === 2));
      const after: DesignResult | null = await client.connection.sendRequest('headwise/design', { uri });
      equal(after?.stacks[0]?.keyValueHeads, 4);
    });

    it('calculate on top of an open design', async () => {
      await client.open(uri, 'json', json(llama));
      const free: CalculateResult | null = await client.connection.sendRequest('headwise/calculate', { query: 'd=512 h=8' });
      ok(free?.rows.some(({ value }) => value.includes('64')));
      const based: CalculateResult | null = await client.connection.sendRequest('headwise/calculate', {
        query: 'kv=4',
        base: { uri, design: '' },
      });
      // K projects 4096 to 4 x 128.
      ok(
        based?.rows.some(({ value }) => value.includes('512') && value.includes('4096')),
        JSON.stringify(based?.rows),
      );
    });
  });

  it('is the same behind `headwise lsp --stdio`', async function () {
    this.timeout(20_000);
    const other = await TestClient.start({ rootUri: folder, command: [process.execPath, 'bin/headwise.js', 'lsp', '--stdio'] });
    try {
      await other.open(uri, 'json', json(wide));
      match(messageOf(find(await other.pull(uri))), /770/);
    } finally {
      equal(await other.stop(), 0);
    }
  });

  it('stops when its client is gone without a word', async function () {
    this.timeout(20_000);
    const other = await TestClient.start({ rootUri: folder });
    await other.open(uri, 'json', json(wide));
    ok(find(await other.pull(uri)));
    other.connection.dispose();
    other.process.stdin?.end();
    await other.until('the process ended', () => other.process.exitCode !== null || other.process.signalCode !== null);
  });

  describe('bad input', () => {
    const bad: readonly (readonly [string, string, string])[] = [
      ['empty', 'json', ''],
      ['truncated', 'json', '{"model_type": "llama", "hidden_size": 40'],
      ['binary', 'json', String.fromCharCode(...Array.from({ length: 2000 }, (_, i) => (i * 7919) % 65536))],
      ['100,000 levels deep', 'json', `${'{"a":['.repeat(100_000)}`],
      [
        'a YAML alias bomb',
        'yaml',
        `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefghij'
          .split('')
          .map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefghij'[i]}`).join(', ')}]`)
          .join('\n')}\nhidden_size: 770\nnum_attention_heads: 12\nnum_hidden_layers: 2\nmodel_type: llama\n`,
      ],
      ['a cyclic anchor', 'yaml', 'model_type: llama\nhidden_size: 770\nnum_attention_heads: 12\na: &x\n  b: *x\n'],
      [
        'numbers beyond all bounds',
        'json',
        '{"model_type": "llama", "hidden_size": 1e999, "num_attention_heads": NaN, "num_hidden_layers": -Infinity, "vocab_size": 0}',
      ],
      [
        'duplicate keys',
        'json',
        '{"model_type": "llama", "hidden_size": 770, "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 2}',
      ],
      ['TOML cut in a string', 'toml', '[model]\nhidden_size = "40'],
      ['shell without an end', 'shellscript', 'ARGS=(\n --num-layers 2 --hidden-size 770 --num-attention-heads 12 "'],
      ['gin', 'gin', 'd_model = (1,\nnum_heads = %%%'],
    ];
    for (const [name, languageId, text] of bad) {
      it(`leaves the server alive: ${name}`, async function () {
        this.timeout(20_000);
        const extension = languageId === 'shellscript' ? 'sh' : languageId;
        const file = `file:///project/bad/config.${extension}`;
        await client.open(file, languageId, text);
        const started = Date.now();
        await client.pull(file);
        await hints(file);
        await lenses(file);
        await complete({ line: 0, character: 1 }, file);
        await hoverAt({ line: 0, character: 2 }, file);
        ok(Date.now() - started < 3000, `took ${Date.now() - started} ms`);
        deepEqual(
          client.log.filter((line) => /failed|Uncaught|stderr/.test(line)),
          [],
        );
        await client.open(uri, 'json', json(wide));
        deepEqual(await codes(), ['HW101']);
      });
    }

    it('leaves a document of 6 MB alone, at once and at every edit', async function () {
      this.timeout(20_000);
      await client.open(uri, 'json', `{"model_type": "gpt2", "n_embd": 770, "n_head": 12, "pad": "${'x'.repeat(6_000_000)}"}`);
      deepEqual(await client.pull(uri), []);
      const started = Date.now();
      for (let i = 0; i < 5; i++) {
        await client.replace(uri, '770', '771');
        await client.replace(uri, '771', '770');
        deepEqual(await client.pull(uri), []);
      }
      ok(Date.now() - started < 5000, `10 edits took ${Date.now() - started} ms`);
    });

    it('answers for documents that are not open, and for nonsense', async () => {
      deepEqual(await client.pull('file:///nowhere.json'), []);
      equal(await hoverAt({ line: 5, character: 5 }, 'file:///nowhere.json'), '');
      await client.connection.sendRequest('headwise/design', { uri: 7 }).then(
        () => ok(false, 'nonsense was accepted'),
        (error) => match(String(error), /expected/),
      );
      await client.open(uri, 'json', json(wide));
      deepEqual(await codes(), ['HW101']);
    });
  });
});
