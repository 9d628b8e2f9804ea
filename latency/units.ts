/** Microseconds in seconds, to the nanosecond. */
export function seconds(micros: number): number {
  return Math.round(micros * 1e3) / 1e9;
}

/** A value to nine decimals, so that it prints without the digits that arithmetic has left behind. */
export function nanos(value: number): number {
  return Math.round(value * 1e9) / 1e9;
}
