/** What every page is made of. Every URI is one the webview may load (`webview.asWebviewUri`). */
export interface Page {
  /** From a CSPRNG, new for each page. */
  readonly nonce: string;
  /** `webview.cspSource` */
  readonly cspSource: string;
  /** dist/webview/<page>.js */
  readonly scriptUri: string;
  /** dist/webview/<page>.css */
  readonly styleUri: string;
  /** Language of the page's text. Default en. */
  readonly language?: string;
  /** Translations of the page's texts by English text. */
  readonly translations?: Readonly<Record<string, string>>;
  /** Makes the page tell its state to tests as a property of `window`. */
  readonly debug?: boolean;
}

export interface PreviewPage extends Page {
  /** dist/webview/worker.js; fetched by the page and started from a blob. */
  readonly workerUri: string;
  /** dist/kernel/attention.wasm */
  readonly wasmUri: string;
  /** dist/kernel/attention-relaxed.wasm; the page takes it where the engine can run it. */
  readonly relaxedWasmUri?: string;
  /** media/sample-model.safetensors */
  readonly modelUri?: string;
}

function attribute(value: string): string {
  return value.replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

/**
 * The page of the attention preview. Nothing in it comes from a workspace file; designs arrive as messages (protocol.ts).
 *
 * Its policy forbids everything but: scripts with this page's nonce or from the extension, WebAssembly, workers made from blobs,
 * fetching and styling from the extension. The panel must set `enableScripts: true` and `localResourceRoots` that cover
 * dist/webview and dist/kernel.
 */
export function previewHtml(page: PreviewPage): string {
  const { cspSource } = page;
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${page.nonce}' ${cspSource} 'wasm-unsafe-eval'`,
    `connect-src ${cspSource}`,
    'worker-src blob:',
    `style-src ${cspSource} 'unsafe-inline'`,
    `font-src ${cspSource}`,
    `img-src ${cspSource} data:`,
  ].join('; ');
  return html(page, { id: 'preview', title: 'Attention preview', policy }, [
    `data-worker="${attribute(page.workerUri)}"`,
    `data-wasm="${attribute(page.wasmUri)}"`,
    ...(page.relaxedWasmUri === undefined ? [] : [`data-relaxed-wasm="${attribute(page.relaxedWasmUri)}"`]),
    ...(page.modelUri === undefined ? [] : [`data-model="${attribute(page.modelUri)}"`]),
  ]);
}

/**
 * The page of the shape calculator. Nothing in it comes from a workspace file; results arrive as messages (calculator/messages.ts).
 * Its policy forbids everything but scripts with this page's nonce or from the extension, and the extension's styles. `localResourceRoots` must cover dist/webview.
 */
export function calculatorHtml(page: Page): string {
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${page.nonce}' ${page.cspSource}`,
    // The toolkit and the charts set styles of elements.
    `style-src ${page.cspSource} 'unsafe-inline'`,
    `font-src ${page.cspSource}`,
  ].join('; ');
  return html(page, { id: 'calculator', title: 'Shapes', policy });
}

function html(
  page: Page,
  { id, title, policy }: { readonly id: string; readonly title: string; readonly policy: string },
  own: readonly string[] = [],
): string {
  const data = [
    ...own,
    ...(page.translations === undefined ? [] : [`data-translations="${attribute(JSON.stringify(page.translations))}"`]),
    ...(page.debug === true ? ['data-debug="true"'] : []),
  ].join(' ');
  return `<!DOCTYPE html>
<html lang="${attribute(page.language ?? 'en')}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${attribute(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${attribute(page.styleUri)}">
<title>${title}</title>
</head>
<body>
<div id="${id}" ${data}></div>
<script type="module" nonce="${attribute(page.nonce)}" src="${attribute(page.scriptUri)}"></script>
</body>
</html>
`;
}
