/**
 * Reads the wall clock: microseconds since the Unix epoch, as an integer below 2^53.
 *
 * Temporal is asked each time, rather than `performance.timeOrigin + performance.now()`, because the latter
 * neither follows the system clock's steps nor its slewing.
 */
export function wallMicros(): number {
  return Number(Temporal.Now.instant().epochNanoseconds / 1000n);
}
