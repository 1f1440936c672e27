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

/** A labelled choice of `options` (value and text). */
export function dropdown(
  id: string,
  label: string,
  options: readonly (readonly [value: string, text: string])[],
  selected: string,
  changed: (value: string) => void,
): Control<string> {
  const element = document.createElement('vscode-dropdown') as ValueElement;
  element.id = id;
  element.setAttribute('aria-label', label);
  for (const [value, text] of options) {
    const option = document.createElement('vscode-option') as ValueElement;
    option.value = value;
    option.textContent = text;
    if (value === selected) option.setAttribute('selected', '');
    element.append(option);
  }
  let current = selected;
  element.addEventListener('change', () => {
    if (element.value === current) return;
    current = element.value;
    changed(current);
  });
  return {
    element,
    set(value) {
      current = value;
      element.value = value;
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

export function button(id: string, label: string, pressed: () => void): HTMLElement {
  const element = document.createElement('vscode-button');
  element.id = id;
  element.setAttribute('appearance', 'secondary');
  element.textContent = label;
  element.addEventListener('click', pressed);
  return element;
}
