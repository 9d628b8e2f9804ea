/** The figures of a load as lines of text. */
import { counted, withoutHint } from "../failure.ts";
import { MAX_DRIFT } from "../stats/feasible_lines.ts";
import { isMixedUp } from "../stats/load_measure.ts";
import type { LoadDurations, LoadServer, LoadSummary } from "../stats/load_summary.ts";
import type { Tail } from "../stats/run_course.ts";
import type { Unsteady } from "../stats/steadiness.ts";
import { aheadOf } from "../stats/summary.ts";
import { durationText } from "../time/duration.ts";
import { millis, withBound } from "./format.ts";
import { withOptionNames } from "./option_names.ts";
import { aheadText } from "./summary.ts";

/** The percentiles that are told. */
export const TOLD = [["p50", "p50"], ["p90", "p90"], ["p99", "p99"], ["p99.9", "p99_9"]] as const;
/** The directions' names. */
export const DIRECTIONS = { up: "upstream", down: "downstream" } as const;

/** What the headline of a closed loop leaves out. */
export const CLOSED_LOOP =
  "service time, closed loop: excludes waiting caused by slow replies; use --rate to include it";

/** What a load without a single reply is told. */
export const NO_ANSWER = "no line was answered in time";

/** What an open loop's headline is. */
export const RESPONSE = "response, from planned moment to reply";

/** The latencies that a run is about: the response in an open loop, the service time in a closed one. */
export function headlineOf({ loop, response, service }: LoadSummary): LoadDurations | null {
  return loop === "open" ? response : service;
}

/**
 * What a load prints at its end.
 *
 * @param timeout in ms. @param later lines received after the plan's end.
 */
export function loadLines(summary: LoadSummary, timeout: number, later = 0): string[] {
  const { loop, service, send_lag, blocked, connect, handshake, steady } = summary;
  const lines = [countLine(summary), rateLine(summary, later), ...errorLines(summary)];
  if (summary.alike) lines.push(alikeText(summary)); // before what it is about
  const headline = headlineOf(summary);
  if (headline !== null) {
    lines.push(`generator ${generatorText(summary)}`, ...headlineLines(summary, headline, timeout));
  } else if (summary.sent > 0) lines.push(NO_ANSWER);
  if (steady !== null) lines.push(steady ? `steady: ${levelText(summary)}` : levelText(summary));
  const beneath = { service: loop === "open" ? service : null, "send lag": send_lag, blocked, connect };
  for (const [name, values] of Object.entries({ ...beneath, "TLS handshake": handshake })) {
    if (values !== null) lines.push(`${name} ${percentiles(values, timeout)}`);
  }
  return [...lines, ...serverLines(summary, timeout)];
}

/** What became of the lines: `600 lines planned, 600 sent, 598 received, 2 lost, time 6 s`. */
export function countLine({ loop, planned, errors, duration, ...counts }: LoadSummary): string {
  const sent = loop === "open" ? `${counts.sent} sent` : `${counted(counts.sent, "line")} sent`;
  const told = [sent, `${counts.received} received`];
  if (loop === "open") told.unshift(`${counted(planned, "line")} planned`);
  if (counts.lost > 0) {
    told.push(`${counts.lost} lost${counts.late > 0 ? ` (${counts.late} of these late)` : ""}`);
  }
  for (const name of ["dropped", "unsent", "corrupt", "duplicates", "pending"] as const) {
    if (counts[name] > 0) {
      told.push(`${counts[name]} ${name === "pending" ? "still pending at the end" : name}`);
    }
  }
  const failed = sum(errors);
  if (failed > 0) told.push(`${failed} ${failed === 1 ? "error" : "errors"}`);
  return `${told.join(", ")}, time ${durationText(duration * 1000)}`;
}

/** Fewer lines than this share of all that came after the end of a closed loop explain nothing: each has some. */
const FEW_LATER = 0.01;

/**
 * `100 lines/s planned, 99.7 lines/s received in the time of the plan, and 1 line after its end`.
 *
 * @param later lines received after the plan's end.
 */
