import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { previewHtml } from '../../webview/html.ts';
import type { Theme } from './workbench.ts';

/** What VS Code sets on a webview's page: colours of its default themes, by the names in use. */
const variables: Readonly<Record<Theme, Readonly<Record<string, string>>>> = {
  light: {
    'editor-background': '#ffffff',
    foreground: '#3b3b3b',
    descriptionForeground: '#3b3b3b',
    'panel-border': '#e5e5e5',
    'sideBar-background': '#f8f8f8',
    focusBorder: '#005fb8',
    'textLink-foreground': '#005fb8',
    'badge-background': '#cccccc',
    'badge-foreground': '#3b3b3b',
    'button-background': '#005fb8',
    'button-foreground': '#ffffff',
    'button-secondaryBackground': '#e5e5e5',
    'button-secondaryForeground': '#3b3b3b',
    'input-background': '#ffffff',
    'input-foreground': '#3b3b3b',
    'input-placeholderForeground': '#767676',
    'dropdown-background': '#ffffff',
    'dropdown-foreground': '#3b3b3b',
    'dropdown-border': '#cecece',
    'settings-textInputBorder': '#cecece',
    'checkbox-background': '#f8f8f8',
    'checkbox-border': '#cecece',
    'checkbox-foreground': '#3b3b3b',
    'editorHoverWidget-background': '#f8f8f8',
    'editorWarning-foreground': '#bf8803',
    'editorError-foreground': '#e51400',
    'list-activeSelectionBackground': '#e8e8e8',
    'list-activeSelectionForeground': '#000000',
    'font-size': '13px',
    'font-family': 'system-ui, "Ubuntu", "Droid Sans", sans-serif',
  },
  dark: {
    'editor-background': '#1f1f1f',
    foreground: '#cccccc',
    descriptionForeground: '#9d9d9d',
    'panel-border': '#2b2b2b',
    'sideBar-background': '#181818',
    focusBorder: '#0078d4',
    'textLink-foreground': '#4daafc',
    'badge-background': '#616161',
    'badge-foreground': '#f8f8f8',
    'button-background': '#0078d4',
    'button-foreground': '#ffffff',
    'button-secondaryBackground': '#313131',
    'button-secondaryForeground': '#cccccc',
    'input-background': '#313131',
    'input-foreground': '#cccccc',
    'input-placeholderForeground': '#989898',
    'dropdown-background': '#313131',
    'dropdown-foreground': '#cccccc',
    'dropdown-border': '#3c3c3c',
    'settings-textInputBorder': '#3c3c3c',
    'checkbox-background': '#313131',
    'checkbox-border': '#3c3c3c',
    'checkbox-foreground': '#cccccc',
    'editorHoverWidget-background': '#202020',
    'editorWarning-foreground': '#cca700',
    'editorError-foreground': '#f14c4c',
    'list-activeSelectionBackground': '#04395e',
    'list-activeSelectionForeground': '#ffffff',
    'font-size': '13px',
    'font-family': 'system-ui, "Ubuntu", "Droid Sans", sans-serif',
  },
};

/** Puts a theme on a page as VS Code does: variables on the root, a class on the body. Runs in the page. */
export function themeScript(theme: Theme): string {
  return `(() => {
    for (const [name, value] of Object.entries(${JSON.stringify(variables[theme])})) document.documentElement.style.setProperty('--vscode-' + name, value);
    document.body.classList.remove('vscode-light', 'vscode-dark');
    document.body.classList.add('vscode-${theme}');
  })()`;
}

const types: Readonly<Record<string, string>> = { js: 'text/javascript', css: 'text/css', wasm: 'application/wasm' };

/** Serves the built preview on a loopback port, with the page's own security policy. */
export interface PreviewServer {
  /** Address of the page. */
  readonly url: string;
  /** Addresses that were asked for and are not there. */
  readonly missing: readonly string[];
  close(): Promise<void>;
}

/** @param without names of built files to withhold, as if they could not be loaded */
export async function startPreviewServer(root: string, without: readonly string[] = []): Promise<PreviewServer> {
  const missing: string[] = [];
  const server: Server = createServer((request, response) => {
    const path = request.url ?? '/';
    if (path === '/favicon.ico') {
      response.writeHead(204).end();
      return;
    }
    if (path === '/') {
      const { port } = server.address() as AddressInfo;
      const origin = `http://127.0.0.1:${port}`;
      const html = previewHtml({
        nonce: 'VGhlIHRlc3QgcGFnZSBuZWVkcyBubyBzZWNyZXQ',
        cspSource: origin,
        scriptUri: `${origin}/dist/webview/preview.js`,
        styleUri: `${origin}/dist/webview/preview.css`,
        workerUri: `${origin}/dist/webview/worker.js`,
        wasmUri: `${origin}/dist/kernel/attention.wasm`,
        relaxedWasmUri: `${origin}/dist/kernel/attention-relaxed.wasm`,
        debug: true,
      });
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html);
      return;
    }
    const file = join(root, path);
    if (!/^\/dist\/(webview|kernel)\/[\w.-]+$/.test(path) || !existsSync(file) || without.some((name) => path.endsWith(name))) {
      missing.push(path);
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': types[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream' }).end(readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    missing,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
