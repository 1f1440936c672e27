import { deepEqual, equal, ok } from 'node:assert/strict';
import { CodeLensRequest, HoverRequest, InlayHintRequest } from 'vscode-languageserver/node';
import { messageOf, TestClient } from './client.ts';

const config = `from dataclasses import dataclass

@dataclass
class GPTConfig:
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
`;

/** A file of a thousand lines that mentions heads, as modeling files are. */
const long = `${config}\n${Array.from(
  { length: 100 },
  (_, i) => `class Block${i}(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.n_head
        self.proj = nn.Linear(config.n_embd, 3 * config.n_embd, bias=False)

    def forward(self, x):
        B, T, C = x.size()  # batch, tokens, width
        q, k, v = self.proj(x).split(C, dim=2)
        return q.view(B, T, self.heads, C // self.heads).transpose(1, 2)`,
).join('\n\n')}\n`;

describe('the language server on Python', () => {
  let client: TestClient;
  before(async () => {
    client = await TestClient.start();
  });
  after(async () => {
    equal(await client.stop(), 0);
  });

  it('reports, follows edits, and gives hints, hovers and lenses where a configuration was read', async () => {
    const uri = 'file:///w/model.py';
    await client.open(uri, 'python', config);
    deepEqual(await client.pull(uri), []);
    await client.replace(uri, '768', '770');
    const [diagnostic] = await client.pull(uri);
    equal(diagnostic?.code, 'HW101');
    ok(messageOf(diagnostic).includes('770 % 12'));
    const [action] = await client.codeActions(uri, client.rangeOf(uri, 'n_head: int = 12'));
    ok(action !== undefined);
    await client.apply(action);
    deepEqual(await client.pull(uri), []);
    const textDocument = { uri };
    const lenses = await client.connection.sendRequest(CodeLensRequest.type, { textDocument });
    ok(lenses !== null);
    const hints = await client.connection.sendRequest(InlayHintRequest.type, {
      textDocument,
      range: { start: { line: 0, character: 0 }, end: { line: 99, character: 0 } },
    });
    ok((hints ?? []).length > 0);
    const hover = await client.connection.sendRequest(HoverRequest.type, { textDocument, position: { line: 5, character: 6 } });
    ok(hover !== null);
  });

  it('has nothing to say about other Python files', async () => {
    const uri = 'file:///w/other.py';
    await client.open(uri, 'python', 'width = 3\nheads = 2\nnum_heads = 4\nprint(num_heads)\n');
    const textDocument = { uri };
    deepEqual(await client.pull(uri), []);
    equal(await client.connection.sendRequest(CodeLensRequest.type, { textDocument }), null);
    equal(await client.connection.sendRequest(HoverRequest.type, { textDocument, position: { line: 2, character: 2 } }), null);
  });

  it('answers quickly while a thousand lines are typed in', async () => {
    const uri = 'file:///w/long.py';
    await client.open(uri, 'python', long);
    deepEqual(await client.pull(uri), []);
    const times: number[] = [];
    for (let i = 0; i < 30; i++) {
      const from = `class Block${3 * i}(`;
      const started = performance.now();
      await client.replace(uri, from, `class Changed${3 * i}(`);
      await client.pull(uri);
      times.push(performance.now() - started);
    }
    times.sort((a, b) => a - b);
    const median = times[times.length >> 1] ?? Number.NaN;
    console.log(
      `    a keystroke in ${long.split('\n').length} lines: median ${median.toFixed(1)} ms, slowest ${times.at(-1)?.toFixed(1)} ms`,
    );
    ok(median < 100, `${median.toFixed(1)} ms`);
  });
});
