import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  badConfig,
  buildCli,
  fixableConfig,
  fixedConfig,
  folder,
  goodConfig,
  headwise,
  program,
  type Ran,
  type RunOptions,
} from './cli.ts';

interface JsonFinding {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  readonly code: string;
  readonly rule: string;
  readonly severity: string;
  readonly message: string;
  readonly related: readonly { readonly file: string; readonly line: number; readonly column: number; readonly message: string }[];
  readonly fixes: readonly { readonly title: string; readonly safe: boolean; readonly edits: readonly { readonly newText: string }[] }[];
}

interface JsonReport {
  readonly version: number;
  readonly files: number;
  readonly findings: readonly JsonFinding[];
  readonly unread: readonly { readonly file: string; readonly reason: string }[];
}

/** Starts what drives a terminal. */
const controlStart = '\u001b';

const parse = (text: string): JsonReport => JSON.parse(text) as JsonReport;

/** The runs look at two rules only, so that a new rule changes nothing here. */
const check = (options: RunOptions, ...args: string[]): Promise<Ran> => headwise(options, 'check', '--select', 'HW101,HW901', ...args);

describe('headwise check', function () {
  this.timeout(30_000);
  let remove: (() => void)[] = [];
  const make = (files: Readonly<Record<string, string | Buffer>>): string => {
    const made = folder(files);
    remove.push(made.remove);
    return made.path;
  };
  before(buildCli);
  afterEach(() => {
    for (const each of remove) each();
    remove = [];
  });

  describe('exit status', () => {
    it('is 0 for clean, 1 for findings, 2 for what cannot be read', async () => {
      const cwd = make({ 'good.json': goodConfig, 'bad.json': badConfig, 'warn.yaml': fixableConfig });
      assert.equal((await check({ cwd }, 'good.json')).status, 0);
      assert.equal((await check({ cwd }, 'bad.json')).status, 1);
      assert.equal((await check({ cwd }, 'missing.json', 'bad.json')).status, 2);
      assert.equal((await check({ cwd }, '--nonsense')).status, 2);
    });

    it('follows --fail-on', async () => {
      const cwd = make({ 'bad.json': badConfig, 'warn.yaml': fixableConfig });
      const status = async (level: string, file: string): Promise<number | null> => (await check({ cwd }, '--fail-on', level, file)).status;
      assert.equal(await status('error', 'warn.yaml'), 0);
      assert.equal(await status('warning', 'warn.yaml'), 1);
      assert.equal(await status('information', 'warn.yaml'), 1);
      assert.equal(await status('never', 'bad.json'), 0);
      assert.equal(await status('warning', 'bad.json'), 1);
    });
  });

  it('prints the place, the message, the source with marks, what is related and the fixes', async () => {
    const cwd = make({ 'a/config.json': badConfig });
    const { stdout } = await check({ cwd });
    const lines = stdout.split('\n');
    assert.match(lines[0] ?? '', /^a\/config\.json:4:26: HW101 error: .*770.*12/);
    const source = lines.findIndex((line) => line.startsWith('4 |'));
    assert.equal(lines[source], '4 |   "num_attention_heads": 12,');
    assert.equal(lines[source + 1], '  |                          ^^');
    assert.match(lines[source - 1] ?? '', /^ {2}\| {4}----------- .*770/);
    assert.match(stdout, /= fix: Use \d+ heads \(--unsafe-fixes\)/);
    assert.match(stdout, /^Checked 1 file \(1 model configuration\): 1 error in 1 file\.$/m);
    assert.ok(!stdout.includes(controlStart));
  });

  it('colours only where asked or on a terminal', async () => {
    const cwd = make({ 'config.json': badConfig });
    assert.ok((await check({ cwd, env: { FORCE_COLOR: '1' } })).stdout.includes(`${controlStart}[1;31mHW101`));
    assert.ok(!(await check({ cwd, env: { FORCE_COLOR: '1', NO_COLOR: '1' } })).stdout.includes(controlStart));
  });

  it('never lets a file write to the terminal', async () => {
    const cwd = make({
      'config.json': badConfig.replace('"num_attention_heads": 12,', '"num_attention_heads": 12, "x": "\u001b]0;owned\u0007\u202e",'),
    });
    const { stdout } = await check({ cwd });
    for (const control of [controlStart, '\u0007', '\u202e']) assert.ok(!stdout.includes(control));
  });

  it('keeps marks under long lines, tabs and wide characters', async () => {
    const cwd = make({
      'long.json': JSON.stringify({ note: 'x'.repeat(5000), ...(JSON.parse(badConfig) as object), rest: 'y'.repeat(5000) }),
      'tab.json': badConfig.replaceAll('  "', '\t"'),
      'wide.json': badConfig.replace('  "num_attention', '  "备注": "宽", "num_attention'),
    });
    const { stdout } = await check({ cwd }, '--quiet');
    const lines = stdout.split('\n');
    assert.ok(Math.max(...lines.map((line) => line.length)) < 240);
    const marks = lines.filter((line) => /\^\^/.test(line));
    assert.equal(marks.length, 3);
    const columns = (text: string): number => [...text].reduce((sum, character) => sum + (/[\u2e80-\uffef]/.test(character) ? 2 : 1), 0);
    for (const [index, line] of lines.entries()) {
      const mark = line.indexOf('^^');
      if (mark < 0) continue;
      const source = lines[index - 1] ?? '';
      const before = /^(.*_heads": ?)12/.exec(source)?.[1];
      assert.ok(before !== undefined, source);
      assert.equal(mark, columns(before), `${source}\n${line}`);
    }
  });

  it('prints JSON in the documented shape', async () => {
    const cwd = make({ 'config.json': badConfig, 'package.json': '{"name": "x"}' });
    const { stdout, status } = await check({ cwd }, '--format', 'json');
    const report = parse(stdout);
    assert.equal(status, 1);
    assert.deepEqual(Object.keys(report), ['version', 'files', 'findings', 'unread']);
    assert.equal(report.version, 1);
    assert.equal(report.files, 2);
    assert.equal(report.findings.length, 1);
    const [finding] = report.findings;
    assert.ok(finding !== undefined);
    assert.deepEqual(
      [finding.file, finding.line, finding.column, finding.endLine, finding.endColumn, finding.code, finding.rule, finding.severity],
      ['config.json', 4, 26, 4, 28, 'HW101', 'heads-do-not-divide-width', 'error'],
    );
    const [related] = finding.related;
    assert.match(related?.message ?? '', /770/);
    assert.deepEqual({ ...related, message: '' }, { file: 'config.json', line: 3, column: 4, endLine: 3, endColumn: 15, message: '' });
    const [fix] = finding.fixes;
    assert.deepEqual(Object.keys(fix ?? {}), ['title', 'safe', 'edits']);
    const width = /^Use hidden_size (\d+)$/.exec(fix?.title ?? '')?.[1];
    assert.ok(width !== undefined && Number(width) % 12 === 0, fix?.title);
    assert.deepEqual(fix?.edits, [{ line: 3, column: 18, endLine: 3, endColumn: 21, newText: width }]);
  });

  it('prints GitHub workflow commands, escaped', async () => {
    const cwd = make({ 'a,b:c%.json': badConfig });
    const { stdout } = await check({ cwd }, '--format', 'github');
    assert.match(
      stdout,
      /^::error file=a%2Cb%3Ac%25\.json,line=4,endLine=4,col=26,endColumn=28,title=HW101 heads-do-not-divide-width::[^\n]*770[^\n]*%0A[^\n]*770[^\n]*\n$/,
    );
  });

  it('prints a SARIF log that follows the schema', async () => {
    const cwd = make({ 'models/über config.json': badConfig, 'warn.yaml': fixableConfig });
    const { stdout } = await check({ cwd }, '--format', 'sarif');
    const log = JSON.parse(stdout) as Sarif;
    assert.equal(log.version, '2.1.0');
    assert.match(log.$schema, /sarif-schema-2\.1\.0\.json$/);
    const [run] = log.runs;
    assert.ok(run !== undefined);
    const { driver } = run.tool;
    assert.equal(driver.name, 'Headwise');
    assert.match(driver.semanticVersion, /^\d+\.\d+\.\d+/);
    assert.equal(run.columnKind, 'utf16CodeUnits');
    assert.equal(new Set(driver.rules.map((rule) => rule.id)).size, driver.rules.length);
    for (const rule of driver.rules) {
      assert.ok(rule.shortDescription.text.length > 0 && rule.fullDescription.text.length > 0 && rule.help.markdown.length > 0);
      assert.match(rule.helpUri, /^https:\/\/.*\.md$/);
      assert.ok(['error', 'warning', 'note', 'none'].includes(rule.defaultConfiguration.level));
    }
    assert.equal(run.results.length, 2);
    for (const result of run.results) {
      assert.equal(driver.rules[result.ruleIndex]?.id, result.ruleId);
      assert.ok(['error', 'warning', 'note'].includes(result.level));
      const [location] = result.locations;
      assert.ok(location !== undefined);
      const { artifactLocation, region } = location.physicalLocation;
      assert.ok(artifactLocation.uriBaseId in run.originalUriBaseIds);
      assert.match(artifactLocation.uri, /^[\x21-\x7e]+$/);
      assert.ok(region.startLine >= 1 && region.startColumn >= 1 && region.endLine >= region.startLine && region.endColumn >= 1);
      assert.match(Object.values(result.partialFingerprints)[0] ?? '', /^[0-9a-f]{16}$/);
      for (const fix of result.fixes ?? []) {
        assert.ok(fix.description.text.length > 0);
        for (const change of fix.artifactChanges) assert.ok(change.replacements.every(({ deletedRegion }) => deletedRegion.startLine >= 1));
      }
    }
    const error = run.results.find((result) => result.ruleId === 'HW101');
    assert.equal(error?.locations[0]?.physicalLocation.artifactLocation.uri, 'models/%C3%BCber%20config.json');
    assert.deepEqual(error?.locations[0]?.physicalLocation.region, { startLine: 4, startColumn: 26, endLine: 4, endColumn: 28 });
    assert.match(error?.relatedLocations?.[0]?.message.text ?? '', /770/);
    assert.match(run.originalUriBaseIds.SRCROOT?.uri ?? '', /^file:\/\/.*\/$/);
  });

  describe('files', () => {
    const files = async (cwd: string, ...args: string[]): Promise<string[]> => {
      const { stdout } = await check({ cwd }, '--format', 'json', ...args);
      return parse(stdout).findings.map(({ file }) => file);
    };

    it('are found by extension, whatever they are called, and judged by content', async () => {
      const toml = 'model_type = "llama"\nhidden_size = 770\nnum_attention_heads = 12\nnum_hidden_layers = 12\n';
      const cwd = make({ 'x.json': badConfig, 'd/y.yaml': badConfig, 'z.toml': toml, 'w.txt': badConfig, 'other.json': '{"heads": 5}' });
      assert.deepEqual(await files(cwd), ['d/y.yaml', 'x.json', 'z.toml']);
      assert.deepEqual(await files(cwd, 'w.txt'), ['w.txt']);
      assert.deepEqual(await files(cwd, './d', join(cwd, 'x.json'), 'd/y.yaml'), ['d/y.yaml', join(cwd, 'x.json')]);
    });

    it('leave out what .gitignore names, node_modules and .git', async () => {
      const cwd = make({
        '.git/config.json': badConfig,
        'node_modules/a/config.json': badConfig,
        '.gitignore': 'out/\n*.local.json\n',
        'out/config.json': badConfig,
        'a.local.json': badConfig,
        'b/.gitignore': '!a.local.json\nskip.json\n',
        'b/a.local.json': badConfig,
        'b/skip.json': badConfig,
        'b/keep.json': badConfig,
      });
      assert.deepEqual(await files(cwd), ['b/a.local.json', 'b/keep.json']);
      // From a directory below, the rules above still hold.
      assert.deepEqual(await files(join(cwd, 'b')), ['a.local.json', 'keep.json']);
      assert.deepEqual(await files(cwd, '--no-gitignore'), [
        'a.local.json',
        'b/a.local.json',
        'b/keep.json',
        'b/skip.json',
        'out/config.json',
      ]);
      assert.deepEqual(await files(cwd, 'out/config.json'), ['out/config.json']);
    });

    it('leave out what --exclude and settings name, also by name', async () => {
      const cwd = make({ 'a/config.json': badConfig, 'b/config.json': badConfig });
      assert.deepEqual(await files(cwd, '--exclude', 'a'), ['b/config.json']);
      assert.deepEqual(await files(cwd, '--exclude', 'a', 'a/config.json'), []);
      writeFileSync(join(cwd, 'headwise.json'), '{"exclude": ["b/**"]}');
      assert.deepEqual(await files(cwd), ['a/config.json']);
      assert.deepEqual(await files(cwd, '--isolated'), ['a/config.json', 'b/config.json']);
    });

    it('are followed through links to files, not to directories', async () => {
      const cwd = make({ 'blobs/1': badConfig, 'real/config.json': badConfig });
      mkdirSync(join(cwd, 'snapshot'));
      symlinkSync('../blobs/1', join(cwd, 'snapshot/config.json'));
      symlinkSync('..', join(cwd, 'snapshot/loop'));
      symlinkSync('nowhere', join(cwd, 'snapshot/dangling.json'));
      assert.deepEqual(await files(cwd), ['real/config.json', 'snapshot/config.json']);
    });

    it('that cannot be read are named, and fail the run only when they were given by name', async () => {
      const cwd = make({ 'good.json': goodConfig, 'binary.json': Buffer.from([0x80, 0x02, 0, 1, 2, 3]), 'big.json': '' });
      truncateSync(join(cwd, 'big.json'), 50_000_000);
      mkdirSync(join(cwd, 'config.json'));
      const { stdout, status } = await check({ cwd }, '--format', 'json');
      const { unread, files: count } = parse(stdout);
      assert.equal(status, 0);
      assert.equal(count, 1);
      assert.deepEqual(unread.map(({ file }) => file).sort(), ['big.json', 'binary.json', 'config.json']);
      for (const { reason } of unread) assert.match(reason, /^[A-Z].*\.$/);
      for (const name of ['binary.json', 'big.json', 'missing.json']) {
        const run = await check({ cwd }, name);
        assert.equal(run.status, 2, name);
        assert.match(run.stderr, new RegExp(`^headwise: ${name} was not read\\. .+\\.$`, 'm'));
      }
    });

    it('may be in UTF-16 or end lines with CRLF', async () => {
      const cwd = make({ 'u.json': Buffer.from(`\ufeff${badConfig}`, 'utf16le'), 'crlf.json': badConfig.replaceAll('\n', '\r\n') });
      const { stdout } = await check({ cwd }, '--format', 'json');
      assert.deepEqual(
        parse(stdout).findings.map(({ line, column }) => [line, column]),
        [
          [4, 26],
          [4, 26],
        ],
      );
    });

    if (process.getuid?.() === 0) console.log('Skipped: a file without read permission (root reads everything).');
    else {
      it('without read permission are named', async () => {
        const cwd = make({ 'secret.json': badConfig });
        chmodSync(join(cwd, 'secret.json'), 0);
        const { status, stderr } = await check({ cwd }, 'secret.json');
        assert.equal(status, 2);
        assert.match(stderr, /secret\.json was not read\. Permission denied\./);
      });
    }

    it('may come on standard input', async () => {
      const cwd = make({ 'headwise.json': '{"perFileIgnores": {"old/**": ["HW101"]}}' });
      const run = async (...args: string[]) => check({ cwd, input: badConfig }, '-', ...args);
      assert.equal((await run()).status, 1);
      const { stdout } = await run('--stdin-filename', 'models/config.json', '--format', 'json');
      assert.deepEqual(
        parse(stdout).findings.map(({ file }) => file),
        ['models/config.json'],
      );
      assert.equal((await run('--stdin-filename', 'old/config.json')).status, 0);
    });
  });

  describe('rules', () => {
    const codes = async (cwd: string, ...args: string[]): Promise<string[]> => {
      const { stdout, stderr } = await headwise({ cwd }, 'check', '--format', 'json', ...args);
      assert.notEqual(stdout, '', stderr);
      return parse(stdout)
        .findings.filter(({ code }) => code === 'HW101' || code === 'HW901')
        .map(({ code, severity }) => `${code} ${severity}`);
    };

    it('are chosen by --select, --ignore and --severity, over settings files', async () => {
      const cwd = make({ 'a.json': badConfig, 'b.yaml': fixableConfig });
      assert.deepEqual(await codes(cwd), ['HW101 error', 'HW901 warning']);
      assert.deepEqual(await codes(cwd, '--select', 'HW1'), ['HW101 error']);
      // A suppression of a rule that is not selected is not idle.
      assert.deepEqual(await codes(cwd, '--select', 'file'), []);
      assert.deepEqual(await codes(cwd, '--select', 'HW901,heads'), ['HW101 error', 'HW901 warning']);
      assert.deepEqual(await codes(cwd, '--ignore', 'heads-do-not-divide-width,HW9'), []);
      assert.deepEqual(await codes(cwd, '--severity', 'HW101=information', '--severity', 'file=off'), ['HW101 information']);
      writeFileSync(join(cwd, 'headwise.json'), '{"rules": {"HW101": "off"}}');
      assert.deepEqual(await codes(cwd), []);
      assert.deepEqual(await codes(cwd, '--select', 'HW101'), ['HW101 error']);
      assert.deepEqual(await codes(cwd, '--severity', 'HW101=warning'), ['HW101 warning', 'HW901 warning']);
    });

    it('that do not exist are named', async () => {
      const cwd = make({});
      for (const option of ['--select', '--ignore']) {
        const { status, stderr } = await headwise({ cwd }, 'check', option, 'HW1O1');
        assert.equal(status, 2);
        assert.match(stderr, /"HW1O1"\. Did you mean HW101\?/);
      }
      assert.match((await check({ cwd }, '--severity', 'HW101=loud')).stderr, /RULE=LEVEL/);
    });
  });

  describe('settings', () => {
    it('come from the nearest file above each input', async () => {
      const cwd = make({
        'pyproject.toml': '[tool.headwise.rules]\nHW101 = "warning"\n',
        'a/config.json': badConfig,
        'b/headwise.json': '{"rules": {"HW101": "off"}}',
        'b/c/config.json': badConfig,
        'd/pyproject.toml': '[project]\nname = "no settings of ours"\n',
        'd/config.json': badConfig,
      });
      const { stdout } = await headwise({ cwd }, 'check', '--format', 'json');
      assert.deepEqual(
        parse(stdout)
          .findings.filter(({ code }) => code === 'HW101')
          .map(({ file, severity }) => `${file} ${severity}`),
        ['a/config.json warning', 'd/config.json warning'],
      );
    });

    it('that are wrong are named at their place', async () => {
      const cwd = make({ 'headwise.json': '{\n  "ruels": {}\n}', 'good.json': goodConfig });
      const { status, stderr } = await check({ cwd });
      assert.equal(status, 2);
      assert.match(stderr, /headwise\.json:2:4: There is no setting "ruels"\. Did you mean rules\?/);
    });
  });

  describe('fixing', () => {
    it('writes safe fixes in place, keeping the encoding', async () => {
      const cwd = make({
        'a.yaml': fixableConfig,
        'b.yaml': Buffer.from(`\ufeff${fixableConfig.replaceAll('\n', '\r\n')}`, 'utf16le'),
        'c.json': badConfig,
      });
      const { status, stdout } = await check({ cwd }, '--fix');
      assert.equal(status, 1);
      assert.match(stdout, /^Fixed 2 findings in 2 files\.$/m);
      assert.equal(readFileSync(join(cwd, 'a.yaml'), 'utf8'), fixedConfig);
      assert.deepEqual(readFileSync(join(cwd, 'b.yaml')), Buffer.from(`\ufeff${fixedConfig.replaceAll('\n', '\r\n')}`, 'utf16le'));
      assert.equal(readFileSync(join(cwd, 'c.json'), 'utf8'), badConfig);
    });

    it('changes the model only with --unsafe-fixes', async () => {
      const cwd = make({ 'c.json': badConfig });
      assert.equal((await check({ cwd }, '--unsafe-fixes')).status, 1);
      assert.equal(readFileSync(join(cwd, 'c.json'), 'utf8'), badConfig);
      assert.equal((await check({ cwd }, '--fix', '--unsafe-fixes')).status, 0);
      const changed = readFileSync(join(cwd, 'c.json'), 'utf8');
      const width = /_size": (\d+),/.exec(changed)?.[1] ?? '';
      assert.ok(width !== '770' && Number(width) % 12 === 0, changed);
      assert.equal(changed, badConfig.replace('770,', `${width},`));
    });

    it('shows with --diff what it would do, as a patch that applies', async () => {
      const cwd = make({ 'd/a.yaml': fixableConfig });
      const { status, stdout } = await check({ cwd }, '--diff');
      assert.equal(status, 1);
      assert.equal(readFileSync(join(cwd, 'd/a.yaml'), 'utf8'), fixableConfig);
      assert.match(stdout, /^--- d\/a\.yaml\n\+\+\+ d\/a\.yaml\n@@ -1,5 \+1,5 @@\n/);
      const patched = spawnSync('git', ['apply', '-p0', '--unidiff-zero', '-'], { cwd, input: stdout, encoding: 'utf8' });
      if (patched.error === undefined) {
        assert.equal(patched.status, 0, patched.stderr);
        assert.equal(readFileSync(join(cwd, 'd/a.yaml'), 'utf8'), fixedConfig);
      }
      writeFileSync(join(cwd, 'd/a.yaml'), fixedConfig);
      assert.equal((await check({ cwd }, '--diff')).status, 0);
    });

    it('passes standard input through', async () => {
      const cwd = make({});
      const { status, stdout, stderr } = await check({ cwd, input: fixableConfig }, '-', '--stdin-filename', 'a.yaml', '--fix');
      assert.equal(status, 0);
      assert.equal(stdout, fixedConfig);
      assert.match(stderr, /Fixed 1 finding/);
      const same = await check({ cwd, input: goodConfig }, '-', '--fix', '--quiet');
      assert.equal(same.stdout, goodConfig);
    });
  });

  describe('baseline', () => {
    it('takes out what was there before, wherever its line has moved to', async () => {
      const cwd = make({ 'a.json': badConfig, 'b.json': badConfig });
      const written = await check({ cwd }, '--baseline', 'known.json', '--write-baseline');
      assert.equal(written.status, 0);
      assert.match(written.stdout, /^Wrote 2 findings of 2 files to known\.json\.$/m);
      const run = () => check({ cwd }, '--baseline', 'known.json', 'a.json', 'b.json');
      const clean = await run();
      assert.equal(clean.status, 0);
      assert.match(clean.stdout, /2 findings of the baseline not shown/);
      writeFileSync(join(cwd, 'a.json'), badConfig.replace('{\n', '{\n\n\n  "torch_dtype": "bfloat16",\n').replaceAll('  "', '      "'));
      assert.equal((await run()).status, 0);
      writeFileSync(join(cwd, 'a.json'), badConfig.replace('12,', '13,'));
      assert.equal((await run()).status, 1);
      // From elsewhere the names still fit.
      assert.equal((await check({ cwd: join(cwd, '..') }, '--baseline', join(cwd, 'known.json'), join(cwd, 'b.json'))).status, 0);
    });

    it('must be one', async () => {
      const cwd = make({ 'a.json': badConfig, 'x.json': '{"version": 2}' });
      assert.match((await check({ cwd }, '--baseline', 'none.json')).stderr, /Write it with --write-baseline/);
      const { status, stderr } = await check({ cwd }, '--baseline', 'x.json');
      assert.equal(status, 2);
      assert.match(stderr, /not a baseline of version 1/);
    });
  });

  it('counts with --statistics and writes to --output-file', async () => {
    const cwd = make({ 'a.json': badConfig, 'b.json': badConfig, 'c.yaml': fixableConfig });
    const { stdout } = await check({ cwd }, '--statistics', '--quiet');
    assert.match(stdout, /^2 {2}HW101 {2}\[ \] {2}error {8}heads-do-not-divide-width\n1 {2}HW901 {2}\[\*\] {2}warning/);
    const run = await check({ cwd }, '--format', 'json', '--output-file', 'out.sarif', 'a.json');
    assert.equal(run.stdout, '');
    assert.equal(parse(readFileSync(join(cwd, 'out.sarif'), 'utf8')).findings.length, 1);
  });

  it('stops quietly when its reader has seen enough', async () => {
    const files = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`${i}.json`, badConfig]));
    const cwd = make(files);
    const { stderr } = spawnSync('sh', ['-c', `"${process.execPath}" "${program}" check | head -n 1`], {
      cwd,
      encoding: 'utf8',
      timeout: 20_000,
    });
    assert.equal(stderr, '');
  });
});

