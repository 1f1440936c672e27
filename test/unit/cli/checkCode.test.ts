import { deepEqual, equal, match } from 'node:assert/strict';
import { buildCli, folder, headwise, type Ran } from './cli.ts';

interface Place {
  readonly file: string;
  readonly line: number;
}

interface Report {
  readonly findings: readonly (Place & { readonly severity: string; readonly code: string; readonly related: readonly Place[] })[];
}

interface SarifPlace {
  readonly artifactLocation: { readonly uri: string };
  readonly region: { readonly startLine: number };
}

interface Sarif {
  readonly runs: readonly {
    readonly results: readonly { readonly relatedLocations: readonly { readonly physicalLocation: SarifPlace }[] }[];
  }[];
}

const layers = `import torch.nn as nn

class Gate(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.up = nn.Linear(config.width, config.inner)
        self.back = nn.Linear(config.ffn, config.width)

    def forward(self, x):
        return self.back(self.up(x))
`;
const config = '{\n  "width": 8,\n  "inner": 24,\n  "ffn": 16\n}\n';

describe('headwise check on model code', function () {
  this.timeout(40_000);
  let remove: (() => void)[] = [];
  before(buildCli);
  afterEach(() => {
    for (const each of remove) each();
    remove = [];
  });
  const run = async (files: Readonly<Record<string, string>>, ...args: string[]): Promise<Ran> => {
    const made = folder(files);
    remove.push(made.remove);
    return headwise({ cwd: made.path }, 'check', 'code', '--select', 'HW211', '--fail-on', 'warning', ...args);
  };
  const parse = ({ stdout }: Ran): Report => JSON.parse(stdout) as Report;

  it('points at the numbers of the config beside it, in every format', async () => {
    const files = { 'code/layers.py': layers, 'code/config.json': config };
    const { findings } = parse(await run(files, '--format', 'json'));
    deepEqual(
      findings.map(({ file, line, severity, related }) => [file, line, severity, related.filter((each) => each.file !== file)]),
      [
        [
          'code/layers.py',
          7,
          'warning',
          [
            { file: 'code/config.json', line: 4, column: 10, endLine: 4, endColumn: 12, message: 'ffn is 16 here.' },
            { file: 'code/config.json', line: 3, column: 12, endLine: 3, endColumn: 14, message: 'inner is 24 here.' },
          ],
        ],
      ],
    );
    const text = await run(files);
    match(text.stdout, /= see: code\/config\.json:4:10: ffn is 16 here\./);
    equal(text.status, 1);
    const sarif = JSON.parse((await run(files, '--format', 'sarif')).stdout) as Sarif;
    const places = sarif.runs[0]?.results[0]?.relatedLocations.map(({ physicalLocation }) => physicalLocation) ?? [];
    deepEqual(
      places
        .filter(({ artifactLocation }) => artifactLocation.uri.endsWith('config.json'))
        .map(({ artifactLocation, region }) => [artifactLocation, region.startLine]),
      [
        [{ uri: 'code/config.json', uriBaseId: 'SRCROOT' }, 4],
        [{ uri: 'code/config.json', uriBaseId: 'SRCROOT' }, 3],
      ],
    );
    match((await run(files, '--format', 'github')).stdout, /code\/config\.json:4: ffn is 16 here\./);
  });

  it('takes the config that settings choose, or none', async () => {
    const files = { 'code/layers.py': layers, 'code/config.json': config };
    const toml = '[tool.headwise.configs]\n"code/*.py" = ';
    equal((await run({ ...files, 'pyproject.toml': `${toml}""\n` })).status, 0);
    const chosen = { ...files, 'pyproject.toml': `${toml}"small.yaml"\n` };
    equal((await run({ ...chosen, 'small.yaml': 'width: 8\ninner: 24\nffn: 24\n' })).status, 0);
    const ran = await run({ ...chosen, 'small.yaml': 'width: 8\ninner: 24\nffn: 20\n' });
    match(ran.stdout, /see: small\.yaml:3:6: ffn is 20 here\./);
  });

  it('points into a file that is imported, where it fails', async () => {
    const block = `import torch.nn as nn
from layers import Gate

class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.gate = Gate(dim)

    def forward(self, x):
        return self.gate(x)
`;
    const gate = layers
      .replace('config)', 'dim)')
      .replace('config.width, config.inner', 'dim, 3 * dim')
      .replace('config.ffn, config.width', '2 * dim, dim');
    const { findings } = parse(await run({ 'code/block.py': block, 'code/layers.py': gate }, '--format', 'json'));
    const found = findings.find(({ file }) => file === 'code/block.py');
    deepEqual([found?.line, found?.related.map(({ file, line }) => [file, line])], [10, [['code/layers.py', 10]]]);
  });
});