export function rateLine({ loop, rate, received: all }: LoadSummary, later: number): string {
  const received = `${perSecond(rate.received)} lines/s received`;
  if (loop === "closed") {
    return later <= FEW_LATER * all ? received : `${received}, and ${counted(later, "line")} after that time`;
  }
  const told = `${perSecond(rate.planned)} lines/s planned, ${received}`;
  return later === 0 ? told : `${told} in the time of the plan, and ${counted(later, "line")} after its end`;
}

/** What came after the plan's end: `145 replies came after the plan's end; the slowest had taken 831.000 ms`. */
export function tailText({ lines, slowest }: Tail): string {
  const took = lines === 1 ? "it had taken" : "the slowest had taken";
  return `${counted(lines, "reply", "replies")} came after the plan's end; ${took} ${slowest.toFixed(3)} ms`;
}

/** Whose figures these are, behind the word `generator`. */
export function generatorText({ generator: { verdict, reasons }, rate }: LoadSummary): string {
  if (verdict === "ok") return "ok: the figures are those of the path and the server";
  const why = `${verdict}: ${reasons.join("; ")}`;
  return verdict === "limited"
    ? `${why}, so the server can do at least ${perSecond(rate.received)} lines/s`
    : why;
}

/** Whether p99 kept its level, in a run of which that is known. */
export function levelText({ steady, trend }: LoadSummary): string {
  if (trend === "falls") return "p99 falls: not a steady state; a longer --warmup?";
  if (!steady) return "p99 rises: not a steady state";
  // Older versions did not look for a fall.
  return trend === undefined ? "p99 shows no rise" : "p99 shows no trend";
}

/** Errors and failed connects by reason, the most frequent first. */
export function errorLines({ errors, connect_errors }: LoadSummary): string[] {
  return [...reasonLine("errors", errors), ...reasonLine("failed connects", connect_errors)];
}

/** What failed, with counts by reason: `errors: 3 × connection refused`. No line of none. */
export function reasonLine(name: string, counts: Record<string, number>): string[] {
  const told = byCount(counts).map(([reason, count]) => `${count} × ${withOptionNames(withoutHint(reason))}`);
  return told.length > 0 ? [`${name}: ${told.join(", ")}`] : [];
}

/** Counts by reason, the largest first. */
export function byCount(counts: Record<string, number>): [reason: string, count: number][] {
  return Object.entries(counts).sort(([, a], [, b]) => b - a);
}

/** The percentiles of what a user of the path waits, each with its interval. */
function headlineLines(summary: LoadSummary, values: LoadDurations, timeout: number): string[] {
  const rows = percentileRows(summary, values, timeout);
  const some = hasIntervals(values);
  const width = Math.max(...rows.map(([, value]) => value.length));
  return [
    `${summary.loop === "open" ? RESPONSE : CLOSED_LOOP}:`,
    ...rows.map(([name, value, interval, note]) =>
      `  ${name.padEnd(5)}  ${value.padStart(width)}  ${interval}${note}`.trimEnd()
    ),
    some
      ? "  with 95% intervals"
      : "  95% intervals: none (they take a run of 30 s or more, and enough lines)",
  ];
}

/** Why a percentile has no interval. */
export const SHORT = "too short for an interval";

/** Each percentile that is told and the maximum, with its interval, where one has an interval, or else with a note. */
export function percentileRows(
  { pending }: LoadSummary,
  values: LoadDurations,
  timeout: number,
): [name: string, value: string, interval: string, note: string][] {
  const { intervals, beyond, max } = values;
  const some = hasIntervals(values);
  const rows = TOLD.flatMap(([name, field]): [string, string, string, string][] => {
    if (beyond.includes(field)) return [[name, `> ${durationText(timeout)}`, "", `(${neverText(values)})`]];
    if (values[field] === null) return [];
    const interval = intervals[field];
    const between = interval === null ? SHORT : `${interval.map(millis).join(" to ")} ms`;
    return [[name, `${millis(values[field])} ms`, some ? between : "", ""]];
  });
  return [...rows, ["max", `${millis(max)} ms`, "", values.never + pending > 0 ? "of received lines" : ""]];
}

/** Whether a percentile has an interval. */
export function hasIntervals({ intervals }: LoadDurations): boolean {
  return Object.values(intervals).some((it) => it !== null);
}

