import type { Axis } from "../model.ts";

/** What an axis does with a value before it is laid out evenly; its inverse is not needed. */
type Transform = (value: number) => number;

const TRANSFORMS: Record<"linear" | "log" | "quantile", Transform> = {
  linear: (value) => value,
  log: Math.log10,
  quantile: (value) => value < 0 || value >= 1 ? NaN : -Math.log10(1 - value),
};

/** Beyond this a value is no figure of a run, and sums of it would not be finite. */
const MAX_VALUE = 1e100;
/** What is nearer to 0 is 0. */
const MIN_VALUE = 1e-100;
/** How far outside of its axis a value may be drawn, in lengths of the axis: lines that leave it keep their slope. */
const MAX_OUTSIDE = 20;

/** Where the values of an axis lie. */
export class Scale {
  readonly kind: "linear" | "log" | "quantile";
  readonly #transform: Transform;
  readonly #from: number;
  readonly #length: number;

  /** @param min less than max; above 0 if the scale is logarithmic, and both below 1 if it is of quantiles. */
  constructor(kind: Scale["kind"], readonly min: number, readonly max: number) {
    this.kind = kind;
    this.#transform = TRANSFORMS[kind];
    this.#from = this.#transform(min);
    this.#length = this.#transform(max) - this.#from;
  }

  /** From 0 where the axis begins to 1 where it ends, and some way beyond; NaN if the value has no place. */
  at(value: number): number {
    // On a logarithmic axis, what is not above 0 lies at its beginning.
    if (this.kind === "log" && value <= 0) return 0;
    const at = (this.#transform(value) - this.#from) / this.#length;
    return Math.min(Math.max(at, -MAX_OUTSIDE), MAX_OUTSIDE);
  }
}

/** How an axis counts. */
export function kindOf({ quantity, scale }: Axis): Scale["kind"] {
  return quantity === "quantile" ? "quantile" : scale ?? "linear";
}

/** Whether a value can be drawn on an axis. */
export function isDrawable(value: number | null | undefined, kind: Scale["kind"]): value is number {
  return value !== null && value !== undefined && Math.abs(value) < MAX_VALUE &&
    (kind !== "quantile" || (value >= 0 && value < 1));
}

/**
 * The scale of an axis with these values; null without a value and without both ends.
 *
 * @param values what {@linkcode isDrawable}.
 * @param room whether to leave some around the values, and to show 0 where that costs little.
 * @param zero whether to show 0 in any case, if there is to be room.
 */
export function scaleOf(
  axis: Axis,
  values: Iterable<number>,
  { room = false, zero = false } = {},
): Scale | null {
  const kind = kindOf(axis);
  let [min, max] = [Infinity, -Infinity];
  for (const value of values) {
    if (kind === "log" && value < MIN_VALUE) continue;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const [from, to] = [fitting(axis.min, kind), fitting(axis.max, kind)];
  if (min > max) {
    if (from === undefined || to === undefined) return null;
    [min, max] = [from, to];
  }
  if (room) [min, max] = withRoom(kind, min, max, zero);
  [min, max] = [from ?? min, to ?? max];
  return new Scale(kind, ...distinct(kind, min, max));
}

/** An end that was asked for, if the scale can have it. */
function fitting(end: number | undefined, kind: Scale["kind"]): number | undefined {
  return isDrawable(end, kind) && (kind !== "log" || end >= MIN_VALUE) ? end : undefined;
}

function withRoom(kind: Scale["kind"], min: number, max: number, zero: boolean): [number, number] {
  if (kind === "quantile") return [min, max];
  if (kind === "log") {
    const room = Math.max((max / min) ** 0.04, 1.05);
    return [min / room, max * room];
  }
  const fromZero = min >= 0 && (zero || min < max / 2);
  const toZero = max <= 0 && (zero || max > min / 2);
  const low = fromZero ? 0 : min;
  const high = toZero ? 0 : max;
  const room = (high - low) * 0.06;
  return [fromZero ? 0 : low - room, toZero ? 0 : high + room];
}

/** Two ends that differ, and by more than rounding could hide. */
function distinct(kind: Scale["kind"], min: number, max: number): [number, number] {
  if (kind === "log") return max > min * (1 + 1e-9) ? [min, max] : [min / 2, min * 2];
  if (kind === "quantile") {
    const length = TRANSFORMS.quantile(max) - TRANSFORMS.quantile(min);
    return length > 1e-6 ? [min, max] : min < 0.5 ? [0, 0.9] : [1 - (1 - min) * 2, min];
  }
  const least = Math.max(Math.abs(min), Math.abs(max), MIN_VALUE) * 1e-9;
  if (max - min > least) return [min, max];
  if (Math.abs(min) < MIN_VALUE) return [0, 1];
  const room = Math.abs(min) / 2;
  return [min - room, min + room];
}
