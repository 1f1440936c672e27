import assert from 'node:assert/strict';
import { decodeBytes, formatOf, maximumLength, parseConfig } from '../../../src/syntax/read.ts';
import { plain } from './tree.ts';

describe('choice of the format', () => {
  it('goes by the extension, then by the language', () => {
    assert.equal(formatOf('{}', { path: 'a/1B.yml' }), 'yaml');
    assert.equal(formatOf('a: 1', { path: 'config.json' }), 'json');
    assert.equal(formatOf('', { path: 'train.sbatch' }), 'shell');
    assert.equal(formatOf('x', { path: 'a.gin', languageId: 'plaintext' }), 'gin');
    assert.equal(formatOf('x', { languageId: 'jsonc' }), 'json');
    assert.equal(formatOf('x', { path: 'run', languageId: 'shellscript' }), 'shell');
  });

  it('goes by the content where the name says nothing', () => {
    const path = 'configs/model.txt';
    assert.equal(formatOf('\n{"a": 1}', { path }), 'json');
    assert.equal(formatOf('# c\n{"a": 1, # d\n}', { path }), 'yaml');
    assert.equal(formatOf('model:\n  heads: 3\n  - x', { path }), 'yaml');
    assert.equal(formatOf('[model]\nheads = 3\n', { path }), 'toml');
    assert.equal(formatOf('#!/usr/bin/env bash\nx', { path }), 'shell');
    assert.equal(formatOf('torchrun train.py \\\n  --num-layers 3 \\\n  --x 1', {}), 'shell');
    assert.equal(formatOf("include 'a.gin'\nnetwork.T5Config.emb_dim = 3\nA = @x.y()\n", {}), 'gin');
  });

  it('reads with the reader of that format', () => {
    assert.deepEqual(plain(parseConfig('a: 1', { path: 'a.yaml' }).root), { a: 1 });
    assert.equal(parseConfig('a = 1', { path: 'a.toml' }).format, 'toml');
  });

  it('does not read what is too large', () => {
    const parsed = parseConfig(' '.repeat(maximumLength + 1), { path: 'a.json' });
    assert.equal(parsed.root, undefined);
    assert.match(parsed.problems[0]?.message ?? '', /too large to be a model config \(5\.0 MB; files above 5 MB/);
    assert.match(parseConfig(' '.repeat(1_000_001), { path: 'a.yaml' }).problems[0]?.message ?? '', /files above 1 MB/);
    assert.deepEqual(parseConfig(' '.repeat(1_000_001), { path: 'a.json' }).problems, []);
  });
});

describe('decoding', () => {
  const text = '{"Größe": "é"}';
  const utf16 = (value: string, big: boolean): Uint8Array => {
    const bytes = Buffer.from(value, 'utf16le');
    return big ? bytes.swap16() : bytes;
  };

  it('takes UTF-8 and UTF-16, with a mark or evident', () => {
    assert.deepEqual(decodeBytes(Buffer.from(text)), { text, encoding: 'utf-8', bom: false });
    assert.deepEqual(decodeBytes(Buffer.from(`\uFEFF${text}`)), { text, encoding: 'utf-8', bom: true });
    for (const big of [false, true]) {
      const encoding = big ? 'utf-16be' : 'utf-16le';
      assert.deepEqual(decodeBytes(utf16(`\uFEFF${text}`, big)), { text, encoding, bom: true });
      assert.deepEqual(decodeBytes(utf16(text, big)), { text, encoding, bom: false });
    }
    assert.deepEqual(decodeBytes(new Uint8Array()), { text: '', encoding: 'utf-8', bom: false });
  });

  it('says why bytes are no text', () => {
    const why = (bytes: readonly number[]): string => {
      const decoded = decodeBytes(Uint8Array.from(bytes));
      return 'unreadable' in decoded ? decoded.unreadable : 'readable';
    };
    assert.equal(why([123, 0, 34, 1, 0, 0, 125]), 'Binary data, not text: a zero byte at offset 1.');
    assert.equal(why([0x47, 0x47, 0x55, 0x46, 3, 0, 0, 0]), 'Binary data, not text: a GGUF checkpoint.');
    assert.equal(why([0x50, 0x4b, 3, 4, 0, 0]), 'Binary data, not text: a zip archive or PyTorch checkpoint.');
    assert.equal(why([0x58, 2, 0, 0, 0, 0, 0, 0, 0x7b, 0x22]), 'Binary data, not text: a safetensors checkpoint.');
    assert.equal(why([0x22, 0xe9, 0x22]), 'The file is not valid UTF-8 text.');
    assert.equal(why([0xff, 0xfe, 0x7b]), 'The UTF-16 text ends in the middle of a character.');
    const large = decodeBytes(new Uint8Array(maximumLength + 1));
    assert.ok('unreadable' in large && large.unreadable.includes('too large'));
  });
});
