/**
 * For so long the monotonic clock carries an anchor on: a step of the wall clock is followed within it. Slewing needs
 * no such care, since the system slews both clocks alike.
 */
const ANCHOR_MS = 10;
/** The anchor is the best of so many tries: of each it is uncertain for how long the reading took. */
const TRIES = 3;

let anchoredAt = -Infinity;
/** Wall clock minus monotonic clock, in microseconds. */
let difference = 0;

/**
 * Reads the wall clock: microseconds since the Unix epoch, as an integer below 2^53.
 *
 * It is never ahead of the system's clock and at most a few microseconds behind it, except within 10 ms after a step.
 * Asking the system each time (Temporal) takes five times as long as the monotonic clock, and
 * `performance.timeOrigin` neither follows the system clock's steps nor is it exact.
 */
export function wallMicros(): number {
  const now = performance.now();
  if (now - anchoredAt > ANCHOR_MS) anchor();
  return Math.floor(now * 1000 + difference);
}

function anchor(): void {
  let narrowest = Infinity;
  for (let i = 0; i < TRIES; i++) {
    const before = performance.now();
    const wall = Number(Temporal.Now.instant().epochNanoseconds / 1000n);
    const after = performance.now();
    if (after - before >= narrowest) continue;
    narrowest = after - before;
    // The wall clock was read before `after`: it can only have gone on since.
    difference = wall - after * 1000;
    anchoredAt = after;
  }
}
