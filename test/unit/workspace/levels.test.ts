import assert from 'node:assert/strict';
import { nearest } from '../../../src/text/nearest.ts';
import { analyse } from '../../../src/workspace/analyse.ts';
import { levelOf } from '../../../src/workspace/levels.ts';
import { defaultSettings, type Settings } from '../../../src/workspace/settings.ts';

const rule = { code: 'HW101', name: 'heads-do-not-divide-width', category: 'heads' } as const;
const bad = '{"model_type": "llama", "hidden_size": 770, "num_attention_heads": 12, "num_hidden_layers": 12}';

const severities = (settings: Partial<Settings>, path = 'models/a/config.json'): string[] =>
  analyse({ text: bad, path }, { ...defaultSettings, ...settings })
    .findings.filter(({ code }) => code === 'HW101')
    .map(({ code, severity }) => `${code} ${severity}`);

describe('levels of rules', () => {
  it('come from the most specific entry, in any order', () => {
    assert.equal(levelOf(rule, {}), undefined);
    assert.equal(levelOf(rule, { '*': 'off' }), 'off');
    assert.equal(levelOf(rule, { HW101: 'hint', HW1: 'off', heads: 'warning', '*': 'error' }), 'hint');
    assert.equal(levelOf(rule, { '*': 'error', heads: 'warning', HW1: 'off' }), 'off');
    assert.equal(levelOf(rule, { HW10: 'hint', HW1: 'off' }), 'hint');
    assert.equal(levelOf(rule, { heads: 'warning', '*': 'error' }), 'warning');
    assert.equal(levelOf(rule, { 'heads-do-not-divide-width': 'information', heads: 'off' }), 'information');
    assert.equal(levelOf(rule, { HW102: 'off', HW2: 'off', norm: 'off', H: 'off', '': 'off' }), undefined);
  });

  it('change and remove findings', () => {
    assert.deepEqual(severities({}), ['HW101 error']);
    assert.deepEqual(severities({ rules: { HW101: 'warning' } }), ['HW101 warning']);
    assert.deepEqual(severities({ rules: { heads: 'off' } }), []);
    assert.deepEqual(severities({ rules: { heads: 'off', HW101: 'hint' } }), ['HW101 hint']);
  });

  it('stop at per-file ignores and excluded files', () => {
    assert.deepEqual(severities({ perFileIgnores: { 'models/**': ['HW1'] } }), []);
    assert.deepEqual(severities({ perFileIgnores: { 'config.json': ['*'] } }), []);
    assert.deepEqual(severities({ perFileIgnores: { 'other/**': ['HW1'], 'models/a': ['norm'] } }), ['HW101 error']);
    assert.deepEqual(severities({ exclude: ['models/a'] }), []);
    assert.deepEqual(severities({ exclude: ['a/'] }), []);
    assert.deepEqual(severities({ exclude: ['/a'] }), ['HW101 error']);
    assert.deepEqual(severities({ exclude: ['**/[', 'models/b'] }), ['HW101 error']);
  });
});

describe('nearest names', () => {
  it('are few edits away, a swap of neighbours being one', () => {
    assert.deepEqual(nearest('hedas', ['heads', 'head', 'layers']), ['heads']);
    assert.deepEqual(nearest('HW1O1', ['HW101', 'HW901', 'HW111']), ['HW101', 'HW111']);
    assert.deepEqual(nearest('xyz', ['heads', 'layers']), []);
    assert.deepEqual(nearest('', ['heads']), []);
  });
});
