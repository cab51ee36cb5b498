/** Keys that work anywhere but in a field, and the list of all of them. */
import { element, make } from './dom.js';

export interface Shortcut {
  keys: readonly string[];
  /** As it is written in the list. */
  label: string;
  does: string;
  act?: () => void;
}

/** Threads: the page's. */
export function listenForShortcuts(shortcuts: readonly Shortcut[]): void {
  element('keys-list', HTMLElement).replaceChildren(
    ...shortcuts.map(({ label, does }) =>
      make('div', '', make('dt', '', ...label.split(' ').map((key) => make('kbd', '', key))), make('dd', '', does)),
    ),
  );
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target instanceof Element && event.target.closest('input, select, textarea, dialog') !== null) return;
    const found = shortcuts.find(({ act, keys }) => act !== undefined && keys.includes(event.key));
    if (found === undefined) return;
    event.preventDefault();
    found.act?.();
  });
}
