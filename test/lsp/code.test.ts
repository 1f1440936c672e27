import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { type CompletionItem, CompletionRequest, CompletionTriggerKind, type Position } from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { TestClient } from './client.ts';

/** Fused query, key and value projection, with a place for one more line. */
const attention = (line: string): string => `import torch.nn as nn

class Attention(nn.Module):
    def __init__(self, width: int = 768, heads: int = 12):
        super().__init__()
        self.heads = heads
        self.proj = nn.Linear(width, 3 * width)

    def forward(self, x):
        B, T, C = x.size()  # (B, T, C)
        q, k, v = self.proj(x).split(C, dim=2)
        ${line}
        return q
`;

describe('the language server on model code', () => {
  let client: TestClient;
  let opened = 0;
  beforeEach(async () => {
    client = await TestClient.start({ rootUri: 'file:///w' });
  });
  afterEach(async () => {
    equal(await client.stop(), 0);
  });

  /** Opens a text whose `¦` is the cursor. */
  async function openAt(marked: string, languageId = 'python'): Promise<{ readonly uri: string; readonly position: Position }> {
    const uri = `file:///w/model${++opened}.py`;
    const offset = marked.indexOf('¦');
    await client.open(uri, languageId, marked.replace('¦', ''));
    return { uri, position: client.document(uri).positionAt(offset) };
  }

  async function complete({ uri, position }: Awaited<ReturnType<typeof openAt>>, triggerCharacter?: string): Promise<CompletionItem[]> {
    const context = triggerCharacter === undefined ? undefined : { triggerKind: CompletionTriggerKind.TriggerCharacter, triggerCharacter };
    const found = await client.connection.sendRequest(CompletionRequest.type, { textDocument: { uri }, position, context });
    return Array.isArray(found) ? found : (found?.items ?? []);
  }

  describe('completes shape comments', () => {
    const taken = ({ uri }: { readonly uri: string }, item: CompletionItem | undefined): string => {
      ok(item?.textEdit !== undefined && 'range' in item.textEdit);
      return TextDocument.applyEdits(client.document(uri), [item.textEdit]).split('\n')[11]?.trim() ?? '';
    };

    it('with what the statement assigns, in the names of the comments around', async () => {
      for (const [typed, trigger] of [
        ['#¦', '#'],
        ['# ¦', ' '],
        ['# (¦)', undefined],
        ['# [B¦', undefined],
      ] as const) {
        const place = await openAt(attention(`q = q.view(B, T, self.heads, C // self.heads).transpose(1, 2)  ${typed}`));
        const [item, ...others] = await complete(place, trigger);
        deepEqual(others, []);
        const line = taken(place, item);
        match(line, /# \(B, \w+, T, .+\)$/, line);
        equal(item?.label, /\(B.*\)$/.exec(line.slice(line.indexOf('#')))?.[0]);
        // What is typed leads to the item, or the editor would hide it.
        ok(item?.filterText?.startsWith(typed.slice(1, typed.indexOf('¦')).trim()), item?.filterText);
      }
    });

    it('and stays silent elsewhere', async () => {
      const line = 'q = q.view(B, T, self.heads, C // self.heads)';
      for (const [typed, trigger] of [
        [`${line} ¦`, ' '],
        [`${line}  # what is ¦`, ' '],
        [`${line}  # heads first, then ¦`, undefined],
        ['name = "# ¦"', ' '],
      ] as const)
        deepEqual(await complete(await openAt(attention(typed)), trigger), [], typed);
      deepEqual(await complete(await openAt('# ¦\nhidden_size: 4\n', 'yaml'), '#'), []);
    });
  });
});
