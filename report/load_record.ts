/** The objects of a load's JSON; docs/json.md describes their fields. */
import type { Distribution } from "../stats/distribution.ts";
import { encodeHdr } from "../stats/hdr.ts";
import { ALL_CAME, loadDurations } from "../stats/load_durations.ts";
import type { LoadInterval } from "../stats/load_interval.ts";
import type { LoadStats } from "../stats/load_stats.ts";
import type { LoadSummary } from "../stats/load_summary.ts";
import type { LoadFound, LoadTrial } from "../stats/load_trial.ts";
import { sumOf } from "../stats/reason_counts.ts";
import type { Verdict } from "../stats/threshold.ts";
import { nanos } from "../stats/units.ts";
import type { Exporter } from "./exporter.ts";

/** The format's version. */
export const LOAD_VERSION = 1;

/** What was measured: the endpoint and the options, those that were not given by their defaults. Times are in seconds. */
export interface LoadStart {
  type: "start";
  command: "load";
  /** The format's version. Fields may be added without a new one; none changes its meaning. */
  version: typeof LOAD_VERSION;
  /** This machine's wall clock when the measured part began, since the Unix epoch. */
  time: number;
  endpoint: string;
  loop: "open" | "closed";
  connections: number;
  threads: number;
  reconnect: boolean;
  /** Lines a second; null in a closed loop and with stages. */
  rate: number | null;
  /** Null without them. */
  stages: { duration: number; rate: number }[] | null;
  /** Null in a closed loop. */
  arrivals: "uniform" | "poisson" | null;
  seed: number | null;
  max_in_flight: number | null;
  /** Null in an open loop. */
  depth: number | null;
  think: number | null;
  /** What ends the run; null where the other does, or stages do. */
  count: number | null;
  duration: number | null;
  warmup: number;
  timeout: number;
  /** Payload of a line in bytes; null where a file has the lines. */
  size: number | null;
  data: string | null;
  /** What --find searched; null without it. */
  find: string | null;
}

/** How a load ended. */
export interface LoadEnd {
  /** Why it ended before it was meant to; null if it did not. */
  ended: string | null;
  /** Of a search the time of the trial whose figures these are: a start that is written with them has it. */
  began?: number;
  stats: LoadStats;
  summary: LoadSummary;
  thresholds: Verdict[];
  /** What a search came to; its figures are those of the last trial that passed, best with a generator that was not limited, or of the last one. */
  found?: LoadFound;
  /** Of a saved run the objects of its seconds, as they were saved. */
  seconds?: readonly object[];
}

/** Writes a load. An interval is a second of it, or what came after its planned end; an event is a trial of a search. */
export type LoadExporter = Exporter<LoadStart, LoadTrial, LoadInterval, LoadEnd>;

/** The object of an interval. */
export function toSecond(interval: LoadInterval, loop: "open" | "closed"): object {
  const { from, to, alike, errors, inFlight, servers, response, service, sendLag, blocked } = interval;
  const { planned, sent, received, lost, late, dropped, unsent, corrupt, duplicates, pending } = interval;
  return {
    from: nanos(from / 1000),
    to: nanos(to / 1000),
    ...{ planned, sent, received, lost, late, dropped, unsent, corrupt, duplicates, pending },
    in_flight: inFlight,
    alike,
    errors: sumOf(errors),
    ...(loop === "open"
      ? { response: figuresOf(response), send_lag: figuresOf(sendLag), blocked: figuresOf(blocked) }
      : { service: figuresOf(service), send_lag: null, blocked: null }),
    servers: [...servers].map(([tag, { received, up, down }]) => ({
      tag,
      received,
      up: figuresOf(up),
      down: figuresOf(down),
    })),
  };
}

/** The object of a load's end. */
export function toEnd({ ended, stats, summary, thresholds, found }: LoadEnd): object {
  const { outcome, rate, trials = [] } = found ?? {};
  const search = outcome === undefined ? null : { outcome, rate };
  const { response, service, sendLag, blocked, connect, handshake } = stats.total;
  const directions = stats.directions();
  return {
    ...{ type: "end", ended, ...summary },
    response: withHistogram(summary.response, response),
    service: withHistogram(summary.service, service),
    send_lag: withHistogram(summary.send_lag, sendLag),
    blocked: withHistogram(summary.blocked, blocked),
    connect: withHistogram(summary.connect, connect),
    handshake: withHistogram(summary.handshake, handshake),
    servers: summary.servers.map((server) => {
      const { up, down } = directions.find(({ tag }) => tag === server.tag) ?? {};
      return { ...server, up: withHistogram(server.up, up), down: withHistogram(server.down, down) };
    }),
    ...{ thresholds, found: search, trials },
  };
}

/** Durations in seconds with their histogram; null if there are none. */
function figuresOf(values: Distribution): object | null {
  const told = loadDurations(values, ALL_CAME, undefined);
  if (told === null) return null;
  const { intervals: _, never: __, beyond: ___, ...figures } = told;
  return withHistogram(figures, values);
}

/** Figures that were saved have theirs, which is exact: one that was read back is to its bins. */
function withHistogram(figures: object | null, values: Distribution | undefined): object | null {
  if (figures === null || values === undefined || "histogram" in figures) return figures;
  return { ...figures, histogram: encodeHdr(values) };
}
