import { element } from './dom.ts';

/** Tokens that are made into elements at once: around the chosen one where there are more. */
export const MOST_TOKENS = 1024;

export interface StripEvents {
  /** A token was chosen by click or key. */
  choose(token: number): void;
  /** The pointer stands over a token; undefined: over none. */
  hover?(token: number | undefined): void;
}

/** The text as tokens, one of which is chosen. One stop for the tab key; arrows, Home and End move. */
export class TokenStrip {
  readonly root: HTMLElement;
  readonly #events: StripEvents;
  #tokens: readonly string[] = [];
  #first = 0;
  #chosen = 0;

  constructor(id: string, label: string, events: StripEvents) {
    this.#events = events;
    this.root = element('div', { class: 'strip', id, role: 'listbox', 'aria-label': label, 'aria-orientation': 'horizontal' });
    const at = (event: Event): number | undefined => {
      const found = (event.target as HTMLElement).closest<HTMLElement>('[data-token]');
      return found === null ? undefined : Number(found.dataset.token);
    };
    this.root.addEventListener('click', (event) => {
      const token = at(event);
      if (token !== undefined) events.choose(token);
    });
    this.root.addEventListener('pointerover', (event) => events.hover?.(at(event)));
    this.root.addEventListener('pointerleave', () => events.hover?.(undefined));
    this.root.addEventListener('keydown', (event) => {
      const moves: Readonly<Record<string, number>> = {
        ArrowRight: this.#chosen + 1,
        ArrowDown: this.#chosen + 1,
        ArrowLeft: this.#chosen - 1,
        ArrowUp: this.#chosen - 1,
        Home: 0,
        End: this.#tokens.length - 1,
      };
      const to = moves[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.#events.choose(Math.max(0, Math.min(this.#tokens.length - 1, to)));
      this.item(this.#chosen)?.focus();
    });
  }

  /** Tokens in the page, from and up to but without. */
  get range(): readonly [number, number] {
    return [this.#first, Math.min(this.#tokens.length, this.#first + MOST_TOKENS)];
  }

  item(token: number): HTMLElement | undefined {
    return this.root.children[token - this.#first] as HTMLElement | undefined;
  }

  show(tokens: readonly string[], chosen: number): void {
    const first = tokens.length <= MOST_TOKENS ? 0 : Math.max(0, Math.min(tokens.length - MOST_TOKENS, chosen - MOST_TOKENS / 2));
    const inside = chosen >= this.#first && chosen < this.#first + MOST_TOKENS;
    if (tokens !== this.#tokens || !inside) {
      this.#tokens = tokens;
      this.#first = inside && tokens.length > MOST_TOKENS ? Math.min(this.#first, first) : first;
      const [from, to] = this.range;
      this.root.replaceChildren(
        ...tokens
          .slice(from, to)
          .map((token, i) =>
            element(
              'span',
              { role: 'option', tabindex: '-1', 'data-token': String(from + i), 'aria-selected': 'false', class: 'word' },
              token,
            ),
          ),
      );
    } else {
      const old = this.item(this.#chosen);
      old?.setAttribute('aria-selected', 'false');
      old?.setAttribute('tabindex', '-1');
    }
    this.#chosen = chosen;
    const item = this.item(chosen);
    item?.setAttribute('aria-selected', 'true');
    item?.setAttribute('tabindex', '0');
  }
}
