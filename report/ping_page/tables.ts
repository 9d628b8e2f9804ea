/** The figures of a run as tables, in the text report's formats. */
import type { Durations, ServerSummary, Summary } from "../../stats/summary.ts";
import { driftCell, lossText, millis, withBound } from "../format.ts";
import { MAX_DRIFT } from "../../stats/feasible_lines.ts";
import type { Table } from "../page/model.ts";
import { ABOVE_BEST, DIRECTIONS, PERCENTILES } from "../summary.ts";

/** What stands where nothing is known. */
const NONE = "–";

/** The percentiles of round trips and of each direction, and of what else was measured. */
export function durationTable(summary: Summary): Table {
  const { response, lag, blocked, connect, handshake, servers } = summary;
  const rows: [name: string, values: Durations | null][] = [
    ["round trip", summary.rtt],
    ...servers.flatMap((it) => rowsOf(it, servers.length > 1)),
    ["response, from planned line to reply", response],
    ["send lag of ping itself", lag],
    ["blocked by the connection", blocked],
    ["connect", connect],
    ["TLS handshake", handshake],
  ];
  const names = ["min", ...PERCENTILES.map(([name]) => name), "max", "avg", "mdev", "count"];
  return {
    caption: "Durations in ms, of received lines",
    columns: [{ name: "duration" }, ...names.map((name) => ({ name, isNumber: true }))],
    rows: rows.flatMap(([name, values]) => values === null ? [] : [[name, ...cellsOf(values)]]),
  };
}

function rowsOf(server: ServerSummary, named: boolean): [name: string, values: Durations | null][] {
  const { tag, up, down, one_way } = server;
  const of = named ? `${tag ?? "without a tag"}: ` : "";
  return [
    ...(named ? [[`${of}round trip`, server.rtt] as [string, Durations | null]] : []),
    [`${of}${DIRECTIONS.up} ${ABOVE_BEST}`, up],
    [`${of}${DIRECTIONS.down} ${ABOVE_BEST}`, down],
    [`${of}one-way ${DIRECTIONS.up}, if the clocks agree`, one_way?.up ?? null],
    [`${of}one-way ${DIRECTIONS.down}, if the clocks agree`, one_way?.down ?? null],
  ];
}

function cellsOf({ count, ...values }: Durations): string[] {
  const fields = ["min", ...PERCENTILES.map(([, field]) => field), "max", "avg", "mdev"] as const;
  return [...fields.map((field) => millisOrNone(values[field])), String(count)];
}

/** What became of the lines. */
export function countTable(summary: Summary): Table {
  const counts = [
    ["sent", summary.sent],
    ["received", summary.received],
    ["lost", summary.lost],
    ["late, among the lost", summary.late],
    ["duplicate replies", summary.duplicates],
    ["reordered, among the received", summary.reordered],
    ["corrupt replies", summary.corrupt],
    ["still pending at the end", summary.pending],
    ["not sent in time", summary.missed],
  ] as const;
  return {
    caption: `Lines; ${lossText(summary.loss)}`,
    columns: [{ name: "outcome" }, { name: "lines", isNumber: true }],
    rows: counts.map(([name, count]) => [name, String(count)]),
  };
}

/** What the stamps tell of each server. */
export function serverTable({ servers }: Summary): Table {
  const numbers = ["replies", "clock offset", "drift", "round trip", "upstream", "downstream"];
  return {
    caption: "Servers; the p90 of round trips and of delays above the best, in ms",
    columns: [
      { name: "server" },
      ...numbers.map((name) => ({ name, isNumber: true })),
      { name: "the delay is" },
    ],
    rows: servers.map((it) => [
      it.tag ?? "without a tag",
      String(it.received),
      it.offset === null ? NONE : withBound(it.offset),
      it.drift === null || it.drift.bound >= MAX_DRIFT ? NONE : driftCell(it.drift),
      ...[it.rtt, it.up, it.down].map((values) => millisOrNone(values?.p90 ?? null)),
      it.carries !== null ? DIRECTIONS[it.carries] : it.leans !== null ? "not proven" : NONE,
    ]),
  };
}

function millisOrNone(value: number | null): string {
  return value === null ? NONE : millis(value);
}
