// Imported before the suites, so that `describe` and `it` stand when they load.
// Mocha's browser build defines `mocha` on the global scope of the extension host's worker.
import 'mocha/mocha.js';
import { runToEnd } from '../extension/host.ts';

mocha.setup({ ui: 'bdd', timeout: 20_000, forbidOnly: true, forbidPending: true, reporter: Mocha.reporters.Base });

/** VS Code's entry to extension tests. */
export function run(): Promise<void> {
  return runToEnd((done) => mocha.run(done));
}
