import type { Estimate } from "../stats/summary.ts";

/** Seconds as milliseconds with three decimals, as ping(8) shows them. */
export function millis(seconds: number): string {
  return (seconds * 1000).toFixed(3);
}

/** Microseconds likewise. */
export function millisOfMicros(micros: number): string {
  return (micros / 1000).toFixed(3);
}

/** An estimate, always with its sign and its bound: `+12.345 ms ± 0.206 ms`. The bound is rounded up. */
export function withBound(estimate: Estimate, scale = 1000, unit = "ms"): string {
  const [value, bound] = rounded(estimate, scale, 3);
  return `${value} ${unit} ± ${bound} ${unit}`;
}

/** A drift as short as a table needs it: `+7.2 ± 39.2 ppm`. */
export function driftCell(ppm: Estimate): string {
  const [value, bound] = rounded(ppm, 1, 1);
  return `${value} ± ${bound} ppm`;
}

/** A value with its sign, and a bound so much larger that the true value stays within. */
function rounded({ value, bound }: Estimate, scale: number, digits: number): [value: string, bound: string] {
  const shown = (value * scale).toFixed(digits).replace(/^-(?=0\.0+$)/, "");
  // Rounding the middle must not move the interval off the true value.
  const slack = Math.abs(Number(shown) - value * scale);
  const width = Math.ceil((bound * scale + slack) * 10 ** digits - 1e-6) / 10 ** digits;
  return [`${shown.startsWith("-") ? "" : "+"}${shown}`, width.toFixed(digits)];
}

/** The share of lost lines: `1.5% loss`; unknown as long as no line's fate is known. */
export function lossText(loss: number | null): string {
  return loss === null ? "loss unknown" : `${percent(loss)} loss`;
}

/** A share in percent with at most two decimals: `12.35%`. What is not 0% or 100% is not called so. */
export function percent(share: number): string {
  const rounded = Number((share * 100).toFixed(2));
  const isExact = rounded === share * 100 || (rounded !== 0 && rounded !== 100);
  return isExact ? `${rounded}%` : exactPercent(share);
}

/** A share in percent with at most six digits, to be held against a limit. */
export function exactPercent(share: number): string {
  return `${Number((share * 100).toPrecision(6))}%`;
}
