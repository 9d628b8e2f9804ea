/** Work that is under way and that has to end before what it needs is closed. */
export class WorkSet {
  readonly #working = new Set<Promise<void>>();

  add(work: Promise<void>): void {
    this.#working.add(work);
    void work.finally(() => this.#working.delete(work));
  }

  /** Resolves when all of it has ended, and what it has begun meanwhile. */
  async ended(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working);
  }
}
