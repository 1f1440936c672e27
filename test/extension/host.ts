/** What the extension host tells the process that started it, on a line of its own. */
export interface HostResult {
  readonly passes: number;
  readonly failures: number;
}

interface HostRunner {
  on(event: 'pass', listener: (test: HostTest) => void): unknown;
  on(event: 'fail', listener: (test: HostTest, error: Error) => void): unknown;
}

interface HostTest {
  readonly duration?: number | undefined;
  titlePath(): string[];
}

/**
 * Runs the collected tests, printing each, and prints the counts at the end.
 * Rejects where one failed or none ran, which makes VS Code exit with an error.
 */
export async function runToEnd(start: (done: () => void) => HostRunner): Promise<void> {
  let passes = 0;
  let failures = 0;
  await new Promise<void>((resolve) => {
    const runner = start(resolve);
    runner.on('pass', (test) => {
      passes++;
      console.log(`  passed ${test.titlePath().join(' > ')} (${test.duration ?? 0} ms)`);
    });
    runner.on('fail', (test, error) => {
      failures++;
      console.log(`  FAILED ${test.titlePath().join(' > ')}\n${error.stack ?? error.message}`);
    });
  });
  const result: HostResult = { passes, failures };
  console.log(`HEADWISE-RESULT ${JSON.stringify(result)}`);
  if (failures > 0 || passes === 0) throw new Error(`${failures} failed, ${passes} passed in the extension host`);
}
