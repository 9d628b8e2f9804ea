/**
 * How long an anchor is carried on by the monotonic clock, in ms: a step of the wall clock shows within this time.
 * Slewing needs no care, since the system slews both clocks alike.
 */
const ANCHOR_MS = 10;
/** Reading both clocks is repeated if it took longer than this, in ms: the anchor is uncertain by as much. */
const SHORT_MS = 0.0015;
const MAX_TRIES = 10;
/**
 * Asks the system for its wall clock, in microseconds. V8 reads whole microseconds and makes milliseconds of them, in a
 * double: of the nanoseconds that come out the last three digits are noise, a little below or above the truth.
 */
export function systemMicros(): number {
  return Math.round(Number(Temporal.Now.instant().epochNanoseconds) / 1000);
}

/** The same moment, or one just before, on the wall clock (µs) and on the monotonic clock (ms). */
let wallAnchor = 0;
let anchoredAt = -Infinity;

/**
 * Reads the wall clock: microseconds since the Unix epoch, as an integer below 2^53.
 *
 * It is never ahead of the system's clock and hardly ever more than 3 µs behind it, except within 10 ms after a step.
 * Asking the system each time (Temporal) takes five times as long as the monotonic clock, and
 * `performance.timeOrigin` neither follows the system clock's steps nor is it exact.
 */
export function wallMicros(): number {
  const now = performance.now();
  if (now - anchoredAt > ANCHOR_MS) anchor();
  // Whole microseconds are added to whole ones: a double of this size resolves only quarters of one.
  return wallAnchor + Math.max(0, Math.floor((now - anchoredAt) * 1000));
}

function anchor(): void {
  let narrowest = Infinity;
  for (let i = 0; i < MAX_TRIES && narrowest > SHORT_MS; i++) {
    const before = performance.now();
    const wall = systemMicros();
    const after = performance.now();
    if (after - before >= narrowest) continue;
    narrowest = after - before;
    // The wall clock was read before `after`: it can only have gone on since.
    wallAnchor = wall;
    anchoredAt = after;
  }
}

/**
 * The wall clock (µs since the Unix epoch) when another clock, in ms, is 0: the tightest of some readings of both. Between
 * the readings of a pair this process may have had to wait for a processor, for milliseconds.
 */
export function wallOrigin(now: () => number, wall: () => number = systemMicros): number {
  let [narrowest, origin] = [Infinity, NaN];
  for (let i = 0; i < MAX_TRIES && narrowest > SHORT_MS; i++) {
    const before = now();
    const micros = wall();
    const after = now();
    if (after - before >= narrowest) continue;
    narrowest = after - before;
    origin = micros - 1000 * after;
  }
  return origin;
}
