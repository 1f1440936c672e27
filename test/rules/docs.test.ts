import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CheckpointShapes } from '../../src/checkpoint/safetensors.ts';
import { rules } from '../../src/rules/registry.ts';
import type { Rule, RuleExample } from '../../src/rules/rule.ts';
import { applyEdits } from '../../src/text/edit.ts';
import type { Finding } from '../../src/text/finding.ts';
import { type Analysis, analyse } from '../../src/workspace/analyse.ts';
import { type PythonReader, pythonReader } from '../../src/workspace/python.ts';
import { defaultSettings } from '../../src/workspace/settings.ts';
import { pythonParser } from '../unit/python/parser.ts';

const fileNames: Readonly<Record<RuleExample['language'], string>> = {
  json: 'config.json',
  yaml: 'config.yaml',
  toml: 'config.toml',
  shell: 'train.sh',
  gin: 'config.gin',
  python: 'model.py',
};

const checkpointOf = ({ tensors }: RuleExample): CheckpointShapes | undefined =>
  tensors === undefined
    ? undefined
    : {
        file: 'model.safetensors',
        complete: true,
        tensors: new Map(Object.entries(tensors).map(([name, shape]) => [name, { dtype: 'BF16', shape }])),
      };

let python: PythonReader;
before(async () => {
  python = pythonReader(await pythonParser());
});

const run = (example: RuleExample, code = example.code): Analysis =>
  analyse({ text: code, path: fileNames[example.language], python, checkpoint: () => checkpointOf(example) }, defaultSettings);

const codesOf = (findings: readonly Finding[]): string =>
  findings.map(({ code, severity, message }) => `${code} ${severity}: ${message}`).join('\n');

/** A placeholder that nothing filled. */
const unfilled = /\{\w+\}/;

const texts = (finding: Finding): readonly string[] => [
  finding.message,
  ...finding.related.map(({ message }) => message),
  ...finding.fixes.map(({ title }) => title),
];

describe('rules', () => {
  it('have unique, well-formed codes and names, in order', () => {
    const codes = rules.map(({ code }) => code as string);
    assert.deepEqual(codes, [...new Set(codes)].sort());
    assert.equal(new Set(rules.map(({ name }) => name)).size, rules.length);
    for (const rule of rules) {
      assert.match(rule.code, /^HW[1-9]\d{2}$/);
      assert.match(rule.name, /^[a-z][a-z0-9]*(-[a-z0-9]+)+$/);
      assert.match(rule.since, /^\d+\.\d+\.\d+$/);
      assert.match(rule.docs.what, /^[A-Z`].*\.$/, rule.code);
      assert.ok(rule.docs.bad.length > 0 && rule.docs.good.length > 0, rule.code);
      for (const reference of rule.docs.references) assert.match(reference, /^https:\/\/\S+$|\s/, rule.code);
    }
  });

  it('share the first digit of their code within a category', () => {
    const digits = new Map<string, Set<string>>();
    for (const { code, category } of rules) digits.set(category, (digits.get(category) ?? new Set()).add(code.slice(0, 3)));
    const all = [...digits.values()].flatMap((set) => [...set]);
    assert.equal(new Set(all).size, all.length, 'two categories share a prefix');
  });

  for (const rule of rules) describe(`${rule.code} ${rule.name}`, () => documented(rule));

  const script = join(process.cwd(), 'scripts/generate-docs.mjs');
  if (existsSync(script)) {
    it('are what the generated pages, schema and settings say', function () {
      this.timeout(30_000);
      const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8', timeout: 25_000 });
      assert.equal(status, 0, stderr);
    });
  }
});

function documented(rule: Rule): void {
  rule.docs.bad.forEach((example, index) => {
    it(`reports bad example ${index + 1}`, () => {
      const { findings } = run(example);
      const own = findings.filter(({ code }) => code === rule.code);
      assert.ok(own.length > 0, `not reported:\n${example.code}\n${codesOf(findings)}`);
      for (const finding of findings) {
        for (const text of texts(finding)) assert.doesNotMatch(text, unfilled);
        assert.ok(finding.range.start >= 0 && finding.range.start <= finding.range.end && finding.range.end <= example.code.length);
      }
    });

    it(`mends bad example ${index + 1} with each of its fixes`, () => {
      const before = run(example).findings;
      for (const finding of before.filter(({ code }) => code === rule.code)) {
        for (const fix of finding.fixes) {
          if (fix.edits.length === 0) continue;
          const text = applyEdits(example.code, fix.edits);
          const after = run(example, text);
          assert.ok((after.reading ?? after.code) !== undefined, `${fix.title}: no longer a configuration:\n${text}`);
          assert.ok(after.parsed.problems.length <= run(example).parsed.problems.length, `${fix.title}: a new syntax error:\n${text}`);
          const count = (findings: readonly Finding[]): number => findings.filter(({ code }) => code === rule.code).length;
          assert.ok(count(after.findings) < count(before), `${fix.title}: still reported:\n${text}\n${codesOf(after.findings)}`);
          if (!fix.safe) continue;
          const known = new Set(before.map(({ code }) => code));
          const added = after.findings.filter(({ code }) => !known.has(code));
          assert.equal(codesOf(added), '', `${fix.title}: a safe fix adds findings:\n${text}`);
          assert.ok(after.findings.length < before.length, `${fix.title}: a safe fix adds findings:\n${text}\n${codesOf(after.findings)}`);
        }
      }
    });
  });

  rule.docs.good.forEach((example, index) => {
    it(`leaves good example ${index + 1} alone`, () => {
      const { findings, reading, code } = run(example);
      assert.ok((reading ?? code) !== undefined, `not read as a model configuration:\n${example.code}`);
      const severe = findings.filter(
        (finding) => finding.severity === 'error' || finding.severity === 'warning' || finding.code === rule.code,
      );
      assert.equal(codesOf(severe), '', example.code);
    });
  });
}
