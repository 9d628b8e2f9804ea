/** Lines a second whose way says enough: more would cost the generator more than they tell. */
const ENOUGH = 5000;
/** The rate of lines is found anew after this time, in ms. */
const ROUND_MS = 10;

/** Takes every so manieth line of very many, whenever it comes: those that come together count as much as the others. */
export class Thinning {
  #stride = 1;
  /** Lines since the one that was taken last, and since the rate was found. */
  #passed = 0;
  #lines = 0;
  #roundAt = 0;

  /** How many of the lines that are read now are taken. @param now in ms. */
  take(lines: number, now: number): number {
    this.#lines += lines;
    if (now - this.#roundAt >= ROUND_MS) {
      const perSecond = this.#lines * 1000 / (now - this.#roundAt);
      this.#stride = Math.max(1, Math.round(perSecond / ENOUGH));
      this.#lines = 0;
      this.#roundAt = now;
    }
    this.#passed += lines;
    if (this.#passed < this.#stride) return 0;
    const taken = Math.floor(this.#passed / this.#stride);
    this.#passed -= taken * this.#stride;
    return taken;
  }
}
