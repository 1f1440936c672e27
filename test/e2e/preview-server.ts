import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { previewHtml } from '../../webview/html.ts';

/** Kinds of themes that VS Code has, as the class that it puts on a page's body. */
export const pageThemes = ['vscode-light', 'vscode-dark', 'vscode-high-contrast', 'vscode-high-contrast-light'] as const;
export type PageTheme = (typeof pageThemes)[number];

/** What VS Code sets on a webview's page: colours of its default themes, by the names in use. */
const variables: Readonly<Record<PageTheme, Readonly<Record<string, string>>>> = {
  'vscode-light': {
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
  'vscode-dark': {
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
  'vscode-high-contrast': {
    'editor-background': '#000000',
    foreground: '#ffffff',
    descriptionForeground: '#ffffffb3',
    contrastBorder: '#6fc3df',
    contrastActiveBorder: '#f38518',
    'panel-border': '#6fc3df',
    'widget-border': '#6fc3df',
    'sideBar-background': '#000000',
    focusBorder: '#f38518',
    'textLink-foreground': '#21a6ff',
    'badge-background': '#000000',
    'badge-foreground': '#ffffff',
    'button-background': '#000000',
    'button-foreground': '#ffffff',
    'button-border': '#6fc3df',
    'button-secondaryForeground': '#ffffff',
    'input-background': '#000000',
    'input-foreground': '#ffffff',
    'input-border': '#6fc3df',
    'input-placeholderForeground': '#ffffffb3',
    'dropdown-background': '#000000',
    'dropdown-foreground': '#ffffff',
    'dropdown-border': '#6fc3df',
    'checkbox-background': '#000000',
    'checkbox-border': '#6fc3df',
    'checkbox-foreground': '#ffffff',
    'editorHoverWidget-background': '#000000',
    'editorHoverWidget-border': '#6fc3df',
    'editorWarning-foreground': '#ffd370',
    'editorError-foreground': '#f48771',
    'font-size': '13px',
    'font-family': 'system-ui, "Ubuntu", "Droid Sans", sans-serif',
  },
  'vscode-high-contrast-light': {
    'editor-background': '#ffffff',
    foreground: '#292929',
    descriptionForeground: '#292929b3',
    contrastBorder: '#0f4a85',
    contrastActiveBorder: '#006bbd',
    'panel-border': '#0f4a85',
    'widget-border': '#0f4a85',
    'sideBar-background': '#ffffff',
    focusBorder: '#006bbd',
    'textLink-foreground': '#0f4a85',
    'badge-background': '#0f4a85',
    'badge-foreground': '#ffffff',
    'button-background': '#0f4a85',
    'button-foreground': '#ffffff',
    'button-secondaryBackground': '#ffffff',
    'button-secondaryForeground': '#0f4a85',
    'input-background': '#ffffff',
    'input-foreground': '#292929',
    'input-border': '#0f4a85',
    'input-placeholderForeground': '#292929b3',
    'dropdown-background': '#ffffff',
    'dropdown-foreground': '#292929',
    'dropdown-border': '#0f4a85',
    'checkbox-background': '#ffffff',
    'checkbox-border': '#0f4a85',
    'checkbox-foreground': '#292929',
    'editorHoverWidget-background': '#ffffff',
    'editorHoverWidget-border': '#0f4a85',
    'editorWarning-foreground': '#895503',
    'editorError-foreground': '#b5200d',
    'font-size': '13px',
    'font-family': 'system-ui, "Ubuntu", "Droid Sans", sans-serif',
  },
};

/** Puts a theme on a page as VS Code does: variables on the root, a class on the body. Runs in the page. */
export function themeScript(theme: PageTheme): string {
  return `(() => {
    document.documentElement.style.cssText = '';
    for (const [name, value] of Object.entries(${JSON.stringify(variables[theme])})) document.documentElement.style.setProperty('--vscode-' + name, value);
    document.body.classList.remove(...${JSON.stringify(pageThemes)});
    document.body.classList.add('${theme}');
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

export interface PreviewServerOptions {
  /** Names of built files to withhold, as if they could not be loaded. */
  readonly without?: readonly string[];
  readonly translations?: Readonly<Record<string, string>>;
}

export async function startPreviewServer(root: string, options: PreviewServerOptions = {}): Promise<PreviewServer> {
  const { without = [] } = options;
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
        modelUri: `${origin}/media/sample-model.safetensors`,
        ...(options.translations === undefined ? {} : { translations: options.translations }),
        debug: true,
      });
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html);
      return;
    }
    const file = join(root, path);
    if (!/^\/(dist\/(webview|kernel)|media)\/[\w.-]+$/.test(path) || !existsSync(file) || without.some((name) => path.endsWith(name))) {
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
