import { element } from './dom.ts';
import { type Format, formats } from './exports.ts';
import { type View, views } from './state.ts';
import { t } from './text.ts';

/** The page's views as tabs. Arrow keys go from one to the next. */
export function makeTabs(chosen: () => View, choose: (view: View) => void): { readonly root: HTMLElement; sync(): void } {
  const names: Readonly<Record<View, string>> = { heads: t('Heads'), tokens: t('Tokens'), steps: t('Steps'), decode: t('Decode') };
  const list = element('div', { class: 'tabs', role: 'tablist', 'aria-label': t('Views') });
  for (const view of views) {
    const tab = element('button', { role: 'tab', type: 'button', 'data-view': view, id: `tab-${view}` }, names[view]);
    tab.addEventListener('click', () => choose(view));
    list.append(tab);
  }
  list.addEventListener('keydown', (event) => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (by === 0) return;
    const next = views[(views.indexOf(chosen()) + by + views.length) % views.length] as View;
    choose(next);
    list.querySelector<HTMLElement>(`[data-view="${next}"]`)?.focus();
  });
  const sync = (): void => {
    for (const tab of list.querySelectorAll<HTMLElement>('[role=tab]')) {
      const on = tab.dataset.view === chosen();
      tab.setAttribute('aria-selected', String(on));
      tab.tabIndex = on ? 0 : -1;
    }
  };
  sync();
  return { root: list, sync };
}

export interface ExportEvents {
  save(format: Format): void;
  copy(form: 'link' | 'command'): void;
}

/** What can be taken out of the page. */
export function exportMenu(events: ExportEvents): HTMLElement {
  const names: Readonly<Record<Format, string>> = {
    png: t('Picture (PNG)'),
    svg: t('Picture (SVG)'),
    csv: t('Numbers (CSV)'),
    json: t('Numbers (JSON)'),
    npy: t('Numbers (.npy)'),
  };
  return menu('export', t('Export'), [
    ...formats.map((format): MenuItem => [`export-${format}`, names[format], () => events.save(format)]),
    ['copy-link', t('Copy link to this state'), () => events.copy('link')],
    ['copy-command', t('Copy command for this state'), () => events.copy('command')],
  ]);
}

export type MenuItem = readonly [id: string, name: string, act: () => void];

/** What can be done, folded into one button. Escape and a press elsewhere close it. */
export function menu(id: string, title: string, entries: readonly MenuItem[]): HTMLElement {
  const items = element('div', { class: 'menu-items' });
  const made = element('details', { class: 'menu', id }, element('summary', {}, title), items);
  for (const [key, name, act] of entries) {
    const entry = element('button', { type: 'button', id: key }, name);
    entry.addEventListener('click', () => {
      made.open = false;
      act();
    });
    items.append(entry);
  }
  made.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !made.open) return;
    made.open = false;
    made.querySelector('summary')?.focus();
    event.stopPropagation();
  });
  document.addEventListener('pointerdown', (event) => {
    if (made.open && !made.contains(event.target as Node)) made.open = false;
  });
  return made;
}
