/** The page's elements, which stand in index.html, and text that is written only where it differs. */

/** Throws Error where the page has no such element, or one of another kind. */
export function element<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`there is no ${kind.name} #${id}`);
  return found;
}

/** Text of an element of its own. Nothing is touched while it stays the same. */
export class Text {
  readonly #node: globalThis.Text;
  #shown = '';

  constructor(readonly element: HTMLElement) {
    this.#node = document.createTextNode('');
    element.replaceChildren(this.#node);
  }

  static of(id: string): Text {
    return new Text(element(id, HTMLElement));
  }

  set(text: string): void {
    if (text === this.#shown) return;
    this.#shown = text;
    this.#node.data = text;
  }
}

/** An attribute; undefined takes it away. */
export function setAttribute(target: Element, name: string, value: string | undefined): void {
  if (value === undefined) target.removeAttribute(name);
  else if (target.getAttribute(name) !== value) target.setAttribute(name, value);
}

export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className = '',
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.append(...children);
  return made;
}
