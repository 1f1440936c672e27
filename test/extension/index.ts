// Imported before the suites, so that `describe` and `it` stand when they load.
import Mocha from 'mocha';
import { runToEnd } from './host.ts';

const mocha = new Mocha({ ui: 'bdd', timeout: 20_000, forbidOnly: true, forbidPending: true, reporter: Mocha.reporters.Base });
mocha.suite.emit('pre-require', globalThis, 'host', mocha);

/** VS Code's entry to extension tests. */
export function run(): Promise<void> {
  return runToEnd((done) => mocha.run(done));
}
