import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Dim, mod, number, subtract, zero } from '../../../src/dims/dim.ts';
import { compare, divides, divideWhole, Facts, simplify } from '../../../src/dims/facts.ts';
import { formatDim } from '../../../src/dims/format.ts';
import { parseDim } from '../../../src/dims/parse.ts';
import type { Statement } from '../../../src/dims/solver.ts';
import { Substitution, unify } from '../../../src/dims/unify.ts';
import { differsForSomeValues } from '../../../src/dims/witness.ts';
import {
  disguise,
  type Expression,
  expression,
  plainExpression,
  reference,
  smallExpression,
  symbolOf,
  toDim,
  type Values,
  valueOfDim,
  values,
} from './expressions.ts';

const scale = Number(process.env.HEADWISE_FUZZ ?? 1);
const runs = (count: number): { readonly numRuns: number; readonly interruptAfterTimeLimit: number } => ({
  numRuns: count * scale,
  interruptAfterTimeLimit: 20_000 * scale,
});

/** A claim about two expressions that is made true at given values by a constant. */
interface Claim {
  readonly kind: 'equal' | 'atLeast' | 'divides' | 'value';
  readonly left: Expression;
  readonly right: Expression;
  readonly slack: number;
}

const claim: fc.Arbitrary<Claim> = fc.record({
  kind: fc.constantFrom('equal', 'atLeast', 'divides', 'divides', 'value'),
  left: plainExpression,
  right: plainExpression,
  slack: fc.integer({ min: 0, max: 3 }),
});

/** The claim as a fact that holds at `at`; undefined where an expression has no value there. */
function factOf({ kind, left, right, slack }: Claim, at: Values): Statement | undefined {
  const x = reference(left, at);
  const y = reference(right, at);
  if (x === undefined || y === undefined) return undefined;
  const a = toDim(left);
  const b = toDim(right);
  const difference = number(Number(x - y));
  switch (kind) {
    case 'equal':
      return { kind: 'equal', left: subtract(a, b), right: difference };
    case 'atLeast':
      return { kind: 'atLeast', left: subtract(a, b), right: number(Number(x - y) - slack) };
    case 'value':
      return { kind: 'equal', left: a, right: number(Number(x)) };
    case 'divides':
      return y === 0n || x % y !== 0n ? undefined : { kind: 'equal', left: mod(a, b), right: zero };
  }
}

const factsOf = (claims: readonly Claim[], at: Values): Facts =>
  Facts.none.assume(claims.map((each) => factOf(each, at)).filter((fact) => fact !== undefined));

function assertAgrees(answer: string, a: Dim, b: Dim, x: bigint, y: bigint): void {
  if (answer === 'equal') assert.equal(x, y, `${formatDim(a)} was said to equal ${formatDim(b)}`);
  if (answer === 'different') assert.notEqual(x, y, `${formatDim(a)} was said to differ from ${formatDim(b)}`);
}

const choices = fc.array(fc.integer({ min: 0, max: 11 }), { minLength: 1, maxLength: 12 });

/** Two expressions: unrelated, the same value written twice, or that with a constant added. */
const pair: fc.Arbitrary<readonly [Expression, Expression]> = fc.oneof(
  fc.tuple(smallExpression, smallExpression),
  fc.tuple(smallExpression, choices).map(([written, chosen]) => [written, disguise(written, chosen)] as const),
  fc
    .tuple(smallExpression, choices, fc.integer({ min: -2, max: 2 }))
    .map(([left, chosen, value]) => [left, { op: '+', left: disguise(left, chosen), right: { op: 'number', value } }] as const),
);

