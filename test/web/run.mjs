// Runs the bundled tests in the web extension host of VS Code for the web, at the lowest version Headwise supports.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { launchChromium } from '../../scripts/lib/browser.mjs';
import { ensureVsCodeWeb } from '../../scripts/lib/cache.mjs';
import { runTestsInPage } from '../../scripts/lib/extension-host.mjs';
import { freePort, root } from '../../scripts/lib/process.mjs';

const web = await ensureVsCodeWeb(console.log);
const { open } = createRequire(import.meta.url)(web.module);
const port = await freePort();
const server = await open({
  browserType: 'none',
  quality: 'stable',
  commit: web.commit,
  testRunnerDataDir: web.dataDir,
  host: 'localhost',
  port,
  extensionDevelopmentPath: root,
  extensionTestsPath: join(root, 'dist/test-web/index.js'),
  folderPath: join(root, 'samples'),
});
let code = 1;
try {
  const browser = await launchChromium(console.log);
  try {
    // A webview's service worker is refused on plain `localhost`, which the test server also answers as `code.localhost`.
    code = await runTestsInPage(browser, `http://code.localhost:${port}`, { timeout: 120_000 });
  } finally {
    await browser.close();
  }
} catch (error) {
  console.error(error);
} finally {
  server.dispose();
}
process.exit(code);
