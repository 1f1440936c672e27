// The part of node:assert/strict that the portable tests use: the web extension host has no Node modules.

class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
}

export function fail(message: string): never {
  throw new AssertionError(message);
}

export function ok(value: unknown, message = `expected a true value, got ${show(value)}`): asserts value {
  if (!value) fail(message);
}

export function equal<T>(actual: unknown, expected: T, message?: string): asserts actual is T {
  if (!Object.is(actual, expected)) fail(`${message ? `${message}: ` : ''}expected ${show(expected)}, got ${show(actual)}`);
}

export function deepEqual<T>(actual: unknown, expected: T, message?: string): asserts actual is T {
  equal(show(actual), show(expected), message);
}

export function match(actual: string, expected: RegExp, message?: string): void {
  if (!expected.test(actual)) fail(`${message ? `${message}: ` : ''}expected ${show(actual)} to match ${expected}`);
}