describe('dims hold for every value', function () {
  this.timeout(30_000 * Math.max(1, scale));

  it('keeps the value of what is written', () => {
    let checked = 0;
    fc.assert(
      fc.property(expression, fc.array(values, { minLength: 3, maxLength: 3 }), (written, samples) => {
        const dim = toDim(written);
        for (const at of samples) {
          const expected = reference(written, at);
          const actual = valueOfDim(dim, at);
          if (expected === undefined || actual === undefined) continue;
          checked++;
          assert.equal(BigInt(actual), expected, formatDim(dim));
          assert.ok(actual >= dim.min && actual <= dim.max, `${formatDim(dim)} is ${actual}, outside ${dim.min} to ${dim.max}`);
        }
      }),
      runs(3000),
    );
    assert.ok(checked > 1000, `${checked} values were compared`);
  });

  it('says equal and different only where that holds', () => {
    const counts = new Map<string, number>();
    fc.assert(
      fc.property(pair, fc.array(values, { minLength: 6, maxLength: 6 }), ([left, right], samples) => {
        const [a, b] = [toDim(left), toDim(right)];
        const answer = compare(a, b);
        counts.set(answer, (counts.get(answer) ?? 0) + 1);
        for (const at of samples) {
          const [x, y] = [reference(left, at), reference(right, at)];
          if (x !== undefined && y !== undefined) assertAgrees(answer, a, b, x, y);
        }
      }),
      runs(3000),
    );
    for (const answer of ['equal', 'different', 'unknown']) assert.ok((counts.get(answer) ?? 0) > 40, `${answer}: ${counts.get(answer)}`);
  });

  it('knows its own value in another form', () => {
    // Decided for all but a few: what hides behind divisors of several terms, or nested remainders, may stay unknown.
    let equal = 0;
    let unknown = 0;
    fc.assert(
      fc.property(smallExpression, choices, (written, chosen) => {
        const [a, b] = [toDim(written), toDim(disguise(written, chosen))];
        if (a.unknown || b.unknown) return;
        const answer = compare(a, b);
        assert.notEqual(answer, 'different', `${formatDim(a)} and ${formatDim(b)}`);
        if (answer === 'equal') equal++;
        else unknown++;
      }),
      runs(2000),
    );
    assert.ok(equal > 1000 && unknown < equal / 50, `${equal} equal, ${unknown} unknown`);
  });

  it('says equal and different under facts only where the facts make it so', () => {
    const counts = new Map<string, number>();
    fc.assert(
      fc.property(pair, fc.array(claim, { maxLength: 5 }), values, ([left, right], claims, at) => {
        const [x, y] = [reference(left, at), reference(right, at)];
        if (x === undefined || y === undefined) return;
        const facts = factsOf(claims, at);
        assert.ok(!facts.contradictory, 'facts that hold together were called contradictory');
        const [a, b] = [toDim(left), toDim(right)];
        const answer = compare(a, b, facts);
        counts.set(answer, (counts.get(answer) ?? 0) + 1);
        assertAgrees(answer, a, b, x, y);
        for (const statement of facts.statements) {
          const knows = facts.implies(statement) ? 'remembered' : 'forgotten';
          counts.set(knows, (counts.get(knows) ?? 0) + 1);
        }
        if (divides(b, a, facts) && y !== 0n) assert.equal(x % y, 0n, `${formatDim(b)} was said to divide ${formatDim(a)}`);
        const simple = valueOfDim(simplify(a, facts), at);
        if (simple !== undefined) assert.equal(BigInt(simple), x, `${formatDim(a)} became ${formatDim(simplify(a, facts))}`);
        if (y !== 0n) {
          const whole = divideWhole(a, b, facts);
          const value = whole && valueOfDim(whole, at);
          if (value !== undefined) assert.equal(BigInt(value) * y, x, `${formatDim(a)} / ${formatDim(b)}`);
        }
      }),
      runs(1200),
    );
    for (const answer of ['equal', 'different', 'unknown']) assert.ok((counts.get(answer) ?? 0) > 10, `${answer}: ${counts.get(answer)}`);
    // Facts about remainders and minima at once may be too hard to use, but that is the exception.
    assert.ok((counts.get('remembered') ?? 0) > 10 * (counts.get('forgotten') ?? 0), JSON.stringify([...counts]));
  });

  it('joins branches into facts that hold in both', () => {
    fc.assert(
      fc.property(
        fc.array(claim, { maxLength: 3 }),
        fc.array(claim, { maxLength: 3 }),
        fc.array(claim, { maxLength: 3 }),
        values,
        (shared, mine, theirs, at) => {
          const base = factsOf(shared, at);
          const left = base.assume(factsOf(mine, at).statements);
          const right = base.assume(factsOf(theirs, at).statements);
          const joined = left.join(right);
          for (const statement of joined.statements) {
            assert.ok(left.statements.includes(statement) || right.statements.includes(statement));
            const [x, y] = [valueOfDim(statement.left, at), valueOfDim(statement.right, at)];
            if (x !== undefined && y !== undefined) assert.ok(statement.kind === 'equal' ? x === y : x >= y);
          }
        },
      ),
      runs(600),
    );
  });

  it('unifies to a substitution that makes both sides equal', () => {
    const counts = new Map<string, number>();
    fc.assert(
      fc.property(pair, fc.array(claim, { maxLength: 3 }), values, ([left, right], claims, at) => {
        const facts = factsOf(claims, at);
        const [a, b] = [toDim(left), toDim(right)];
        const result = unify(a, b, Substitution.empty, facts);
        counts.set(result.status, (counts.get(result.status) ?? 0) + 1);
        const [x, y] = [reference(left, at), reference(right, at)];
        if (x === undefined || y === undefined) return;
        if (result.status === 'conflict') assert.notEqual(x, y, result.reason);
        if (result.status !== 'unified') return;
        const { substitution } = result;
        for (const { symbol, value } of substitution.bindings) {
          assert.equal(substitution.apply(value), value, 'a bound symbol occurs in a value');
          // The binding follows from the equation: wherever both sides are equal, it holds.
          if (x === y) assert.equal(valueOfDim(value, at), at[symbol.name], `${symbol.name} := ${formatDim(value)}`);
        }
        // Take the bound symbols' values from the binding: both sides must come out the same, unless a bound or a fact is broken by it.
        const bound: Record<string, number> = { ...at };
        for (const { symbol, value } of substitution.bindings) bound[symbol.name] = valueOfDim(value, at) ?? Number.NaN;
        if (claims.length > 0 || substitution.bindings.some(({ symbol }) => !((bound[symbol.name] ?? 0) >= symbol.min))) return;
        const [p, q] = [reference(left, bound), reference(right, bound)];
        if (p !== undefined && q !== undefined) assert.equal(p, q);
      }),
      runs(2500),
    );
    for (const status of ['unified', 'conflict', 'unknown']) assert.ok((counts.get(status) ?? 0) > 40, `${status}: ${counts.get(status)}`);
  });

  it('finds values that satisfy the facts and differ', () => {
    let found = 0;
    fc.assert(
      fc.property(smallExpression, smallExpression, fc.array(claim, { maxLength: 2 }), values, (left, right, claims, at) => {
        const facts = factsOf(claims, at);
        const [a, b] = [toDim(left), toDim(right)];
        const witness = differsForSomeValues(a, b, facts);
        if (witness === undefined) return;
        found++;
        assert.notEqual(compare(a, b, facts), 'equal');
        const chosen: Values = { ...at, ...Object.fromEntries([...witness.values].map(([symbol, value]) => [symbol.name, value])) };
        assert.notEqual(valueOfDim(a, chosen), valueOfDim(b, chosen));
      }),
      runs(800),
    );
    assert.ok(found > 200, `${found} pairs`);
  });

  it('reads back what it prints', () => {
    let same = 0;
    let other = 0;
    fc.assert(
      fc.property(expression, fc.array(values, { minLength: 4, maxLength: 4 }), (written, samples) => {
        const dim = toDim(written);
        if (dim.unknown) return;
        const text = formatDim(dim);
        const parsed = parseDim(text, symbolOf);
        assert.ok(parsed.ok, text);
        if (parsed.dim.key === dim.key) same++;
        else other++;
        // FIXME: remainders by negative numbers are printed in terms that read back as another form of the same number.
        for (const at of samples) assert.equal(valueOfDim(parsed.dim, at), valueOfDim(dim, at), text);
      }),
      runs(3000),
    );
    assert.ok(other < same / 500, `${other} forms changed, ${same} did not`);
  });

  it('parses anything without throwing', () => {
    const piece = fc.constantFrom(
      'd',
      'config.n',
      '(',
      ')',
      '**',
      '//',
      '/',
      '%',
      '-',
      '+',
      '*',
      ',',
      '?',
      'min',
      'max',
      '3',
      '0',
      '99999999999',
      ' ',
      '.',
      'é',
      '#',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = pieces.join('');
        const parsed = parseDim(text, symbolOf);
        if (!parsed.ok) assert.ok(parsed.offset >= 0 && parsed.offset <= text.length && parsed.message !== '');
      }),
      runs(3000),
    );
  });
});
