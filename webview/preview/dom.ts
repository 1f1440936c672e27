import { type ColorMap, css, type Scale, shade, wantsDarkInk } from './colors.ts';
import { weightText } from './words.ts';

type Child = Node | string;

/** An element with attributes and children. Strings become text nodes, never markup. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A control with its name before it. The control has an accessible name of its own. */
export const labelled = (name: string, ...parts: readonly Node[]): HTMLElement =>
  element('div', { class: 'control' }, element('span', { class: 'control-label', 'aria-hidden': 'true' }, name), ...parts);

/** What a pointer stands over, beside it. */
export class Tip {
  readonly element = element('div', { class: 'tip', hidden: '', 'aria-hidden': 'true' });

  show(event: PointerEvent, content: readonly Child[]): void {
    const { element: tip } = this;
    tip.replaceChildren(...content);
    tip.hidden = false;
    const margin = 12;
    const left = Math.min(event.clientX + margin, innerWidth - tip.offsetWidth - margin);
    const below = event.clientY + 18;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${below + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 8 : below}px`;
  }

  hide(): void {
    this.element.hidden = true;
  }
}

export interface Bar {
  readonly name: string;
  readonly weight: number;
  readonly on?: boolean;
}

/** Weights as bars with their numbers. */
export function bars(list: HTMLElement, items: readonly Bar[]): void {
  list.replaceChildren(
    ...items.map(({ name, weight, on }) => {
      const bar = element('span', { class: 'bar' });
      bar.style.width = `${Math.max(0, Math.min(1, weight)) * 100}%`;
      return element(
        'li',
        on === true ? { class: 'on' } : {},
        element('span', { class: 'token' }, name),
        element('span', { class: 'track' }, bar),
        element('span', { class: 'value' }, weightText(weight)),
      );
    }),
  );
}

/** A table whose rows are made when it is first opened. */
export function lazyTable(id: string, title: string, make: () => readonly [head: readonly string[], rows: readonly (readonly string[])[]]) {
  const root = element('details', { class: 'table', id }, element('summary', {}, title));
  const refresh = (): void => {
    for (const old of root.querySelectorAll('.scroll')) old.remove();
    if (!root.open) return;
    const [head, rows] = make();
    root.append(
      element(
        'div',
        { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': title },
        element(
          'table',
          {},
          element('thead', {}, element('tr', {}, ...head.map((name) => element('th', { scope: 'col' }, name)))),
          element(
            'tbody',
            {},
            ...rows.map(([first = '', ...rest]) =>
              element('tr', {}, element('th', { scope: 'row' }, first), ...rest.map((cell) => element('td', {}, cell))),
            ),
          ),
        ),
      ),
    );
  };
  root.addEventListener('toggle', refresh);
  return { root, refresh };
}

/** Gives an element the colour of a weight, and ink that reads on it. */
export function shadeElement(target: HTMLElement, weight: number, scale: Scale, colors: ColorMap): void {
  const place = shade(weight, scale) * 255;
  target.style.background = weight > 0 ? css(colors, place) : '';
  target.style.color = weight > 0 ? (wantsDarkInk(colors, place) ? '#000000' : '#ffffff') : '';
}
