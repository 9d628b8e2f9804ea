/** The figures of a load as tables, in the words and formats of its text. */
import { kindOf, LOAD_COUNTS, LOAD_METRICS } from "../../stats/metrics.ts";
import type { LoadDurations, LoadServer, LoadSummary } from "../../stats/load_summary.ts";
import { LOAD_PERCENTILES, type PercentileName } from "../../stats/load_summary.ts";
import type { LoadTrial } from "../../stats/load_trial.ts";
import { parseThresholdOf, type Verdict } from "../../stats/threshold.ts";
import { millis, percent, withBound } from "../format.ts";
import {
  byCount,
  DIRECTIONS,
  hasIntervals,
  headlineOf,
  neverText,
  onlyIfText,
  percentileRows,
  RESPONSE,
  share,
  SHORT,
} from "../load_figures.ts";
import { trialCells } from "../load_text.ts";
import type { Table } from "../page/model.ts";
import { thresholdText, valueText } from "../text.ts";
import { durationText } from "../../time/duration.ts";

/** What stands where nothing is known. */
const NONE = "–";

/** Columns of numbers behind a first one of text. */
function columnsOf(first: string, ...numbers: string[]): Table["columns"] {
  return [{ name: first }, ...numbers.map((name) => ({ name, isNumber: true }))];
}

/** The percentiles of what a user of the path waits; undefined if no line was answered. @param timeout in ms. */
export function headlineTable(summary: LoadSummary, timeout: number): Table | undefined {
  const values = headlineOf(summary);
  if (values === null) return undefined;
  const some = hasIntervals(values);
  const rows = percentileRows(summary, values, timeout).map(([name, value, interval, note]) => [
    name,
    value,
    name === "max" || some || note !== "" ? interval : SHORT,
    value.startsWith(">") ? neverText(values) : note,
  ]);
  const hasNotes = rows.some(([, , , note]) => note !== "");
  return {
    caption: summary.loop === "open"
      ? `${RESPONSE[0]!.toUpperCase()}${RESPONSE.slice(1)}`
      : "Service time of the closed loop, from write to reply",
    columns: [
      ...columnsOf("percentile", "value", "95% interval"),
      ...hasNotes ? [{ name: "note" }] : [],
    ],
    rows: hasNotes ? rows : rows.map((row) => row.slice(0, -1)),
  };
}

/** All durations, a row for each kind. @param timeout in ms. */
export function durationTable(summary: LoadSummary, timeout: number): Table | undefined {
  const { response, service, send_lag, blocked, connect, handshake, servers } = summary;
  const kinds: [string, LoadDurations | null, isSampled?: boolean][] = [
    ...Object.entries({ response, service, "send lag": send_lag, blocked, connect }),
    ["TLS handshake", handshake],
    ...servers.flatMap((server) =>
      (["up", "down"] as const).map((direction): [string, LoadDurations | null, boolean] => [
        `${DIRECTIONS[direction]} delay above its best${servers.length > 1 ? `, ${nameOf(server)}` : ""}`,
        server[direction],
        server.sampled,
      ])
    ),
  ];
  const percentiles = Object.keys(LOAD_PERCENTILES) as PercentileName[];
  const rows = kinds.flatMap(([name, values, isSampled = false]) => {
    if (values === null) return [];
    const told = percentiles.map((it) =>
      values.beyond.includes(it)
        ? `> ${durationText(timeout)}`
        : values[it] === null
        ? NONE
        : millis(values[it])
    );
    return [[
      name,
      millis(values.min),
      ...told,
      `${isSampled ? "≥ " : ""}${millis(values.max)}`,
      millis(values.avg),
      String(values.count),
    ]];
  });
  if (rows.length === 0) return undefined;
  const isBeyond = kinds.some(([, values]) => values !== null && values.beyond.length > 0);
  const beyond = `; > ${
    durationText(timeout)
  } where too many lines were not answered in time for the percentile`;
  const isSampled = kinds.some(([, values, isSampled]) => values !== null && isSampled);
  const sampled = "; the directions are of a sample of them, whose max is the least that it may be of all";
  return {
    caption: `Durations in ms, of received lines${isBeyond ? beyond : ""}${isSampled ? sampled : ""}`,
    columns: columnsOf(
      "duration",
      "min",
      ...percentiles.map((it) => it.replace("_", ".")),
      ...["max", "avg", "count"],
    ),
    rows,
  };
}

