/** What a saved run amounts to for a comparison: each figure of the whole run, and of five equal parts of it. */
import { durationText } from "../time/duration.ts";
import { BATCHES, linesOfBatch, LONG_ENOUGH } from "./batches.ts";
import { COMPARED_PERCENTILES, type ComparedMetric } from "./compared_metrics.ts";
import { Distribution } from "./distribution.ts";

/** One figure of a run: seconds, lines a second, or a share of 1. */
export interface Figure {
  /** Of the whole run; null where it is not known. */
  value: number | null;
  /** What it is no less than, if lines that never came put it beyond the time-out. */
  atLeast?: number;
  /** Of each of {@linkcode BATCHES} equal parts; null where they tell nothing. */
  parts: number[] | null;
  /** Why `value` is null, or else why `parts` is. */
  help: string | null;
}

/** What happened in some part of a run. Counts are of lines. */
export interface PartCounts {
  received?: number;
  /** Lost, or failed for another reason. */
  failed?: number;
  corrupt?: number;
  /** Those received that make the rate; all by default. */
  rated?: number;
  /** How long it is, in seconds; 0 for what came after the run's planned end. */
  time: number;
}

interface Part extends Required<PartCounts> {
  latency: Distribution;
}

/** The equal parts of a run, filled with what happened in each. */
export class RunParts {
  readonly #duration: number;
  readonly #parts: Part[] = Array.from({ length: BATCHES }, () => ({
    latency: new Distribution(),
    ...{ received: 0, rated: 0, failed: 0, corrupt: 0, time: 0 },
  }));

  /** @param duration of the run, in seconds. */
  constructor(duration: number) {
    this.#duration = duration;
  }

  /**
   * Adds what happened.
   *
   * @param at its middle, in seconds since the run began; what came after the run belongs to the last part.
   * @param latency durations in µs.
   */
  add(
    at: number,
    { received = 0, rated = received, failed = 0, corrupt = 0, time }: PartCounts,
    latency?: Distribution,
  ): void {
    // A run that was stopped before its first line has no duration.
    const place = this.#duration > 0 ? Math.floor(BATCHES * at / this.#duration) : 0;
    const part = this.#parts[Math.max(0, Math.min(BATCHES - 1, place))]!;
    part.received += received;
    part.failed += failed;
    part.corrupt += corrupt;
    part.time += time;
    part.rated += rated;
    if (latency !== undefined) part.latency.add(latency);
  }

  /** The latencies of all parts, in µs. */
  latency(): Distribution {
    const all = new Distribution();
    for (const { latency } of this.#parts) all.add(latency);
    return all;
  }

  /** A metric in each part, or why the parts do not tell it. */
  of(metric: ComparedMetric): number[] | string {
    if (this.#duration * 1000 < LONG_ENOUGH) return `a run of ${durationText(LONG_ENOUGH)} or more is needed`;
    switch (metric) {
      case "rate":
        return this.#parts.map(({ rated, time }) => rated / time);
      case "loss": {
        const losses = this.#parts.map(lossOf);
        if (losses.includes(null)) return "no line was answered or lost in a fifth of a run";
        return losses.map((it) => it!);
      }
      default: {
        const percent = COMPARED_PERCENTILES[metric];
        const lines = linesOfBatch(percent);
        if (!this.#parts.every(({ latency: { count, min } }) => count >= lines && min >= 0)) {
          return `needs ${lines} replies in each fifth of a run`;
        }
        return this.#parts.map(({ latency }) => latency.percentile(percent) / 1e6);
      }
    }
  }
}

/** The figure of a metric. @param help why `value` is null. */
export function figureOf(
  metric: ComparedMetric,
  value: number | null,
  parts: RunParts,
  help: { help: string; atLeast?: number },
): Figure {
  if (value === null) return { value, parts: null, ...help };
  const found = parts.of(metric);
  return typeof found === "string"
    ? { value, parts: null, help: found }
    : { value, parts: found, help: null };
}

/** The share of lines that failed or were not answered, of those whose fate is known; null if there are none. */
export function lossOf(
  { received, failed, corrupt }: Required<Omit<PartCounts, "rated" | "time">>,
): number | null {
  const known = received + failed + corrupt;
  return known === 0 ? null : failed / known;
}
