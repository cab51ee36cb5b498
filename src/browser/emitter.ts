/** Events as Node's EventEmitter names its calls, for places that have none. */

type Listener<Arguments extends unknown[]> = (...values: Arguments) => void;

export class Emitter<Events extends { [Name in keyof Events]: unknown[] }> {
  readonly #listeners = new Map<keyof Events, Listener<never>[]>();

  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
    return this;
  }

  off<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    this.#listeners.set(
      name,
      (this.#listeners.get(name) ?? []).filter((one) => one !== (listener as Listener<never>)),
    );
    return this;
  }

  once<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    const heard: Listener<Events[Name]> = (...values) => {
      this.off(name, heard);
      listener(...values);
    };
    return this.on(name, heard);
  }

  /** What a listener throws reaches the caller of emit(); the client lets none of it into its own state. */
  protected emit<Name extends keyof Events>(name: Name, ...values: Events[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) (listener as Listener<Events[Name]>)(...values);
  }
}
