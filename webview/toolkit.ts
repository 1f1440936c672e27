/**
 * The only file that knows @vscode/webview-ui-toolkit, which is no longer maintained: it registers the components in use and
 * makes them as plain elements with typed events, so that another set of components can take its place here.
 */
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodeDropdown,
  vsCodeOption,
  vsCodeTextField,
} from '@vscode/webview-ui-toolkit';

/** Registers the components. Call once, before making any. */
export function registerToolkit(): void {
  provideVSCodeDesignSystem().register(vsCodeButton(), vsCodeCheckbox(), vsCodeDropdown(), vsCodeOption(), vsCodeTextField());
}

/** A control with a value: its element, and how to set it from outside. */
export interface Control<T> {
  readonly element: HTMLElement;
  set(value: T): void;
}

type ValueElement = HTMLElement & { value: string; checked: boolean; readonly currentValue: string };

export function checkbox(id: string, label: string, checked: boolean, changed: (checked: boolean) => void): Control<boolean> {
  const element = document.createElement('vscode-checkbox') as ValueElement;
  element.id = id;
  element.textContent = label;
  element.checked = checked;
  element.addEventListener('change', () => changed(element.checked));
  return {
    element,
    set(value) {
      if (element.checked !== value) element.checked = value;
    },
  };
}

export type Options = readonly (readonly [value: string, text: string])[];

export interface Choice extends Control<string> {
  setOptions(options: Options, selected: string): void;
}

/** A labelled choice of `options` (value and text). */
export function dropdown(id: string, label: string, options: Options, selected: string, changed: (value: string) => void): Choice {
  const element = document.createElement('vscode-dropdown') as ValueElement;
  element.id = id;
  element.setAttribute('aria-label', label);
  let current = selected;
  let known = '';
  const fill = (next: Options): void => {
    known = JSON.stringify(next);
    element.replaceChildren(
      ...next.map(([value, text]) => {
        const option = document.createElement('vscode-option') as ValueElement;
        option.value = value;
        option.textContent = text;
        if (value === current) option.setAttribute('selected', '');
        return option;
      }),
    );
  };
  fill(options);
  element.addEventListener('change', () => {
    // Taking options away fires too.
    if (element.value === current || !element.value) return;
    current = element.value;
    changed(current);
  });
  const set = (value: string): void => {
    current = value;
    if (element.value !== value) element.value = value;
  };
  return {
    element,
    set,
    setOptions(next, value) {
      current = value;
      if (JSON.stringify(next) !== known) fill(next);
      set(value);
    },
  };
}

/** A labelled text field. `changed` gets every edit. */
export function textField(
  id: string,
  label: string,
  value: string,
  changed: (value: string) => void,
  options: { readonly placeholder?: string; readonly size?: number } = {},
): Control<string> {
  const element = document.createElement('vscode-text-field') as ValueElement;
  element.id = id;
  element.setAttribute('aria-label', label);
  element.setAttribute('value', value);
  if (options.placeholder !== undefined) element.setAttribute('placeholder', options.placeholder);
  if (options.size !== undefined) element.setAttribute('size', String(options.size));
  element.addEventListener('input', () => changed(element.value));
  return {
    element,
    set(next) {
      if (element.value !== next) element.value = next;
    },
  };
}

/** A labelled field for a number between `low` and `high`; empty: undefined. What is out of bounds marks the field and is not told. */
export function numberField(
  id: string,
  label: string,
  value: number | undefined,
  bounds: { readonly low: number; readonly high: number; readonly whole: boolean },
  changed: (value: number | undefined) => void,
): Control<number | undefined> {
  const text = (number: number | undefined): string => (number === undefined ? '' : String(number));
  let told = text(value);
  const field = textField(
    id,
    label,
    told,
    (written) => {
      const trimmed = written.trim().replace(',', '.');
      const number = trimmed === '' ? undefined : Number(trimmed);
      const fits =
        number === undefined || (number >= bounds.low && number <= bounds.high && (!bounds.whole || Number.isSafeInteger(number)));
      field.element.classList.toggle('invalid', !fits);
      if (!fits || trimmed === told) return;
      told = trimmed;
      changed(number);
    },
    { size: 6 },
  );
  return {
    element: field.element,
    set(next) {
      // What is being typed stays.
      if (text(next) === told || field.element.matches(':focus-within')) return;
      told = text(next);
      field.element.classList.remove('invalid');
      field.set(told);
    },
  };
}

export function button(id: string, label: string, pressed: () => void): HTMLElement {
  const element = document.createElement('vscode-button');
  element.id = id;
  element.setAttribute('appearance', 'secondary');
  element.textContent = label;
  element.addEventListener('click', pressed);
  return element;
}

/** Puts the cursor into a text field, with this part of its text selected. */
export function selectIn({ element }: Control<string>, start: number, end: number): void {
  const input = (element as HTMLElement & { readonly control?: HTMLInputElement }).control;
  element.focus();
  input?.focus();
  input?.setSelectionRange(start, end);
}
