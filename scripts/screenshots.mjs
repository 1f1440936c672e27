// @ts-check
// Takes the README's pictures: runs the browser tests, which photograph what they check, and keeps the chosen pictures.
// `npm run screenshots`, or `node scripts/screenshots.mjs --keep` to take over those of the last run.
import { cp, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { launchChromium } from './lib/browser.mjs';
import { squeezed } from './lib/png.mjs';
import { root, run } from './lib/process.mjs';

const chosen = ['diagnostics', 'quick-fix', 'hover', 'hints', 'code', 'walkthrough', 'preview', 'calculator', 'shapes'];
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

// The walkthrough shows parts of them.
const parts = [
  { name: 'preview', clip: { x: 575, y: 72, width: 520, height: 572 } },
  { name: 'quick-fix', clip: { x: 330, y: 92, width: 540, height: 382 } },
];
const browser = await launchChromium(console.log);
try {
  const page = await browser.newPage();
  for (const { name, clip } of parts)
    for (const theme of ['dark', 'light']) {
      const picture = await readFile(join(root, `artifacts/screenshots/${name}-${theme}.png`), 'base64');
      await page.setViewportSize({ width: 1400, height: 900 });
      await page.setContent(`<body style="margin: 0"><img src="data:image/png;base64,${picture}">`);
      const path = join(root, `media/walkthrough/${name}-${theme}.png`);
      await writeFile(path, squeezed(await page.screenshot({ clip })));
      console.log(`media/walkthrough/${name}-${theme}.png  ${Math.ceil((await stat(path)).size / 1000)} KB`);
    }
} finally {
  await browser.close();
}
