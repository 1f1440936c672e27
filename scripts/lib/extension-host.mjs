// @ts-check
// Runs a bundle of tests inside an extension host that lives in a browser page.
import { waitFor } from './process.mjs';

/**
 * Opens `url`, whose workbench was told which tests to run, and prints what they print.
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 * @param {{ timeout: number, detail?: () => string }} options timeout in ms
 * @returns {Promise<number>} the exit code that VS Code gives the run
 */
export async function runTestsInPage(browser, url, { timeout, detail }) {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  /** @type {number | undefined} */
  let exitCode;
  let counted = false;
  // VS Code logs much of its own here; it matters only where the run fails.
  /** @type {string[]} */
  const rest = [];
  page.on('pageerror', (error) => rest.push(`[page error] ${error.message}`));
  await page.exposeFunction('codeAutomationLog', (/** @type {string} */ _type, /** @type {unknown[]} */ args) => {
    const text = args.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join(' ');
    counted ||= text.startsWith('HEADWISE-RESULT');
    if (/^( {2}passed | {2}FAILED | {4}\S|HEADWISE-RESULT )/.test(text)) console.log(text);
    else rest.push(text.slice(0, 400));
  });
  await page.exposeFunction('codeAutomationExit', (/** @type {number} */ code) => {
    exitCode = code;
  });
  await page.goto(url, { timeout: 30_000, waitUntil: 'domcontentloaded' });
  const said = () => [detail?.() ?? '', ...rest.slice(-20)].filter(Boolean).join('\n');
  const code = await waitFor('the extension host to finish its tests', () => exitCode, { timeout, every: 100, detail: said });
  if (code !== 0 && !counted) console.error(said());
  return code;
}
