/** How a load went, second by second, as the numbers that charts show. */
import type { Distribution } from "../../stats/distribution.ts";
import type { LoadInterval } from "../../stats/load_interval.ts";
import type { LoadStats } from "../../stats/load_stats.ts";
import { isBeyond } from "../../stats/load_durations.ts";
import { isDrawn, type Tail } from "../../stats/run_course.ts";
import { LogScale } from "../histogram.ts";
import type { Value } from "../page/model.ts";
import { Losses } from "./losses.ts";
import { durationText } from "../../time/duration.ts";

/** The most cells of the heat map. */
const MAX_HEAT_COLUMNS = 120;
const MAX_HEAT_ROWS = 40;
/** A row of it spans this factor at least. */
const MIN_HEAT_FACTOR = 1.05;
/** The most servers whose delays are drawn. */
export const MAX_DRAWN_SERVERS = 8;

const PERCENTILES = [["p50", 50], ["p90", 90], ["p99", 99]] as const;

/** A distribution in each second: figures in ms, null where there are too few values for them. */
export class Spread {
  readonly min: Value[] = [];
  readonly p50: Value[] = [];
  readonly p90: Value[] = [];
  readonly p99: Value[] = [];
  readonly max: Value[] = [];
  readonly #leftOut = { p50: 0, p90: 0, p99: 0 };

  add(values: Distribution | undefined): void {
    const told = values !== undefined && values.count > 0 && values.min >= 0;
    for (const name of ["min", "max"] as const) this[name].push(told ? values[name] / 1000 : null);
    for (const [name, percent] of PERCENTILES) {
      const known = told && values.hasPercentile(percent);
      this[name].push(known ? values.percentile(percent) / 1000 : null);
    }
  }

  /** Takes away the percentiles of a second for which lines that never came leave no room. @param lines received. */
  leaveOut(place: number, lines: number, never: number): void {
    const came = { never, pending: 0, lines: lines + never };
    for (const [name, percent] of PERCENTILES) {
      if (this[name][place] === null || !isBeyond(percent, came)) continue;
      this[name][place] = null;
      this.#leftOut[name]++;
    }
  }

  /** The largest value so far; 0 of none. */
  get slowest(): number {
    return this.max.reduce<number>((most, it) => Math.max(most, it ?? 0), 0);
  }

  /** Whether a percentile was taken away from a second. */
  get hasGaps(): boolean {
    return Object.values(this.#leftOut).some((it) => it > 0);
  }

  /** The highest percentile that most seconds with values have lines enough for; the maximum if that is none. */
  get top(): "p99" | "p90" | "max" {
    const seconds = countOf(this.max);
    return (["p99", "p90"] as const).find((it) => {
      const known = countOf(this[it]);
      return known > 0 && known + this.#leftOut[it] > seconds / 2;
    }) ?? "max";
  }
}

function countOf(values: Value[]): number {
  return values.filter((it) => it !== null).length;
}

/** How many lines had which latency in which time. */
export interface HeatMap {
  /** In seconds, and in ms. */
  xEdges: number[];
  yEdges: number[];
  /** By row and column. */
  counts: number[][];
}

/** The entries of a run, which are seconds or several of them. */
export class Course {
  /** Where each begins and ends, and its middle, in seconds. */
  readonly from: number[] = [];
  readonly to: number[] = [];
  readonly middle: number[] = [];
  /** Lines a second, of the plan's time alone. */
  readonly planned: number[] = [];
  readonly sent: number[] = [];
  readonly received: number[] = [];
  /** When it ended. */
  readonly inFlight: number[] = [];
  /** Response in an open loop, service in a closed one. */
  readonly headline: Spread = new Spread();
  readonly sendLag: Spread = new Spread();
  /** The delays of the servers with the most lines, and how many other servers there are. */
  readonly servers: { tag: string | null; up: Spread; down: Spread }[];
  readonly otherServers: number;
  /** Lines without a right reply. */
  readonly losses: Losses;
  /** What came after the plan's end, which is the last entry; undefined if that was nothing. */
  tail: Tail | undefined;
  /** Undefined if no line was answered. */
  readonly heat: HeatMap | undefined;