/** What became of the lines, each count with its share of the planned ones. */
export function countTable(summary: LoadSummary): Table {
  const { planned } = summary;
  const errors = Object.values(summary.errors).reduce((sum, it) => sum + it, 0);
  const counts = LOAD_COUNTS.map((name): [string, number] => [name, summary[name]]);
  return {
    caption: "Lines",
    columns: columnsOf("outcome", "lines", "of planned"),
    rows: [...counts, ["errors", errors] as const].map(([name, count]) => [
      name,
      String(count),
      planned === 0 ? NONE : percent(count / planned),
    ]),
  };
}

/** Why lines and connects failed; undefined if none did. */
export function reasonTable({ errors, connect_errors }: LoadSummary): Table | undefined {
  const rows = [["line", errors], ["connect", connect_errors]] as const;
  const told = rows.flatMap(([what, counts]) =>
    byCount(counts).map(([reason, count]) => [reason, what, String(count)])
  );
  if (told.length === 0) return undefined;
  return {
    caption: "What failed",
    columns: [{ name: "reason" }, { name: "of a" }, { name: "count", isNumber: true }],
    rows: told,
  };
}

/** What each server answered; undefined if none did. */
export function serverTable({ servers, received }: LoadSummary): Table | undefined {
  if (servers.length === 0) return undefined;
  const connections = servers.reduce((all, it) => all + it.connections, 0);
  return {
    caption: "Servers",
    columns: [
      ...columnsOf("server", "connections", "lines", "clock offset"),
      { name: "delays reliable" },
    ],
    rows: servers.map((server) => [
      nameOf(server),
      share(server.connections, connections),
      share(server.received, received),
      server.offset === null ? "unknown" : withBound(server.offset),
      reliabilityOf(server),
    ]),
  };
}

/** Whether a server's delays hold. */
function reliabilityOf({ up, down, unsteady }: LoadServer): string {
  if (unsteady !== null) return onlyIfText([unsteady]);
  return up === null && down === null ? NONE : "yes";
}

/** The name of a server among others. */
export function nameOf({ tag }: { tag: string | null }): string {
  return tag ?? "without a tag";
}

/** The trials of a search, in their order. @param condition of the search. */
export function trialTable(trials: LoadTrial[], condition: string): Table {
  return {
    caption: "Trials, in their order",
    columns: [
      ...columnsOf("lines/s planned", "lines/s received", "p50 ms", "p99 ms"),
      { name: "verdict" },
    ],
    rows: trials.map((trial) => trialCells({ ...trial, reasons: reasonsOf(trial, condition) })),
  };
}

/** Why a trial failed, with the value that was measured where the condition is why. */
function reasonsOf({ reasons, reason_codes, value }: LoadTrial, condition: string): string[] {
  if (value === null) return reasons;
  const { metric } = parseThresholdOf(LOAD_METRICS, condition);
  const told = `${metricText(condition)} was ${valueText(value, kindOf(metric))}`;
  return reasons.map((reason, place) => reason_codes[place] === "not-kept" ? told : reason);
}

/** What a condition is about: `p99` of `p99<5ms`. */
export function metricText(condition: string): string {
  return condition.replace(/\s*[<>].*$/, "");
}

/** What was made a condition; undefined if nothing was. */
export function thresholdTable(thresholds: Verdict[]): Table | undefined {
  if (thresholds.length === 0) return undefined;
  return {
    caption: "Conditions",
    columns: [{ name: "the run fails if" }, { name: "verdict" }, { name: "in words" }],
    rows: thresholds.map((it) => [it.threshold, it.verdict, thresholdText(it, LOAD_METRICS)]),
  };
}
