const contextLines = 3;

/** Beyond this many changed lines the differing middle is shown as a whole instead of line by line. */
const maximumEdits = 1000;

interface Step {
  readonly kind: ' ' | '-' | '+';
  readonly line: string;
}

/** A unified diff of two texts; '' when they are equal. Lines keep their own line ends. */
export function unifiedDiff(before: string, after: string, oldName: string, newName: string): string {
  if (before === after) return '';
  const steps = compare(splitLines(before), splitLines(after));
  const out = [`--- ${oldName}\n`, `+++ ${newName}\n`];
  let oldLine = 1;
  let newLine = 1;
  let i = 0;
  while (i < steps.length) {
    let next = i;
    while (next < steps.length && steps[next]?.kind === ' ') next++;
    if (next === steps.length) break;
    const start = Math.max(i, next - contextLines);
    oldLine += start - i;
    newLine += start - i;
    let end = next;
    for (let j = next, unchanged = 0; j < steps.length && unchanged <= 2 * contextLines; j++) {
      if (steps[j]?.kind === ' ') unchanged++;
      else {
        unchanged = 0;
        end = j + 1;
      }
    }
    end = Math.min(steps.length, end + contextLines);
    const hunk = steps.slice(start, end);
    const oldCount = hunk.filter((step) => step.kind !== '+').length;
    const newCount = hunk.filter((step) => step.kind !== '-').length;
    out.push(`@@ -${position(oldLine, oldCount)} +${position(newLine, newCount)} @@\n`);
    for (const { kind, line } of hunk) out.push(line.endsWith('\n') ? kind + line : `${kind}${line}\n\\ No newline at end of file\n`);
    oldLine += oldCount;
    newLine += newCount;
    i = end;
  }
  return out.join('');
}

const position = (line: number, count: number): string => (count === 1 ? `${line}` : `${count === 0 ? line - 1 : line},${count}`);

const splitLines = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

function compare(before: readonly string[], after: readonly string[]): Step[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const same = (line: string): Step => ({ kind: ' ', line });
  return [
    ...before.slice(0, head).map(same),
    ...shortest(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...before.slice(before.length - tail).map(same),
  ];
}

/** Myers, An O(ND) Difference Algorithm and Its Variations (1986), the greedy form. */
function shortest(a: readonly string[], b: readonly string[]): Step[] {
  const whole = (): Step[] => [...a.map((line): Step => ({ kind: '-', line })), ...b.map((line): Step => ({ kind: '+', line }))];
  const limit = Math.min(a.length + b.length, maximumEdits);
  const trace: Map<number, number>[] = [];
  let furthest = new Map<number, number>([[1, 0]]);
  for (let d = 0; d <= limit; d++) {
    trace.push(new Map(furthest));
    const next = new Map(furthest);
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
      let x = down ? (furthest.get(k + 1) ?? 0) : (furthest.get(k - 1) ?? 0) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      next.set(k, x);
      if (x >= a.length && x - k >= b.length) return backtrack(a, b, trace, d);
    }
    furthest = next;
  }
  return whole();
}

function backtrack(a: readonly string[], b: readonly string[], trace: readonly ReadonlyMap<number, number>[], depth: number): Step[] {
  const steps: Step[] = [];
  let x = a.length;
  let y = b.length;
  for (let d = depth; d >= 0; d--) {
    const furthest = trace[d] ?? new Map<number, number>();
    const k = x - y;
    const down = k === -d || (k !== d && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
    const previousX = d === 0 ? 0 : (furthest.get(down ? k + 1 : k - 1) ?? 0);
    const previousY = d === 0 ? 0 : previousX - (down ? k + 1 : k - 1);
    while (x > previousX && y > previousY) {
      steps.push({ kind: ' ', line: a[--x] ?? '' });
      y--;
    }
    if (d > 0) {
      if (down) steps.push({ kind: '+', line: b[--y] ?? '' });
      else steps.push({ kind: '-', line: a[--x] ?? '' });
    }
  }
  return steps.reverse();
}
