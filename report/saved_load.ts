/** A saved run of load, read back with all figures that it was saved with. */
import { Distribution } from "../stats/distribution.ts";
import type { ServerDirections } from "../stats/load_directions.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { DURATION_FIELDS } from "../stats/load_measure.ts";
import { LoadStats } from "../stats/load_stats.ts";
import type { LoadSummary } from "../stats/load_summary.ts";
import type { LoadFound, LoadTrial } from "../stats/load_trial.ts";
import { LOAD_COUNTS } from "../stats/metrics.ts";
import { hdrValues } from "../stats/hdr_decoder.ts";
import { type GeneratorReasonCode, type Reason, reasonFields, trialReasonCode } from "../stats/reasons.ts";
import { sumOf } from "../stats/reason_counts.ts";
import { micros } from "../stats/units.ts";
import { LOAD_VERSION, type LoadEnd, type LoadStart } from "./load_record.ts";
import type { Json } from "./record.ts";
import { END, SECOND, START } from "./saved_load_checks.ts";
import { readRecords, startOf } from "./saved_records.ts";

/** A run read back. */
export interface SavedLoad {
  start: LoadStart;
  end: Omit<LoadEnd, "thresholds">;
  /** What is missing: its seconds, as `--json-stream -q` leaves them out, or its end, as after a crash. */
  lacks: "seconds" | "end" | null;
}

/**
 * Reads a saved load: the document of `--json`, which a page of `--html` has too, or the lines of `--json-stream`.
 *
 * @throws {Error} whose message says what the text is not.
 */
export function readLoad(text: string): SavedLoad {
  const records = readRecords(text, "tsecho load");
  const start = startOf(records, "tsecho load");
  if (start.command === undefined) throw new Error("it is of tsecho ping: tsecho ping --from reads it");
  if (start.command !== "load") throw new Error("it is of another command, not of tsecho load");
  if (start.version !== LOAD_VERSION) {
    throw new Error(`its version is ${start.version}, and only ${LOAD_VERSION} is known here`);
  }
  START(start, "the start");
  const seconds = records.filter(({ type }) => type === undefined || type === "interval");
  for (const second of seconds) SECOND(second, "a second");
  const end = records.find(({ type }) => type === "end");
  if (end === undefined) return cutFrom(start as Json & LoadStart, seconds as (Json & Second)[]);
  END(end, "the end");
  return savedFrom(start as Json & LoadStart, end as Json & SavedEnd, seconds as (Json & Second)[]);
}

/** Durations with their histogram. */
interface Figures {
  count: number;
  min: number;
  avg: number;
  max: number;
  mdev: number;
  histogram: string;
}

type Counts = Record<typeof LOAD_COUNTS[number], number>;

interface Second extends Counts {
  from: number;
  to: number;
  errors: number;
  in_flight: number;
  alike?: boolean;
  response?: Figures | null;
  service?: Figures | null;
  send_lag: Figures | null;
  blocked: Figures | null;
  servers: { tag: string | null; received: number; up: Figures | null; down: Figures | null }[];
}

interface SavedEnd extends LoadSummary {
  ended: string | null;
  found: Omit<LoadFound, "trials"> | null;
  trials: SavedTrial[];
}

/** A trial, which an older version saved without codes. */
type SavedTrial = Omit<LoadTrial, "reason_codes"> & Partial<Pick<LoadTrial, "reason_codes">>;

function savedFrom(start: LoadStart, saved: Json & SavedEnd, seconds: (Json & Second)[]): SavedLoad {
  const { type: _, ended, found, trials, thresholds: __, ...rest } = saved;
  const summary = rest as unknown as LoadSummary;
  const directions = summary.servers.map(directionsOf);
  const stats = new LoadStats({
    loop: summary.loop,
    timeout: start.timeout * 1000,
    stages: start.stages !== null,
    connections: () => new Map(summary.servers.map(({ tag, connections }) => [tag, connections])),
    directions: () => directions,
  }, {
    total: totalOf(summary),
    elapsed: summary.duration * 1000,
    receivedRate: summary.rate.received,
  });
  for (const second of seconds) stats.add(intervalOf(second, summary.duration));
  return {
    start,
    end: {
      ended,
      stats,
      summary,
      ...found !== null && { found: { ...found, trials: trials.map(trialOf) } },
      seconds: seconds.map(({ type: _, ...second }) => second),
    },
    lacks: seconds.length === 0 && summary.duration > 0 ? "seconds" : null,
  };
}

function trialOf(saved: SavedTrial): LoadTrial {
  return { ...saved, reason_codes: saved.reason_codes ?? saved.reasons.map(trialReasonCode) };
}

/**
 * What the seconds alone tell: nothing of the service time of an open loop, of connects and of the use of the processor.
 * What was in flight when it was cut is pending. @throws {Error} when there are none.
 */
