/**
 * For so long the monotonic clock carries an anchor on: a step of the wall clock is followed within it. Slewing needs
 * no such care, since the system slews both clocks alike.
 */
const ANCHOR_MS = 10;
/** The anchor is the best of so many tries: of each it is uncertain for how long the reading took. */
const TRIES = 3;

/** The same moment, or one just before, on the wall clock (µs) and on the monotonic clock (ms). */
let wallAnchor = 0;
let anchoredAt = -Infinity;

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
  // Whole microseconds are added to whole ones: a fraction beside so large a number would be rounded.
  return wallAnchor + Math.max(0, Math.floor((now - anchoredAt) * 1000));
}

function anchor(): void {
  let narrowest = Infinity;
  for (let i = 0; i < TRIES; i++) {
    const before = performance.now();
    const wall = Number(Temporal.Now.instant().epochNanoseconds / 1000n);
    const after = performance.now();
    if (after - before >= narrowest) continue;
    narrowest = after - before;
    // The wall clock was read before `after`: it can only have gone on since. Its reading comes out of a double, whose
    // steps are a quarter of a microsecond: it may have been rounded up, into the next whole one even.
    wallAnchor = wall - 1;
    anchoredAt = after;
  }
}
