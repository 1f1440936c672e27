import { deepEqual, equal, ok } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = process.cwd();
const read = (name: string): string => readFileSync(join(root, name), 'utf8');
const manifest = JSON.parse(read('package.json'));
const texts: Readonly<Record<string, string>> = JSON.parse(read('package.nls.json'));

describe('manifest', () => {
  it('has a text for every placeholder, and no text too many', () => {
    const used = new Set([...read('package.json').matchAll(/"%([^%"]+)%"/g)].map((match) => match[1] ?? ''));
    deepEqual([...used].sort(), Object.keys(texts).sort());
  });

  it('points at files that are there', () => {
    const paths = [
      manifest.icon,
      ...manifest.contributes.walkthroughs.flatMap(
        (walkthrough: { steps: { media: { markdown?: string; image?: Record<string, string> } }[] }) =>
          walkthrough.steps.flatMap(({ media }) => media.markdown ?? Object.values(media.image ?? {})),
      ),
      ...manifest.contributes.languages.flatMap(({ configuration }: { configuration?: string }) => configuration ?? []),
      ...manifest.contributes.jsonValidation.map(({ url }: { url: string }) => url),
    ];
    for (const path of paths) ok(existsSync(join(root, path)), path);
  });

  it('reads settings by the names that it declares', () => {
    const declared = Object.keys(manifest.contributes.configuration.properties ?? {});
    for (const name of [
      'rules',
      'families',
      'configs',
      'perFileIgnores',
      'exclude',
      'parallel.tensor',
      'inlayHints.enabled',
      'codeLens.enabled',
    ])
      ok(declared.includes(`headwise.${name}`), name);
  });

  it('works in untrusted and virtual workspaces', () => {
    equal(manifest.capabilities.untrustedWorkspaces.supported, true);
    equal(manifest.capabilities.virtualWorkspaces, true);
  });

  it('has every sentence in the l10n bundle', () => {
    execFileSync(process.execPath, [join(root, 'scripts/generate-l10n.mjs'), '--check'], { stdio: 'pipe' });
  });
});
