import type { Distribution } from "../stats/distribution.ts";
import type { LoadInterval } from "../stats/load_interval.ts";
import { LOAD_COUNTS } from "../stats/metrics.ts";
import { sumOf } from "../stats/reason_counts.ts";
import { seconds } from "../stats/units.ts";
import { csvRow } from "./csv.ts";
import type { Sink } from "./exporter.ts";
import type { LoadExporter } from "./load_record.ts";

const PERCENTILES = { p50: 50, p90: 90, p95: 95, p99: 99, p99_9: 99.9 };
const DURATIONS = {
  response: "response",
  service: "service",
  send_lag: "sendLag",
  blocked: "blocked",
} as const;
const STATISTICS = ["avg", ...Object.keys(PERCENTILES), "max"];

/** The columns of a second's row. */
export const LOAD_COLUMNS: string[] = [
  ...["from", "to"],
  ...LOAD_COUNTS,
  ...["errors", "connect_errors", "in_flight"],
  ...Object.keys(DURATIONS).flatMap((name) => STATISTICS.map((statistic) => `${name}_${statistic}`)),
];

/** A table in CSV (RFC 4180) with a row for each second. */
export class LoadTable implements LoadExporter {
  readonly #sink: Sink;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  start(): void {
    this.#sink.write(`${csvRow(LOAD_COLUMNS)}\n`);
  }

  interval(interval: LoadInterval): void {
    const { from, to, errors, connectErrors, inFlight } = interval;
    const row = [
      ...[seconds(from * 1000), seconds(to * 1000)],
      ...LOAD_COUNTS.map((name) => interval[name]),
      ...[sumOf(errors), sumOf(connectErrors), inFlight],
      ...Object.values(DURATIONS).flatMap((name) => statisticsOf(interval[name])),
    ];
    this.#sink.write(`${csvRow(row)}\n`);
  }
}

/** In seconds; what is not known is undefined. */
function statisticsOf(values: Distribution): (number | undefined)[] {
  if (values.count === 0) return STATISTICS.map(() => undefined);
  const percentiles = Object.values(PERCENTILES).map((percent) =>
    values.hasPercentile(percent) ? seconds(values.percentile(percent)) : undefined
  );
  return [seconds(values.avg), ...percentiles, seconds(values.max)];
}
