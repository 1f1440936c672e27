'use strict';
// Quiet while tests pass, complete where they fail, and counts for the runner that started it (HEADWISE_REPORT names a file).
const { writeFileSync } = require('node:fs');
const Mocha = require('mocha');

module.exports = class extends Mocha.reporters.Base {
  constructor(runner, options) {
    super(runner, options);
    const slow = [];
    let group = '';
    let groupPasses = 0;
    const flush = () => {
      if (groupPasses > 0) console.log(`  ${group}: ${groupPasses} passed`);
      groupPasses = 0;
    };
    const topOf = (test) => {
      const path = test.titlePath();
      return path.length > 1 ? path[0] : 'tests';
    };
    runner.on('pass', (test) => {
      const top = topOf(test);
      if (top !== group) flush();
      group = top;
      groupPasses++;
      if (test.duration > 1000) slow.push(test);
    });
    runner.on('retry', (test, error) => {
      flush();
      console.log(`  once more: ${test.titlePath().join(' > ')} (${String(error?.message ?? error).split('\n')[0]})`);
    });
    runner.on('fail', (test) => {
      flush();
      console.log(`  FAILED ${test.titlePath().join(' > ')}`);
    });
    runner.once('end', () => {
      flush();
      for (const test of slow.sort((a, b) => b.duration - a.duration).slice(0, 3)) {
        console.log(`  slow: ${test.titlePath().join(' > ')} (${(test.duration / 1000).toFixed(1)} s)`);
      }
      if (this.stats.failures > 0) Mocha.reporters.Base.list(this.failures);
      const { passes, failures, pending } = this.stats;
      if (process.env.HEADWISE_REPORT) writeFileSync(process.env.HEADWISE_REPORT, JSON.stringify({ passes, failures, pending }));
    });
  }
};
