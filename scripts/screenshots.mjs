// @ts-check
// Takes the README's pictures: runs the browser tests, which photograph what they check, and keeps the chosen pictures.
// `npm run screenshots`, or `node scripts/screenshots.mjs --keep` to take over those of the last run.
import { cp, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { root, run } from './lib/process.mjs';

const chosen = ['diagnostics', 'quick-fix', 'hover', 'hints', 'walkthrough', 'preview', 'calculator'];
const largest = 150_000;

if (!process.argv.includes('--keep')) {
  const { code } = await run(process.execPath, [join(root, 'scripts/test.mjs'), 'e2e'], {
    timeout: 600_000,
    onText: (text) => process.stdout.write(text),
  });
  if (code !== 0) process.exit(code);
}

const target = join(root, 'media/screenshots');
await mkdir(target, { recursive: true });
for (const name of chosen.flatMap((name) => [`${name}-dark.png`, `${name}-light.png`])) {
  const source = join(root, 'artifacts/screenshots', name);
  const { size } = await stat(source);
  await cp(source, join(target, name));
  console.log(`media/screenshots/${name}  ${Math.ceil(size / 1000)} KB`);
  if (size > largest) {
    console.error(`  That is over ${largest / 1000} KB: make the window smaller.`);
    process.exitCode = 1;
  }
}
