import type { Distribution } from "../stats/distribution.ts";
import type { ProbeEvent } from "../stats/events.ts";
import type { IntervalSummary } from "../stats/interval.ts";
import type { RunCourse } from "../stats/run_stats.ts";
import type { Summary } from "../stats/summary.ts";
import type { Verdict } from "../stats/threshold.ts";
import type { Start } from "./record.ts";

/** Takes text, in order, without making its writer wait. */
export interface Sink {
  write(text: string): void;
}

/** How a run ended. */
export interface End {
  /** Why it ended before it was meant to; null if it did not. */
  ended: string | null;
  /** Whether the end of a saved run is missing. */
  cut?: boolean;
  summary: Summary;
  /** All round trips. */
  rtt: Distribution;
  thresholds: Verdict[];
  /** The course of the run; undefined if no exporter asked for it. */
  course?: RunCourse | undefined;
}

/** Writes a run in one format to a sink. A format leaves out the methods that it has no use for. */
export interface Exporter<Start, Event, Interval, End> {
  start?(start: Start): void;
  event?(event: Event): void;
  /** Called once a second while a run goes on, and at its end; not for a saved run. */
  interval?(interval: Interval): void;
  end?(end: End): void;
}

/** Writes a run of ping's. */
export type PingExporter = Exporter<Start, ProbeEvent, IntervalSummary, End>;
