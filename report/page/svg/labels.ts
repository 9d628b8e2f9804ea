import type { Quantity } from "../model.ts";
import type { Scale } from "./scale.ts";

/** A time axis longer than this many seconds shows hours, minutes and seconds. */
const MAX_SECONDS = 300;
/** From here on a number is shown in thousands, or millions. */
const MIN_COMPACT = 100_000;
/** A label with more decimals than this is better told in a smaller unit. */
const MAX_DECIMALS = 2;

interface Unit {
  name: string;
  /** In the axis's own unit. */
  size: number;
}

const DURATIONS: Unit[] = [
  { name: " s", size: 1000 },
  { name: " ms", size: 1 },
  { name: " µs", size: 1e-3 },
  { name: " ns", size: 1e-6 },
];
const TIMES = DURATIONS.map(({ name, size }) => ({ name, size: size / 1000 }));
const NUMBERS: Unit[] = [
  { name: "T", size: 1e12 },
  { name: "G", size: 1e9 },
  { name: "M", size: 1e6 },
  { name: "k", size: 1e3 },
];

/** Whether an axis shows hours, minutes and seconds. */
export function isClock({ min, max, kind }: Scale, quantity: Quantity): boolean {
  return quantity === "time" && kind === "linear" && Math.max(Math.abs(min), Math.abs(max)) > MAX_SECONDS;
}

/** What stands beside ticks: each value with its unit, all with the same decimals where the steps are even. */
export function labelsOf(
  values: number[],
  quantity: Quantity,
  kind: Scale["kind"],
  clock: boolean,
): string[] {
  if (quantity === "quantile") return values.map((it) => `${shortest(it * 100)}%`);
  if (clock) return values.map(clockTime);
  if (kind === "log") return values.map((it) => together([it], quantity)[0]!);
  return together(values, quantity);
}

/** A value by itself, such as a count in a legend. */
export function labelOf(value: number, quantity: Quantity): string {
  return together([value], quantity)[0]!;
}

function together(values: number[], quantity: Quantity): string[] {
  const { name, size } = unitOf(values, quantity);
  const scaled = values.map((it) => it / size);
  const decimals = Math.max(...scaled.map(decimalsOf), 0);
  return scaled.map((it) => it === 0 ? zero(quantity) : `${grouped(it, decimals)}${name}`);
}

function zero(quantity: Quantity): string {
  return quantity === "share" ? "0%" : "0";
}

function unitOf(values: number[], quantity: Quantity): Unit {
  const most = Math.max(...values.map(Math.abs), 0);
  switch (quantity) {
    case "share":
      return { name: "%", size: 0.01 };
    case "time":
      return fittingUnit(TIMES, values, most);
    case "duration":
      return fittingUnit(DURATIONS, values, most);
    case "rate":
    case "count":
    case "quantile": {
      const compact = most >= MIN_COMPACT ? fittingUnit(NUMBERS, values, most) : { name: "", size: 1 };
      return quantity === "rate" ? { ...compact, name: `${compact.name}/s` } : compact;
    }
  }
}

/** The largest unit of which the values are more than a part, and which shows them with few decimals. */
function fittingUnit(units: Unit[], values: number[], most: number): Unit {
  const smallest = units.at(-1)!;
  const large = units.findIndex(({ size }) => size <= most * (1 + 1e-9));
  if (large < 0) return most === 0 ? units.find(({ size }) => size === 1) ?? smallest : smallest;
  const decimals = (unit: Unit) => Math.max(...values.map((it) => decimalsOf(it / unit.size)));
  return units.slice(large).find((it) => decimals(it) <= MAX_DECIMALS) ?? smallest;
}

/** How many decimals show a value: ticks have few digits, and what comes after the twelfth is rounding. */
function decimalsOf(value: number): number {
  const [digits = "", exponent] = value.toPrecision(12).split("e");
  const decimals = /\.(\d*?)0*$/.exec(digits)?.[1]?.length ?? 0;
  return Math.min(Math.max(decimals - Number(exponent ?? 0), 0), 100);
}

function shortest(value: number): string {
  return String(Number(value.toPrecision(MAX_PRECISION)));
}
const MAX_PRECISION = 15;

/** `−1,234.50`. */
function grouped(value: number, decimals: number): string {
  const size = Math.abs(value);
  if (size >= 1e15 || decimals > 9) return signed(value, size.toExponential(2).replace(/\.?0*e\+?/, "e"));
  const [whole = "", fraction] = size.toFixed(decimals).split(".");
  const thousands = whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
  return signed(value, fraction === undefined ? thousands : `${thousands}.${fraction}`);
}

function signed(value: number, text: string): string {
  return value < 0 ? `−${text}` : text;
}

/** `0:01:30`. */
function clockTime(seconds: number): string {
  const size = Math.round(Math.abs(seconds) * 1000) / 1000;
  const [hours, minutes, rest] = [Math.floor(size / 3600), Math.floor(size / 60) % 60, size % 60];
  const fraction = decimalsOf(rest);
  const padded = rest.toFixed(fraction).padStart(fraction > 0 ? fraction + 3 : 2, "0");
  return signed(seconds, `${hours}:${String(minutes).padStart(2, "0")}:${padded}`);
}