  constructor(stats: LoadStats) {
    const isOpen = stats.context.loop === "open";
    this.losses = new Losses(stats.context.timeout / 1000);
    const byLines = [...stats.total.servers].sort(([, a], [, b]) => b.received - a.received);
    this.servers = byLines.slice(0, MAX_DRAWN_SERVERS).map(([tag]) => ({
      tag,
      up: new Spread(),
      down: new Spread(),
    })).sort((a, b) => (a.tag ?? "") < (b.tag ?? "") ? -1 : 1);
    this.otherServers = byLines.length - this.servers.length;
    const scale = heatScale(stats.headline);
    const columns: number[][] = [];
    const lines: number[] = [];
    for (const interval of stats.seconds()) {
      const headline = isOpen ? interval.response : interval.service;
      this.#add(interval, headline);
      lines.push(headline.count);
      if (scale !== undefined) columns.push(rowsOf(headline, scale));
    }
    // When a lost line was due is known only a time-out later.
    for (const [place, count] of lines.entries()) {
      this.headline.leaveOut(place, count, this.losses.linesIn(this.from[place]!, this.to[place]!));
    }
    if (scale !== undefined && columns.length > 0) this.heat = this.#heat(scale, columns);
  }

  /** What an entry is, in words: `second`, or `4 s` where four are merged. */
  get step(): string {
    return Math.abs(this.stepMillis - 1000) < 1e-3 ? "second" : durationText(this.stepMillis);
  }

  /** How long an entry is; the last of the plan and what came after it may be shorter. */
  get stepMillis(): number {
    return ((this.to[0] ?? 0) - (this.from[0] ?? 0)) * 1000;
  }

  /** Which times figures are of, in words. */
  get each(): string {
    const isTailDrawn = this.tail !== undefined && this.headline.max.at(-1) !== null;
    return `each ${this.step}${isTailDrawn ? " and of what came after the plan's end" : ""}`;
  }

  /** Whether there is nothing to draw over time but one point. */
  get isMoment(): boolean {
    return this.received.length === 1 && countOf(this.headline.max) < 2;
  }

  /** When the plan ended, in seconds. */
  get planEnd(): number {
    return this.to[this.received.length - 1] ?? 0;
  }

  /** When it ended, in seconds. */
  get end(): number {
    return this.to.at(-1) ?? 0;
  }

  #add(interval: LoadInterval, headline: Distribution): void {
    const { planned, sent, received, inFlight, sendLag } = interval;
    const [from, to] = [interval.from / 1000, interval.to / 1000];
    this.from.push(from);
    this.to.push(to);
    this.middle.push((from + to) / 2);
    this.inFlight.push(inFlight);
    const tail = interval.tail ? { lines: headline.count, slowest: headline.max / 1000 } : undefined;
    if (tail === undefined) {
      for (const [name, lines] of Object.entries({ planned, sent, received })) {
        this[name as "planned"].push(to > from ? lines / (to - from) : 0);
      }
    } else if (tail.lines > 0) {
      this.tail = tail;
    }
    const isShown = tail === undefined || isDrawn(tail, this.headline.slowest);
    this.headline.add(isShown ? headline : undefined);
    this.sendLag.add(isShown ? sendLag : undefined);
    for (const { tag, up, down } of this.servers) {
      const part = isShown ? interval.servers.get(tag) : undefined;
      up.add(part?.up);
      down.add(part?.down);
    }
    this.losses.add(interval, this.planEnd);
  }

  #heat(scale: LogScale, entries: number[][]): HeatMap {
    const inPlan = this.received.length;
    const each = Math.max(1, Math.ceil(inPlan / MAX_HEAT_COLUMNS));
    const firsts = entries.keys().filter((it) => it >= inPlan || it % each === 0).toArray();
    const counts = Array.from({ length: scale.bins }, (_, row) =>
      firsts.map((first, place) => {
        const column = entries.slice(first, firsts[place + 1]);
        return column.reduce((sum, rows) => sum + rows[row]!, 0);
      }));
    return {
      xEdges: [...firsts.map((it) => this.from[it]!), this.end],
      yEdges: scale.edges().map((micros) => micros / 1000),
      counts,
    };
  }
}

function heatScale({ count, min, max }: Distribution): LogScale | undefined {
  if (count === 0) return undefined;
  const span = Math.log(Math.max(max, 0.1) / Math.max(min, 0.1));
  const rows = Math.floor(span / Math.log(MIN_HEAT_FACTOR));
  return new LogScale({ min, max }, Math.min(Math.max(rows, 1), MAX_HEAT_ROWS));
}

function rowsOf(values: Distribution, scale: LogScale): number[] {
  const rows = new Array<number>(scale.bins).fill(0);
  for (const [micros, count] of values.values()) rows[scale.binOf(micros)]! += count;
  return rows;
}
