import type { IsOver } from '../interpreter/student.ts';

/** Work that the answer to a keystroke may do, in steps, some 10 ms; a study that takes more waits. */
const hastySteps = 500;
/** What is taken for a study of which nothing is known yet. */
const unknownSteps = 300;

/** For an answer that somebody waits for. It counts steps and no time: what an edit shows at once does not depend on the machine. */
export function inHaste(): IsOver {
  let spent = 0;
  /** Of the study that was let begin: what it was expected to take and has not taken. */
  let left = 0;
  return (steps, isBegun = false) => {
    if (isBegun) {
      left -= steps;
      // What is half written fits under no assumption: such a study asks to be looked at again and again, and waits.
      if (left < steps) spent += steps;
      return spent > 2 * hastySteps;
    }
    const expected = Math.max(1, steps === 0 ? unknownSteps : steps);
    const isOver = spent > 0 && spent + steps > hastySteps;
    // One study that takes twice as much is better than none.
    if (isOver || steps > 2 * hastySteps) return true;
    spent += expected;
    left = expected;
    return false;
  };
}

/** For work that nobody waits for: one study, and then whoever asks for something comes first. */
export function oneByOne(): IsOver {
  let count = 0;
  return (_, isBegun = false) => !isBegun && count++ > 0;
}

/** Goes on, while nothing else happens, with what hasty answers left. */
export class Leftovers {
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  /** `step` answers whether there is more to do; a later call for the same document takes the place of this one. */
  goOn(id: string, step: () => Promise<boolean>, failed: (error: unknown) => void, wait: number): void {
    this.drop(id);
    this.#timers.set(
      id,
      setTimeout(() => {
        this.#timers.delete(id);
        step()
          .then((isLeft) => {
            // Meanwhile there may have been an edit, which started anew.
            if (isLeft && !this.#timers.has(id)) this.goOn(id, step, failed, 0);
          })
          .catch(failed);
      }, wait),
    );
  }

  drop(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }
}
