/** The servers that charts show, and how charts write values. */
import type { Distribution } from "../../stats/distribution.ts";
import type { ServerCourse } from "../../stats/course.ts";
import type { RunCourse } from "../../stats/run_stats.ts";
import type { Durations, ServerSummary, Summary } from "../../stats/summary.ts";
import { millis } from "../format.ts";
import { PERCENTILES } from "../summary.ts";

/** The most servers that charts show. */
const MAX_SERVERS = 8;
/** A range of more than this many times its least value is shown in decades. */
const MAX_LINEAR = 50;

/** A server that charts show. */
export interface ShownServer {
  /** Undefined if it is the only one, and has no tag. */
  name: string | undefined;
  colour: number;
  summary: ServerSummary;
  rtt: Distribution;
  course: ServerCourse;
}

/** The servers with the most replies, in the order of the tables: one has the same colour in every chart. */
export function shownServers({ servers }: Summary, course: RunCourse): ShownServer[] {
  const ranked = servers.toSorted((a, b) => b.received - a.received).slice(0, MAX_SERVERS);
  return servers.filter((it) => ranked.includes(it)).map((summary, colour) => {
    const { rtt, course: own } = course.servers.find(({ tag }) => tag === summary.tag)!;
    const name = summary.tag ?? (servers.length > 1 ? "without a tag" : undefined);
    return { name, colour, summary, rtt, course: own };
  });
}

/** Something of each server, in words. */
export function ofEach(servers: ShownServer[], text: (summary: ServerSummary) => string): string {
  return servers.map(({ name, summary }) => (name === undefined ? "" : `${name}: `) + text(summary)).join(
    "; ",
  );
}

/** A distribution in words. */
export function figures(values: Durations | null): string {
  if (values === null) return "no reply";
  const told = PERCENTILES.filter(([, field]) => values[field] !== null);
  const percentiles = told.map(([name, field]) => `${name} ${millis(values[field]!)} ms`);
  return [...percentiles, `largest ${millis(values.max)} ms`].join(", ");
}

/** The scale of an axis for durations from the least to the largest. */
export function scaleFor(min: number, max: number): { scale?: "log" } {
  return min > 0 && max > MAX_LINEAR * min ? { scale: "log" } : {};
}

/** Microseconds in ms, to 0.1 µs. */
export function chartMillis(micros: number): number {
  return Number((micros / 1000).toFixed(4));
}

/** Seconds, as exact as a chart can show. */
export function chartSeconds(seconds: number): number {
  return Number(seconds.toPrecision(7));
}
