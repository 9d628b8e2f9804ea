/** What happened when: the axis of time that all charts of a run share, its lost lines, and series in bins. */
import type { Bin } from "../../stats/binned_series.ts";
import type { LossSpan, LossSpans } from "../../stats/loss_spans.ts";
import type { Summary } from "../../stats/summary.ts";
import { median } from "../../stats/trend.ts";
import { counted } from "../../failure.ts";
import { lossText } from "../format.ts";
import type { Axis, Layer, Value } from "../page/model.ts";
import { chartMillis, chartSeconds, scaleFor } from "./shown.ts";

const LOSS = -1;
/** A line is broken where lines were lost if its points are this many times as far apart as usual. */
const MIN_GAP = 1.5;
/** And where lines follow a plan, wherever they are this many times as far apart: nothing was sent there. */
const MIN_SILENCE = 4;

/** Makes the layers of charts over time. */
export class Timeline {
  readonly axis: Axis;
  readonly #summary: Summary;
  readonly #losses: LossSpan[];
  /** When the last line was sent that was answered. */
  readonly #answeredUntil: number;

  constructor(summary: Summary, losses: LossSpans) {
    this.axis = {
      ...{ label: "time since the run began", quantity: "time", min: 0 },
      max: chartSeconds(summary.duration),
    };
    this.#summary = summary;
    this.#losses = losses.spans();
    this.#answeredUntil = losses.answeredUntil;
  }

  /** How many lines were lost, in words. */
  get lossText(): string {
    const { lost, loss } = this.#summary;
    return lost === 0 ? "none lost" : `${lost} lost (${lossText(loss)})`;
  }

  /** What marks and gaps are, where that is not plain. */
  get noteOfLosses(): { note?: string } {
    const { missed } = this.#summary;
    const told = [
      ...this.#losses.some(({ lines }) => lines > 1)
        ? ["A red span is an outage: it ends where a line was sent that was answered."]
        : [],
      ...missed > 0
        ? [
          `${
            counted(missed, "line was", "lines were")
          } not sent in time: where several in a row were not, the curve has a gap.`,
        ]
        : [],
    ];
    return told.length === 0 ? {} : { note: told.join(" ") };
  }

  /** Where lines were lost: a line as a stroke, several as the time that they took; nothing if none was. */
  losses(): Layer[] {
    if (this.#losses.length === 0) return [];
    const { interval, duration } = this.#summary;
    const spans = this.#losses.map(({ from, to, lines }): [number, number] => {
      if (lines === 1) return [chartSeconds(from), chartSeconds(to)];
      const next = to + (interval ?? (to - from) / (lines - 1));
      return [
        chartSeconds(from),
        chartSeconds(to > this.#answeredUntil ? duration : Math.min(next, duration)),
      ];
    });
    return [{ kind: "spans", name: `lost (${this.#summary.lost})`, colour: LOSS, spans }];
  }

  /**
   * Bins as a line of averages, and a band from the least to the largest where bins hold more than one value.
   *
   * @param name of the series among others.
   */
  series(bins: Bin[], colour: number, name?: string): Layer[] {
    if (bins.length === 0) return [];
    const [x, places] = this.#withGaps(bins);
    const of = (value: (bin: Bin) => number): Value[] =>
      places.map((bin) => bin === null ? null : chartMillis(value(bin)));
    const average = of(({ avg }) => avg);
    if (bins.every(({ count }) => count === 1)) {
      return [{ kind: "line", name: name ?? "each line", colour, x, y: average }];
    }
    const prefix = name === undefined ? "" : `${name}, `;
    return [
      {
        ...{ kind: "band", name: `${prefix}min to max of each ${widthText(bins[0]!)}`, colour, x },
        ...{ low: of(({ least }) => least), high: of(({ largest }) => largest) },
      },
      { kind: "line", name: `${prefix}average`, colour, x, y: average },
    ];
  }

  /** The bins and their moments, with a gap wherever no bin is because lines were lost, or none were sent. */
  #withGaps(bins: Bin[]): [x: number[], places: (Bin | null)[]] {
    const x: number[] = [];
    const places: (Bin | null)[] = [];
    const { interval } = this.#summary;
    const usual = bins.length < 2 ? 0 : median(bins.slice(1).map(({ time }, i) => time - bins[i]!.time));
    let next = 0;
    bins.forEach((bin, i) => {
      const before = bins[i - 1]?.time ?? bin.time;
      while (next < this.#losses.length && this.#losses[next]!.to < before) next++;
      const lost = this.#losses[next];
      const isLost = lost !== undefined && lost.from <= bin.time;
      const [distance, isAlone] = [bin.time - before, bin.count === 1 && bins[i - 1]?.count === 1];
      const isSilent = interval !== null && distance > MIN_SILENCE * Math.max(usual, interval);
      if (isSilent || (isLost && (isAlone || distance > MIN_GAP * usual))) {
        x.push(chartSeconds((before + bin.time) / 2));
        places.push(null);
      }
      x.push(chartSeconds(bin.time));
      places.push(bin);
    });
    return [x, places];
  }
}

function widthText({ width }: Bin): string {
  const [value, unit] = width < 1 ? [1000 * width, "ms"] : [width, "s"];
  return `${Number(value.toPrecision(2))} ${unit}`;
}

/** An axis for the durations of bins. */
export function durationAxis(label: string, bins: Bin[]): Axis {
  const [least, largest] = [
    Math.min(...bins.map((it) => it.least)),
    Math.max(...bins.map((it) => it.largest)),
  ];
  const scale = scaleFor(least, largest);
  return { label, quantity: "duration", ...scale, ...(scale.scale === undefined && { min: 0 }) };
}
