/** A run over time, as charts. */
import type { OffsetAt } from "../../stats/course.ts";
import type { Bounds } from "../../stats/feasible_lines.ts";
import type { RunCourse } from "../../stats/run_stats.ts";
import type { Summary } from "../../stats/summary.ts";
import { millis, withBound } from "../format.ts";
import type { Plot } from "../page/model.ts";
import { ABOVE_BEST, DIRECTIONS } from "../summary.ts";
import { chartMillis, chartSeconds, figures, ofEach, type ShownServer } from "./shown.ts";
import { durationAxis, Timeline } from "./timeline.ts";

/** The most bins that the series of a chart have together. */
const MAX_BINS = 1000;
/** A bound is shown once it is no wider than this many times the one at the end: a first reply says little. */
const MAX_BOUND = 5;
/** An offset of this many times its bound has no room for the bound on an axis: it is shown from the offset at the end. */
const MAX_OFFSET = 1e4;
/** Colours of what belongs to no server. */
const [CONNECT, HANDSHAKE] = [6, 7];

/** Draws the course of a run: the charts that it has something for. */
export class CoursePlots {
  readonly #summary: Summary;
  readonly #course: RunCourse;
  readonly #servers: ShownServer[];
  readonly #timeline: Timeline;
  readonly #bins: number;

  constructor(summary: Summary, course: RunCourse, servers: ShownServer[]) {
    this.#summary = summary;
    this.#course = course;
    this.#servers = servers;
    this.#timeline = new Timeline(summary, course.run.losses);
    this.#bins = Math.floor(MAX_BINS / Math.max(1, servers.length));
  }

  /** Round trips and lost lines; where nothing was answered there is only when lines were lost. */
  roundTrips(): Plot[] {
    const timeline = this.#timeline;
    const losses = timeline.losses();
    const { rtt } = this.#summary;
    if (rtt === null) {
      if (losses.length === 0) return [];
      return [{
        title: "Lost lines over time",
        description: `${timeline.lossText}.`,
        ...timeline.noteOfLosses,
        x: timeline.axis,
        y: { label: "lost", quantity: "share", min: 0, max: 1 },
        layers: losses,
      }];
    }
    const series = this.#servers.map((it) => ({ ...it, bins: it.course.rtt.bins(this.#bins) }));
    return [{
      title: "Round trip over time",
      description: `${figures(rtt)}; ${timeline.lossText}.`,
      ...timeline.noteOfLosses,
      x: timeline.axis,
      y: durationAxis("round trip", series.flatMap(({ bins }) => bins)),
      layers: [...series.flatMap(({ bins, colour, name }) => timeline.series(bins, colour, name)), ...losses],
    }];
  }

  /** The delay of each direction, on one scale. */
  directions(): Plot[] {
    const servers = this.#servers.filter(({ summary }) => summary.up !== null);
    if (servers.length === 0) return [];
    const series = servers.map((it) => ({ ...it, ...it.course.delays(this.#bins) }));
    const largest = series.flatMap(({ up, down }) => [...up, ...down].map((it) => it.largest));
    const max = chartMillis(Math.max(...largest, 1));
    return (["up", "down"] as const).map((direction) => {
      const label = `${DIRECTIONS[direction]} ${ABOVE_BEST}`;
      const name = capital(label);
      return {
        title: `${name}, over time`,
        description: `${ofEach(servers, (it) => figures(it[direction]))}.`,
        x: this.#timeline.axis,
        y: { label, quantity: "duration", min: 0, max },
        layers: series.flatMap((it) => this.#timeline.series(it[direction], it.colour, it.name)),
      };
    });
  }

  /** What was known of each server's clock offset in the course of the run. */
  offsets(): Plot[] {
    return this.#servers.flatMap(({ name, colour, summary: { offset, withdrawn }, course }): Plot[] => {
      if (offset === null) return [];
      const all = course.offsets();
      const shown = all.slice(all.findIndex((it) => widthOf(it) <= MAX_BOUND * widthOf(all.at(-1)!)));
      const base = Math.abs(offset.value) > MAX_OFFSET * offset.bound ? 1e6 * offset.value : 0;
      const from = base === 0 ? "" : `, from ${millis(offset.value)} ms`;
      // Where the clock broke nothing is known in between.
      const points = shown.flatMap((it, i) =>
        it.isBroken && i > 0 ? [{ at: (shown[i - 1]!.at + it.at) / 2, offset: null }, it] : [it]
      );
      const x = points.map(({ at }) => chartSeconds(at));
      const of = (value: (offset: Bounds) => number) =>
        points.map(({ offset }) => offset === null ? null : chartMillis(value(offset) - base));
      const title = `Clock offset${name === undefined ? "" : ` of ${name}`}`;
      const bound = withdrawn === null ? "bound proven so far" : "bound that single replies prove";
      return [{
        title: `${title}, with its bound`,
        description: `At the end ${withBound(offset)}.`,
        x: this.#timeline.axis,
        y: { label: `server's clock minus this machine's${from}`, quantity: "duration" },
        layers: [
          {
            ...{ kind: "band", name: bound, colour, x },
            ...{ low: of(({ lower }) => lower), high: of(({ upper }) => upper) },
          },
          {
            ...{ kind: "line", name: "middle of the bound", colour, x },
            y: of(({ lower, upper }) => (lower + upper) / 2),
          },
        ],
      }];
    });
  }

  /** What connections took, if each line had its own. */
  connections(): Plot[] {
    const { connect, handshake } = this.#summary;
    const connects = this.#course.run.connect.bins(MAX_BINS / 2);
    if (connect === null || connects.length === 0) return [];
    const handshakes = this.#course.run.handshake.bins(MAX_BINS / 2);
    const more = handshake === null
      ? ["", ""]
      : [" and TLS handshake", `; TLS handshake: ${figures(handshake)}`];
    return [{
      title: `Connect${more[0]} over time`,
      description: `Connect: ${figures(connect)}${more[1]}.`,
      x: this.#timeline.axis,
      y: durationAxis("time taken", [...connects, ...handshakes]),
      layers: [
        ...this.#timeline.series(connects, CONNECT, "connect"),
        ...this.#timeline.series(handshakes, HANDSHAKE, "TLS handshake"),
        ...this.#timeline.losses(),
      ],
    }];
  }
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}

function widthOf({ offset: { lower, upper } }: OffsetAt): number {
  return upper - lower;
}
