/** Something that is reached once, or will never be. Its promise is made when asked for and never goes unhandled. */
export class Milestone<T> {
  #outcome: { readonly value: T } | { readonly error: Error } | undefined;
  #waiting: PromiseWithResolvers<T> | undefined;

  get pending(): boolean {
    return this.#outcome === undefined;
  }

  /** The same promise each time. */
  get promise(): Promise<T> {
    if (this.#waiting === undefined) {
      this.#waiting = Promise.withResolvers<T>();
      this.#waiting.promise.catch(() => {});
      this.#tell();
    }
    return this.#waiting.promise;
  }

  /** The first of `reach` and `miss` counts. */
  reach(value: T): void {
    if (!this.pending) return;
    this.#outcome = { value };
    this.#tell();
  }

  miss(error: Error): void {
    if (!this.pending) return;
    this.#outcome = { error };
    this.#tell();
  }

  #tell(): void {
    if (this.#outcome === undefined) return;
    if ("error" in this.#outcome) this.#waiting?.reject(this.#outcome.error);
    else this.#waiting?.resolve(this.#outcome.value);
  }
}
