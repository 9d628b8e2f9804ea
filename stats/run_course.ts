/** How a run went, in numbers that are few however long it was: what charts are drawn from. */
import { Distribution } from "./distribution.ts";

/** The most entries of a run whose events are put into equal parts of it. */
const MAX_ENTRIES = 300;
/** How many quantiles there are in each tenfold of 1 / (1 - quantile). */
const QUANTILES_A_DECADE = 10;

/**
 * A part of a run: times in seconds since it began, latencies in ms; null where there are too few values, and Infinity
 * where too many lines got no reply: it was above the time-out.
 */
export interface CourseEntry {
  from: number;
  to: number;
  p50: number | null;
  p99: number | null;
}

/** So few lines that came after a plan's end tell little of that time: they are the slow ones of the lines before. */
const HANDFUL = 10;

/** What came after a plan's end. */
export interface Tail {
  lines: number;
  /** The longest latency, in ms. */
  slowest: number;
}

/**
 * Whether charts over time have what came after the plan's end: the few lines of a moment would pull the end of each line
 * somewhere, but the slowest of the run is to be seen.
 *
 * @param slowest latency of the plan's time, in ms.
 */
export function isDrawn(tail: Tail, slowest: number): boolean {
  return tail.lines > HANDFUL || tail.slowest > slowest;
}

/** The latencies of a run, over its time and over its lines. */
export interface RunCourse {
  /** In order, without gaps; what came after the plan's end is one, if it {@linkcode isDrawn}. */
  entries: CourseEntry[];
  /** Undefined if nothing came after the plan's end. */
  tail?: Tail;
  /** For each quantile, the latency in ms that this share of the lines did not exceed. */
  curve: [quantile: number, millis: number][];
}

/** An entry of values in µs. Of one value it is the median, too. */
function courseEntry(from: number, to: number, values: Distribution): CourseEntry {
  const isKnown = values.count > 0 && values.min >= 0;
  return {
    from,
    to,
    p50: isKnown ? values.percentile(50) / 1000 : null,
    p99: values.hasPercentile(99) ? values.percentile(99) / 1000 : null,
  };
}

/** The quantiles of values in µs, as far as there are values beyond them. */
export function quantileCurve(values: Distribution): RunCourse["curve"] {
  const curve: RunCourse["curve"] = [];
  if (values.count === 0 || values.min < 0) return curve;
  for (let step = 0;; step++) {
    const beyond = 10 ** (-step / QUANTILES_A_DECADE);
    if (beyond * values.count < 1 - 1e-9) return curve;
    const quantile = 1 - beyond;
    curve.push([quantile, (step === 0 ? values.min : values.percentile(100 * quantile)) / 1000]);
  }
}

/** The course of a run from its single latencies. @param duration in seconds. @param values each at its moment, in µs. */
export function courseOf(
  duration: number,
  values: Iterable<{ at: number; micros: number }>,
): RunCourse {
  const count = Math.max(1, Math.min(MAX_ENTRIES, Math.floor(duration)));
  const parts = Array.from({ length: count }, () => new Distribution());
  const whole = new Distribution();
  for (const { at, micros } of values) {
    const place = duration > 0 ? Math.floor(count * at / duration) : 0;
    parts[Math.max(0, Math.min(count - 1, place))]!.record(micros);
    whole.record(micros);
  }
  const entries = parts.map((part, place) =>
    courseEntry(place * duration / count, (place + 1) * duration / count, part)
  );
  return { entries, curve: quantileCurve(whole) };
}