/** The percentiles that are known, and the ones that are above the time-out. */
function percentiles(values: LoadDurations, timeout: number): string {
  const told = TOLD.filter(([, field]) => values[field] !== null);
  const beyond = TOLD.filter(([, field]) => values.beyond.includes(field));
  const names = (of: typeof told) => of.map(([name]) => name).join("/");
  const parts = [];
  if (told.length > 0) {
    parts.push(`${names(told)} = ${told.map(([, field]) => millis(values[field]!)).join("/")} ms`);
  }
  if (beyond.length > 0) parts.push(`${names(beyond)} > ${durationText(timeout)} (${neverText(values)})`);
  if (parts.length === 0) {
    parts.push(`min/avg/max = ${[values.min, values.avg, values.max].map(millis).join("/")} ms`);
  }
  return parts.join(", ");
}

/** What it looks as if a clock had done. */
const CLOCK_DID: Record<Unsteady, string> = {
  step: "was stepped in the run",
  drift: `drifted by more than ${MAX_DRIFT} ppm`,
};

/** What follows where replies cannot be told apart. */
export function alikeText(summary: LoadSummary): string {
  const what = isMixedUp(summary) ? "counts and times" : "times";
  return `replies over UDP cannot be told apart, since lines come again too soon: their ${what} may be wrong; ` +
    "no upstream and downstream delay, no clock offset";
}

/** What the stamps tell: of one server in lines, of several in a table. */
function serverLines({ servers, received, alike = false }: LoadSummary, timeout: number): string[] {
  const [only] = servers;
  if (servers.length > 1) return serverTable(servers, received);
  if (alike) return [];
  if (only === undefined) return [];
  const lines: string[] = [];
  for (const direction of ["up", "down"] as const) {
    const values = only[direction];
    // Of two lines each direction has a best one, which is half of them.
    if (values !== null && values.count >= 3) {
      lines.push(`${DIRECTIONS[direction]} delay above its best ${percentiles(values, timeout)}`);
    }
  }
  if (only.unsteady !== null) lines.push(`these delays ${unsteadyText([only.unsteady])}`);
  if (only.offset !== null) {
    lines.push(`clock offset ${withBound(only.offset)}, ${aheadText(aheadOf(only.offset))}`);
  }
  return lines;
}

function serverTable(servers: LoadServer[], received: number): string[] {
  const connections = servers.reduce((all, it) => all + it.connections, 0);
  const rows = servers.map(({ tag, ...server }) => [
    tag ?? "without a tag",
    share(server.connections, connections),
    share(server.received, received),
    ...(["up", "down"] as const).map((direction) => {
      const values = server[direction];
      if (values === null) return "unknown";
      const told = [values.p50, values.p99].map((it) => it === null ? "-" : millis(it)).join("/");
      return server.unsteady === null ? told : `${told} ?`;
    }),
  ]);
  const table = [["server", "connections", "lines", "upstream p50/p99", "downstream p50/p99, ms"], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join(
      "  ",
    )
  );
  const did = servers.flatMap(({ unsteady }) => unsteady ?? []);
  return did.length === 0 ? lines : [...lines, `? these ${unsteadyText(did)}`];
}

/** What has to be so for delays to hold. @param did what it looks as if clocks had done. */
export function unsteadyText(did: Unsteady[]): string {
  return `hold ${onlyIfText(did)}`;
}

/** Likewise, without the verb. */
export function onlyIfText(did: Unsteady[]): string {
  return `only if no clock ${[...new Set(did)].map((it) => CLOCK_DID[it]).join(" or ")}`;
}

/** A part of a whole: `10 (50%)`. */
export function share(part: number, whole: number): string {
  return whole === 0 ? String(part) : `${part} (${Math.round(100 * part / whole)}%)`;
}

/** Lines without a reply in time: `3 lines not answered in time`. */
export function neverText({ never }: { never: number }): string {
  return `${never} ${never === 1 ? "line" : "lines"} not answered in time`;
}

/** A rate with at least three digits. */
export function perSecond(rate: number): string {
  return rate >= 100 ? String(Math.round(rate)) : String(Number(rate.toPrecision(3)));
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((all, it) => all + it, 0);
}
