/** Colours: as the system says, dark or light. Remembered by the browser where it lets us. */

const names = ['auto', 'dark', 'light'] as const;
export type ThemeName = (typeof names)[number];

/** A setting of this browser; forgotten where storage is refused. */
export function remembered(name: string): string | undefined {
  try {
    return localStorage.getItem(`depthcast.${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`depthcast.${name}`, value);
  } catch {
    // Private windows may refuse: then it holds until the page is left.
  }
}

/** Threads: the page's. */
export class Theme {
  #name: ThemeName = names.find((name) => name === remembered('theme')) ?? 'auto';

  constructor(private readonly onChange: (name: ThemeName) => void) {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#apply());
  }

  get name(): ThemeName {
    return this.#name;
  }

  begin(): void {
    this.#apply();
  }

  next(): void {
    this.#name = names[(names.indexOf(this.#name) + 1) % names.length] as ThemeName;
    remember('theme', this.#name);
    this.#apply();
  }

  #apply(): void {
    document.documentElement.dataset.theme = this.#name;
    this.onChange(this.#name);
  }
}
