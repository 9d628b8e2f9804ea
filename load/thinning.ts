/** Exchanges a second that say enough: more would cost the generator more than they tell. */
const ENOUGH = 5000;
/** After so many exchanges their rate is found anew. */
const ROUND = 1024;

/** Takes every so manieth of many exchanges, whenever it comes: those that come together count as much as the others. */
export class Thinning {
  #stride = 1;
  #seen = 0;
  #roundAt = -Infinity;

  /** Whether the exchange that is read now is taken. @param now in ms. */
  takes(now: number): boolean {
    if (++this.#seen % ROUND === 0) {
      const perSecond = ROUND * 1000 / Math.max(0.01, now - this.#roundAt);
      this.#stride = Math.max(1, Math.round(perSecond / ENOUGH));
      this.#roundAt = now;
    }
    return this.#seen % this.#stride === 0;
  }
}
