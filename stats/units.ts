/** Microseconds in seconds, to the nanosecond. */
export function seconds(micros: number): number {
  return Math.round(micros * 1e3) / 1e9;
}

/** Seconds in microseconds, to the nanosecond. */
export function micros(seconds: number): number {
  return Math.round(seconds * 1e9) / 1e3;
}

/** Rounds to nine decimals, so that a value prints without the digits that arithmetic left behind. */
export function nanos(value: number): number {
  return Math.round(value * 1e9) / 1e9;
}
