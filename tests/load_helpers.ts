/** What the tests of load's reports share: runs made up of intervals. */
import type { Sink } from "../report/exporter.ts";
import type { LoadEnd, LoadExporter, LoadStart } from "../report/load_record.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { type LoadContext, LoadStats } from "../stats/load_stats.ts";
import type { LoadTrial } from "../stats/load_trial.ts";

/** How a made-up run began. */
export const START: LoadStart = {
  type: "start",
  command: "load",
  version: 1,
  time: 1_795_620_880.0625,
  endpoint: "tcp://web:21567",
  loop: "open",
  connections: 50,
  threads: 1,
  reconnect: false,
  rate: 1000,
  stages: null,
  arrivals: "uniform",
  seed: null,
  max_in_flight: 100_000,
  depth: null,
  think: null,
  count: null,
  duration: 3,
  warmup: 1,
  timeout: 5,
  size: 56,
  data: null,
  find: null,
};

/** How a made-up closed loop began. */
export const CLOSED_START: LoadStart = {
  ...START,
  loop: "closed",
  rate: null,
  depth: 1,
  arrivals: null,
  max_in_flight: null,
};

/** A trial of a search. */
export const TRIAL: LoadTrial = {
  ...{
    rate: 1000,
    purpose: "search",
    passed: true,
    cut_short: false,
    reasons: [],
    reason_codes: [],
    value: 0.001,
    duration: 10,
  },
  ...{ planned: 10_000, sent: 10_000, received: 10_000, lost: 0, dropped: 0, p50: 0.0002, p99: 0.001 },
  generator: { verdict: "ok", reasons: [] },
};

/** Fills a second of an open loop; `place` tells which one, from 0. */
export type Fill = (interval: LoadInterval, place: number) => void;

/** A second in which so many lines came, each after `micros` µs, with all that belongs to it. */
export function answer(
  interval: LoadInterval,
  lines: number,
  micros: number,
  tag: string | null = null,
): void {
  interval.planned += lines;
  interval.sent += lines;
  interval.received += lines;
  interval.response.record(micros, lines);
  interval.service.record(micros - 5, lines);
  interval.sendLag.record(3, lines);
  interval.blocked.record(2, lines);
  const server = interval.server(tag);
  server.received += lines;
  server.up.record(20, lines);
  server.down.record(40, lines);
}

/** A run of so many seconds. */
export function runOf(seconds: number, fill: Fill, context: Partial<LoadContext> = {}): {
  intervals: LoadInterval[];
  stats: LoadStats;
} {
  const stats = new LoadStats({ loop: "open", timeout: 5000, stages: false, ...context });
  const intervals = Array.from({ length: seconds }, (_, place) => {
    const interval = new LoadInterval();
    [interval.from, interval.to] = [place * 1000, (place + 1) * 1000];
    fill(interval, place);
    return interval;
  });
  for (const interval of intervals) stats.add(interval);
  return { intervals, stats };
}

/** What an exporter writes of a run. */
export function written(
  make: (sink: Sink) => LoadExporter,
  { intervals, stats }: ReturnType<typeof runOf>,
  start: LoadStart = START,
  end: Partial<LoadEnd> = {},
): string {
  let text = "";
  const exporter = make({ write: (more) => text += more });
  exporter.start?.(start);
  for (const interval of intervals) exporter.interval?.(interval);
  exporter.end?.({ ended: null, stats, summary: stats.summary(), thresholds: [], ...end });
  return text;
}
