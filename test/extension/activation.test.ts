import { ok } from 'node:assert/strict';
import * as vscode from 'vscode';

/** Node's process, which the web extension host has not. */
const hostProcess =
  (globalThis as { process?: { cpuUsage?: NodeJS.Process['cpuUsage'] } }).process?.cpuUsage === undefined ? undefined : process;

/** Waits, at most 15 s, until the host has done what it does at its own start. */
async function quietHost(): Promise<void> {
  for (let waited = 0; waited < 15_000; waited += 500) {
    const before = hostProcess?.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const spent = hostProcess?.cpuUsage(before);
    if (spent === undefined || spent.user + spent.system < 25_000) return;
  }
}

describe('activation', () => {
  it('happens without an error, in under 100 ms', async function () {
    this.timeout(40_000);
    const extension = vscode.extensions.getExtension('headwise.headwise');
    ok(extension, 'headwise.headwise is not installed');
    ok(!extension.isActive, 'it was active before anything needed it');
    await quietHost();
    const started = performance.now();
    // Processor time of the whole host, so what VS Code does meanwhile counts too, but not what else the machine is busy with.
    const before = hostProcess?.cpuUsage();
    await extension.activate();
    const spent = hostProcess?.cpuUsage(before);
    const wall = performance.now() - started;
    const cost = spent === undefined ? wall : (spent.user + spent.system) / 1000;
    console.log(`    activated after ${wall.toFixed(1)} ms${spent === undefined ? '' : `, ${cost.toFixed(1)} ms of them processor time`}`);
    ok(extension.isActive);
    ok(cost < 100, `${cost} ms`);
  });

  it('leaves starting the language server for later, and then it answers', async () => {
    const extension = vscode.extensions.getExtension<{ ready: Promise<void> }>('headwise.headwise');
    ok(extension);
    const { ready } = await extension.activate();
    await ready;
    ok(extension.isActive);
  });

  it('registers the commands that the manifest names', async () => {
    const extension = vscode.extensions.getExtension('headwise.headwise');
    const manifest: { contributes?: { commands?: readonly { command: string }[] } } = extension?.packageJSON ?? {};
    const declared = (manifest.contributes?.commands ?? []).map(({ command }) => command);
    for (const command of ['headwise.previewAttention', 'headwise.calculateShapes', 'headwise.showOutput']) {
      ok(declared.includes(command), `${command} is not in package.json`);
    }
    const registered = await vscode.commands.getCommands(true);
    for (const command of declared) ok(registered.includes(command), `${command} is declared but not registered`);
  });
});
