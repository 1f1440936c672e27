import { deepEqual, ok } from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Names in a zip file, from its central directory (APPNOTE.TXT 4.3.12 and 4.3.16). */
function zipNames(zip: Buffer): readonly string[] {
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  ok(end >= 0, 'the package is no zip file');
  const names: string[] = [];
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [name, extra, comment] = [zip.readUInt16LE(at + 28), zip.readUInt16LE(at + 30), zip.readUInt16LE(at + 32)];
    names.push(zip.toString('utf8', at + 46, at + 46 + name));
    at += 46 + name + extra + comment;
  }
  return names;
}

describe('the package', () => {
  const zip = readFileSync(join(process.cwd(), 'headwise.vsix'));
  const names = zipNames(zip);
  const inside = new Set(names);

  it('is under 2 MB', () => {
    ok(zip.length < 2_000_000, `headwise.vsix has ${zip.length} bytes`);
    console.log(`    headwise.vsix: ${(zip.length / 1024).toFixed(0)} KB, ${names.length} files`);
  });

  it('holds everything that runs', () => {
    const needed = [
      'package.json',
      'readme.md',
      'changelog.md',
      'LICENSE.txt',
      'dist/extension/node.js',
      'dist/extension/clientNode.js',
      'dist/extension/browser.js',
      'dist/ThirdPartyNotices.txt',
      'dist/server/main.js',
      'dist/data/layouts.txt',
      'dist/kernel/attention.wasm',
      'dist/python/parse.js',
      'dist/python/tree-sitter-python.wasm',
      'dist/python/web-tree-sitter.wasm',
      'dist/webview/calculator.css',
      'dist/webview/calculator.js',
      'dist/webview/preview.js',
      'dist/webview/shared.js',
      'dist/webview/worker.js',
    ];
    deepEqual(
      needed.filter((name) => !inside.has(`extension/${name}`)),
      [],
    );
  });

  it('passes on the licences of the packages in it', () => {
    const notices = readFileSync(join(process.cwd(), 'dist/ThirdPartyNotices.txt'), 'utf8');
    for (const name of ['@vscode/webview-ui-toolkit', 'jsonc-parser', 'tree-sitter-python', 'uplot', 'vscode-languageclient', 'yaml']) {
      const at = notices.indexOf(`${name} `);
      ok(at >= 0 && notices.slice(at).includes('Permission'), `${name} is missing`);
    }
  });

  it('loads little when the extension activates', () => {
    // The client library, ten times as large, is a bundle of its own that loads once the extension is active.
    const { size } = statSync(join(process.cwd(), 'dist/extension/node.js'));
    ok(size < 64_000, `dist/extension/node.js has ${size} bytes`);
  });

  it('holds every file that the manifest names', () => {
    // `exports` is for npm, whose package is another.
    const { exports: _, ...rest } = JSON.parse(readFileSync(join(process.cwd(), 'package.json'), 'utf8')) as Record<string, unknown>;
    const manifest = JSON.stringify(rest);
    const named = [...manifest.matchAll(/"(?:\.\/)?((?:dist|media|schemas|l10n)\/[^"]+\.\w+)"/g)].map((found) => `extension/${found[1]}`);
    ok(named.length > 0);
    deepEqual(
      named.filter((name) => !inside.has(name)),
      [],
    );
  });

  it('holds no source, test, map or shared file', () => {
    deepEqual(
      names.filter((name) =>
        /\.(ts|map|mjs|vsix)$|\/(src|test|scripts|samples|shared|node_modules|artifacts)\/|\/test-|\.(test|generated)\./.test(name),
      ),
      [],
    );
  });
});