function cutFrom(start: LoadStart, seconds: Second[]): SavedLoad {
  if (seconds.length === 0) throw new Error("it has neither seconds nor an end: the run was killed");
  const { loop, timeout, stages } = start;
  const stats = new LoadStats({ loop, timeout: timeout * 1000, stages: stages !== null });
  const intervals = seconds.map((second) => intervalOf(second, Infinity));
  const sum = (of: (interval: LoadInterval) => number) => intervals.reduce((all, it) => all + of(it), 0);
  const last = intervals.at(-1)!;
  last.unsent += Math.max(0, sum((it) => it.planned - it.sent - it.dropped - it.unsent));
  last.pending += Math.max(
    0,
    sum((it) => it.sent - it.received - it.lost - it.corrupt - sumOf(it.errors) - it.pending),
  );
  for (const interval of intervals) stats.add(interval);
  stats.total.sampled = mayBeSampled({ loop, received: stats.total.received });
  const summary = stats.summary();
  if (loop === "closed") summary.generator = { verdict: "strained", ...reasonFields([UNKNOWN_CPU]) };
  return { start, end: { ended: "its end is missing", stats, summary }, lacks: "end" };
}

const UNKNOWN_CPU: Reason<GeneratorReasonCode> = {
  code: "unknown",
  text: "whether it had time to spare was not saved",
};
/** Of so many lines of a closed loop each is taken for the directions. */
const ALL_TAKEN = 5000;
/** Of the lines that failed in a second, whose reasons are in the end. */
const UNKNOWN_REASON = "of reasons that were not saved";

function directionsOf({ tag, up, down, offset, unsteady }: LoadSummary["servers"][number]): ServerDirections {
  const values = (figures: object | null) => {
    if (figures === null) return undefined;
    const found = new Distribution();
    addFigures(found, figures as Figures);
    return found;
  };
  return { tag, up: values(up), down: values(down), offset, unsteady };
}

function totalOf(summary: LoadSummary): LoadInterval {
  const total = new LoadInterval();
  for (const name of LOAD_COUNTS) total[name] = summary[name];
  for (const [reason, count] of Object.entries(summary.errors)) total.errors.set(reason, count);
  for (const [reason, count] of Object.entries(summary.connect_errors)) {
    total.connectErrors.set(reason, count);
  }
  for (const [name, field] of Object.entries(DURATION_FIELDS)) {
    const figures = summary[name as keyof typeof DURATION_FIELDS];
    if (figures !== null) addFigures(total[field], figures as LoadSummary["response"] & Figures);
  }
  for (const { tag, received } of summary.servers) total.server(tag).received = received;
  total.sampled = summary.servers.some((it) => it.sampled ?? mayBeSampled(summary));
  total.alike = summary.alike ?? false;
  return total;
}

/** Whether the delays of a run that does not say it may be of some of its lines. */
function mayBeSampled({ loop, received }: Pick<LoadSummary, "loop" | "received">): boolean {
  return loop === "closed" && received > ALL_TAKEN;
}

/** @param duration of the plan, in seconds: what is after it came after the plan's end. */
function intervalOf(second: Second, duration: number): LoadInterval {
  const interval = new LoadInterval();
  [interval.from, interval.to] = [second.from * 1000, second.to * 1000];
  interval.tail = second.from >= duration;
  interval.inFlight = second.in_flight;
  interval.alike = second.alike ?? false;
  for (const name of LOAD_COUNTS) interval[name] = second[name];
  if (second.errors > 0) interval.errors.set(UNKNOWN_REASON, second.errors);
  for (const [name, field] of Object.entries(DURATION_FIELDS)) {
    const figures = (second as unknown as Record<string, Figures | null>)[name] ?? null;
    if (figures !== null) addFigures(interval[field], figures);
  }
  for (const { tag, received, up, down } of second.servers) {
    const server = interval.server(tag);
    server.received = received;
    if (up !== null) addFigures(server.up, up);
    if (down !== null) addFigures(server.down, down);
  }
  return interval;
}

/** Adds what figures are of: their moments exactly, the rest to the histogram's precision. @throws {Error} */
function addFigures(values: Distribution, figures: Figures): void {
  const { count, mdev, histogram } = figures;
  let bins;
  try {
    bins = hdrValues(histogram);
  } catch (error) {
    throw new Error("a histogram is none that load has written", { cause: error });
  }
  const binned = bins.reduce((sum, [, times]) => sum + times, 0);
  if (binned !== count) {
    throw new Error(`a histogram has ${binned} values, and its count is ${count}`);
  }
  const moments = {
    count,
    ...{ min: micros(figures.min), max: micros(figures.max), avg: micros(figures.avg) },
    squares: micros(mdev) ** 2 * count,
  };
  values.addBinned(moments, (record) => {
    for (const [micros, times] of bins) record(micros, times);
  });
}
