import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '../../src/text/finding.ts';
import { analyse } from '../../src/workspace/analyse.ts';
import { defaultSettings } from '../../src/workspace/settings.ts';
import { findCorpus, readJson } from './corpus.ts';

interface BrokenCase {
  readonly id: string;
  readonly category: string;
  readonly expect: string;
  readonly config: unknown;
  readonly error: string;
}

const atLeast = (findings: readonly Finding[], ...severities: string[]): Finding[] =>
  findings.filter(({ severity }) => severities.includes(severity));
const parallelism = /^HW6/;
const kernels = /^HW5/;

/** What each kind of reported case must give from the config alone. */
const expectations: Readonly<Record<string, (findings: readonly Finding[]) => boolean>> = {
  invalid: (findings) => atLeast(findings, 'error').length > 0,
  invalid_for_parallelism: (findings) => atLeast(findings, 'error', 'warning').some(({ code }) => parallelism.test(code)),
  silent_wrong: (findings) => atLeast(findings, 'error', 'warning').length > 0,
  kernel_unsupported: (findings) => findings.some(({ code }) => kernels.test(code)) && atLeast(findings, 'error').length === 0,
  unparsable: (findings) => atLeast(findings, 'error').some(({ code }) => code === 'HW900'),
  // Nothing is wrong with these configs by themselves: the mistake is in the tool that refused them, in arithmetic done
  // elsewhere, or in the checkpoint beside them (test/corpus/checkpoints.test.ts).
  valid_but_rejected: (findings) => atLeast(findings, 'error', 'warning').length === 0,
  wrong_calculation: (findings) => atLeast(findings, 'error', 'warning').length === 0,
  checkpoint_mismatch: (findings) => atLeast(findings, 'error', 'warning').length === 0,
};

/** Fragments in which nothing is wrong as they stand. */
const nothingWrong: Readonly<Record<string, string>> = {
  'b042-tp-kv-heads-pytorch-torchtitan-issues-2574': '2 KV heads over a maximum of 2 ranks: the thread gives the largest size that works',
};

const corpus = findCorpus();
if (corpus !== undefined) {
  describe('reported broken configs', () => {
    const folder = join(corpus, 'broken');
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
      const broken = readJson(join(folder, name)) as BrokenCase;
      it(`${broken.expect}: ${broken.id}`, () => {
        const raw = typeof broken.config === 'string' ? /broken\/(raw\/\S+)/.exec(broken.config)?.[1] : undefined;
        const text = raw !== undefined ? readFileSync(join(folder, raw), 'utf8') : JSON.stringify(broken.config, null, 2);
        const { findings } = analyse({ text, path: 'config.json' }, defaultSettings);
        const expectation = nothingWrong[broken.id] === undefined ? expectations[broken.expect] : expectations.valid_but_rejected;
        assert.ok(expectation !== undefined, `no expectation for ${broken.expect}`);
        const said = findings.map(({ code, severity, message }) => `${code} ${severity}: ${message}`).join('\n') || 'nothing';
        assert.ok(expectation(findings), `reported: ${broken.error}\nsaid: ${said}\n${text}`);
      });
    }
  });
}
