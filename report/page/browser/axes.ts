/**
 * Ticks and labels of charts. Everything in this folder runs in the page: it gets the source of the functions and classes
 * that ../script.ts lists, one by one, so that they use each other, constants of their own, and nothing else.
 */
import type { Axis, Quantity } from "../model.ts";

/** Where a value lies on an axis: quantiles at log10(1 / (1 - quantile)), all else where it is. */
export function placeOf(quantity: Quantity, value: number): number {
  return quantity === "quantile" ? -Math.log10(1 - value) : value;
}

/** The value at a place of an axis. */
export function valueAt(quantity: Quantity, place: number): number {
  return quantity === "quantile" ? 1 - 10 ** -place : place;
}

/** The places of an axis's ticks, at most so many. */
export function ticksOf({ quantity, scale }: Axis, min: number, max: number, most: number): number[] {
  if (quantity === "quantile" && max - min > 0.5) return quantileTicks(min, max, most);
  if (quantity !== "quantile") {
    return scale === "log" && max / min > 8 ? decades(min, max, most) : evenTicks(quantity, min, max, most);
  }
  return evenTicks("share", valueAt(quantity, min), valueAt(quantity, max), most).map((it) =>
    placeOf(quantity, it)
  );
}

/** 0%, 90%, 99% and so on, with what finds room between them. */
function quantileTicks(min: number, max: number, most: number): number[] {
  const nines = Array.from({ length: 16 }, (_, i) => i);
  const between = [[0.25, 0.5, 0.75, 0.95, 0.995], [0.5, 0.75], [0.5], []];
  const candidates = between.map((it) => [...nines, ...it.map((value) => placeOf("quantile", value))]);
  for (const step of [2, 3, 4, 8]) candidates.push(nines.filter((it) => it % step === 0));
  const shown = candidates.map((it) => it.filter((place) => place >= min && place <= max));
  return (shown.find((it) => it.length <= most) ?? []).sort((a, b) => a - b);
}

function decades(min: number, max: number, most: number): number[] {
  const first = Math.floor(Math.log10(min));
  const exponents = Array.from({ length: Math.ceil(Math.log10(max)) - first + 1 }, (_, i) => first + i);
  const candidates = [[1, 2, 5], [1, 3]].map((digits) =>
    exponents.flatMap((it) => digits.map((digit) => Number(`${digit}e${it}`)))
  );
  for (const step of exponents.keys()) {
    candidates.push(exponents.filter((it) => it % (step + 1) === 0).map((it) => Number(`1e${it}`)));
  }
  const shown = candidates.map((it) => it.filter((value) => value >= min && value <= max));
  return shown.find((it) => it.length <= most) ?? [];
}

function evenTicks(quantity: Quantity, min: number, max: number, most: number): number[] {
  const step = stepOf(quantity, (max - min) / most);
  const ticks: number[] = [];
  // Products, unlike sums, do not gather errors.
  for (let i = Math.ceil(min / step - 1e-9); i * step <= max + step * 1e-9 && ticks.length < 100; i++) {
    ticks.push(Number((i * step).toPrecision(14)));
  }
  return ticks;
}

/** The first round step that is not below the least. */
function stepOf(quantity: Quantity, least: number): number {
  if (quantity === "time" && least > 0.5) {
    const minutes = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720].map((it) => it * 60);
    const steps = [1, 2, 5, 10, 15, 30, ...minutes];
    return steps.find((it) => it >= least) ?? Math.ceil(least / 86_400) * 86_400;
  }
  const power = 10 ** Math.floor(Math.log10(least));
  const step = power * ([1, 2, 5].find((it) => it * power >= least * (1 - 1e-9)) ?? 10);
  return quantity === "count" ? Math.max(step, 1) : step;
}

/** The labels of an axis's ticks, all in one unit unless the axis is logarithmic. */
export function labelsOf({ quantity, scale }: Axis, places: number[]): string[] {
  const gaps = places.slice(1).map((it, i) => it - places[i]!);
  const step = Math.min(...gaps.map(Math.abs), Math.abs(places.at(-1) ?? 0) || 1);
  const most = Math.max(...places.map(Math.abs), 0);
  return places.map((place) => {
    if (quantity === "quantile") return `${Number((valueAt(quantity, place) * 100).toPrecision(12))}%`;
    if (place === 0 && quantity !== "time") return quantity === "share" ? "0%" : "0";
    return scale === "log"
      ? labelOf(place, quantity, { most: place, step: place })
      : labelOf(place, quantity, { most, step });
  });
}

/**
 * A value with its unit.
 *
 * @param most what decides the unit: the largest of the values beside it.
 * @param step what decides the decimals: the difference of the values beside it; else four digits are shown.
 */
export function labelOf(
  value: number,
  quantity: Quantity,
  { most = Math.abs(value), step }: { most?: number; step?: number } = {},
): string {
  if (quantity === "quantile") {
    // So many nines, and one digit more.
    return `${(value * 100).toFixed(Math.min(Math.max(Math.ceil(placeOf(quantity, value)), 0), 13))}%`;
  }
  if (quantity === "time" && most > 300) return clockTime(value, step ?? 1);
  const { name, size } = unitOf(quantity, most);
  const scaled = value / size;
  const finest = Number((step === undefined ? Math.abs(scaled) / 1000 : step / size).toPrecision(9));
  const isWhole = finest === 0 ||
    (Number.isInteger(scaled) && step === undefined && quantity !== "duration");
  let digits = isWhole ? 0 : Math.min(Math.max(-Math.floor(Math.log10(finest) + 1e-9), 0), 9);
  // Steps such as 2.5 have a digit more than their size says.
  if (step !== undefined && Math.abs(finest * 10 ** digits % 1) > 1e-6) digits++;
  const text = scaled.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${text.replace("-", "−")}${name}`;
}

function unitOf(quantity: Quantity, most: number): { name: string; size: number } {
  const pick = (names: string[], sizes: number[]) => {
    const found = sizes.findIndex((it) => it <= most * (1 + 1e-9));
    const i = most === 0 ? sizes.indexOf(1) : found < 0 ? sizes.length - 1 : found;
    return { name: names[i]!, size: sizes[i]! };
  };
  switch (quantity) {
    case "time":
      return { name: " s", size: 1 };
    case "share":
      return { name: "%", size: 0.01 };
    case "duration":
      return pick([" s", " ms", " µs", " ns"], [1000, 1, 1e-3, 1e-6]);
    default: {
      const unit = most < 100_000 ? { name: "", size: 1 } : pick(["G", "M", "k"], [1e9, 1e6, 1e3]);
      return quantity === "rate" ? { ...unit, name: `${unit.name}/s` } : unit;
    }
  }
}

/** `0:01:30`, with decimals where steps are that small. */
function clockTime(seconds: number, step: number): string {
  const decimals = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  const factor = 10 ** decimals;
  const size = Math.round(Math.abs(seconds) * factor) / factor;
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const rest = (size % 60).toFixed(decimals).padStart(decimals > 0 ? decimals + 3 : 2, "0");
  return `${seconds < 0 ? "−" : ""}${Math.floor(size / 3600)}:${two(size / 60 % 60)}:${rest}`;
}

/** What the page gets of this file: all of it. */
export const AXES = [
  placeOf,
  valueAt,
  ticksOf,
  quantileTicks,
  decades,
  evenTicks,
  stepOf,
  labelsOf,
  labelOf,
  unitOf,
  clockTime,
];
