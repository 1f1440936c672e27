import assert from 'node:assert/strict';
import { matchesGlob, noIgnores } from '../../../src/workspace/ignore.ts';

describe('.gitignore files', () => {
  it('hold below their directory, the deepest that says something deciding', () => {
    const chain = noIgnores
      .with('', '*.json\nbuild/\n/top.yaml\n')
      .with('models', '!keep.json\nlocal.yaml\n')
      .with('models/deep', 'keep.json\n');
    const ignored = (path: string, directory = false): boolean => chain.ignores(path, directory);
    assert.equal(ignored('a.json'), true);
    assert.equal(ignored('x/a.json'), true);
    assert.equal(ignored('a.yaml'), false);
    assert.equal(ignored('top.yaml'), true);
    assert.equal(ignored('x/top.yaml'), false);
    assert.equal(ignored('build', true), true);
    assert.equal(ignored('build', false), false);
    assert.equal(ignored('models/keep.json'), false);
    assert.equal(ignored('models/x/keep.json'), false);
    assert.equal(ignored('models/other.json'), true);
    assert.equal(ignored('models/local.yaml'), true);
    assert.equal(ignored('local.yaml'), false);
    assert.equal(ignored('models/deep/keep.json'), true);
    assert.equal(noIgnores.ignores('anything', false), false);
  });
});

describe('globs of settings', () => {
  it('match at any depth without a slash and from the root with one', () => {
    const cases: readonly (readonly [string, string, boolean])[] = [
      ['*.json', 'a.json', true],
      ['*.json', 'x/y/a.json', true],
      ['*.json', 'a.yaml', false],
      ['models/*.json', 'models/a.json', true],
      ['models/*.json', 'x/models/a.json', false],
      ['models', 'models/deep/a.json', true],
      ['models/', 'x/models/a.json', true],
      ['/models', 'x/models/a.json', false],
      ['./models', 'models/a.json', true],
      ['**/old/**', 'a/old/b/c.yaml', true],
      ['{a,b}/*.yaml', 'b/x.yaml', true],
      ['.hidden', '.hidden/a.json', true],
      ['**', 'a/.b/c.json', true],
      ['[', 'a.json', false],
      ['', 'a.json', false],
    ];
    for (const [glob, path, expected] of cases) assert.equal(matchesGlob(glob, path), expected, `${glob} on ${path}`);
  });
});
