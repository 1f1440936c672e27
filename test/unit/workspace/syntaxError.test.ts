import assert from 'node:assert/strict';
import { analyse } from '../../../src/workspace/analyse.ts';
import { defaultSettings } from '../../../src/workspace/settings.ts';

const reported = (text: string, path: string): number => {
  const { parsed, reading, findings } = analyse({ text, path }, defaultSettings);
  assert.ok(reading !== undefined);
  assert.ok(parsed.problems.length > 0, 'the reader says nothing');
  return findings.filter(({ code }) => code === 'HW900').length;
};

describe('syntax errors', () => {
  it('are what a loader refuses', () => {
    assert.ok(
      reported('{"model_type": "llama", "hidden_size": 768 "num_attention_heads": 12, "num_hidden_layers": 12}', 'config.json') > 0,
    );
  });

  it('are not the limits of our readers, which loaders do not share', () => {
    const json = `{"model_type": "llama", "hidden_size": 768, "num_attention_heads": 12, "x": ${'['.repeat(400)}${']'.repeat(400)}}`;
    assert.doesNotThrow(() => JSON.parse(json));
    assert.equal(reported(json, 'config.json'), 0);
    // PyYAML and the YAML library both build the circle.
    const yaml = 'model_type: llama\nhidden_size: 768\nnum_attention_heads: 12\nnum_hidden_layers: 12\nextra: &a {self: *a}\n';
    assert.equal(reported(yaml, 'config.yaml'), 0);
  });
});
