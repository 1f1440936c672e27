#!/usr/bin/env node
// Stands where @vscode/test-electron expects the desktop's executable: takes its arguments, runs the tests in the VS Code server
// from npm with a headless Chromium as the window, and exits as the desktop would.
import { launchChromium } from '../../scripts/lib/browser.mjs';
import { runTestsInPage } from '../../scripts/lib/extension-host.mjs';
import { startVsCodeServer } from '../../scripts/lib/vscode-server.mjs';

const args = process.argv.slice(2);
const option = (name) => args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
const folder = args.find((arg) => !arg.startsWith('--'));
const development = option('extensionDevelopmentPath');
const tests = option('extensionTestsPath');
if (folder === undefined || development === undefined || tests === undefined) {
  console.error('Expected a folder, --extensionDevelopmentPath and --extensionTestsPath.');
  process.exit(2);
}

let code = 1;
const server = await startVsCodeServer({ log: console.log, driver: true });
try {
  const browser = await launchChromium(console.log);
  try {
    const remote = (path) => `vscode-remote://127.0.0.1:${server.port}${path}`;
    const payload = JSON.stringify([
      ['extensionDevelopmentPath', remote(development)],
      ['extensionTestsPath', remote(tests)],
    ]);
    const url = `${server.origin}/?folder=${encodeURIComponent(folder)}&payload=${encodeURIComponent(payload)}`;
    code = await runTestsInPage(browser, url, { timeout: 120_000, detail: () => server.output().slice(-2000) });
  } finally {
    await browser.close();
  }
} catch (error) {
  console.error(error);
} finally {
  await server.stop();
}
process.exit(code);