interface SarifRegion {
  readonly startLine: number;
  readonly startColumn: number;
  readonly endLine: number;
  readonly endColumn: number;
}

interface Sarif {
  readonly $schema: string;
  readonly version: string;
  readonly runs: readonly {
    readonly tool: {
      readonly driver: {
        readonly name: string;
        readonly semanticVersion: string;
        readonly rules: readonly {
          readonly id: string;
          readonly shortDescription: { readonly text: string };
          readonly fullDescription: { readonly text: string };
          readonly help: { readonly markdown: string };
          readonly helpUri: string;
          readonly defaultConfiguration: { readonly level: string };
        }[];
      };
    };
    readonly columnKind: string;
    readonly originalUriBaseIds: Readonly<Record<string, { readonly uri: string }>>;
    readonly results: readonly {
      readonly ruleId: string;
      readonly ruleIndex: number;
      readonly level: string;
      readonly locations: readonly {
        readonly physicalLocation: {
          readonly artifactLocation: { readonly uri: string; readonly uriBaseId: string };
          readonly region: SarifRegion;
        };
      }[];
      readonly relatedLocations?: readonly { readonly message: { readonly text: string } }[];
      readonly partialFingerprints: Readonly<Record<string, string>>;
      readonly fixes?: readonly {
        readonly description: { readonly text: string };
        readonly artifactChanges: readonly { readonly replacements: readonly { readonly deletedRegion: SarifRegion }[] }[];
      }[];
    }[];
  }[];
}
