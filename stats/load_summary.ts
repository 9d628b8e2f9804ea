/** What a run of `tsecho load` amounts to, under the names that docs/json.md promises: times are in seconds. */
import type { GeneratorReasonCode } from "./reasons.ts";
import type { Unsteady } from "./steadiness.ts";
import type { Durations, Estimate } from "./summary.ts";
import type { Trend } from "./trend.ts";

/** The percentiles that are told. */
export const LOAD_PERCENTILES: Record<PercentileName, number> = {
  p50: 50,
  p90: 90,
  p95: 95,
  p99: 99,
  p99_9: 99.9,
};
/** The name of a percentile: `p99_9` is the 99.9th. */
export type PercentileName = "p50" | "p90" | "p95" | "p99" | "p99_9";

/** Durations in seconds, each percentile with its interval. */
export interface LoadDurations extends Durations {
  /** The 95th percentile. */
  p95: number | null;
  /** 95% intervals of the percentiles, from batches of the run; null of a run that is too short for one. */
  intervals: Record<PercentileName, [lower: number, upper: number] | null>;
  /** Lines that never came. A percentile that they leave no room for is null: it is above the time-out. */
  never: number;
  /** Percentiles that are null for this reason. */
  beyond: PercentileName[];
}

/** How well the generator kept to its plan. */
export interface GeneratorVerdict {
  /** `limited`: the figures are those of the generator, and the server can do at least as much. */
  verdict: "ok" | "strained" | "limited";
  /** Why, in words; empty for `ok`. */
  reasons: string[];
  /** The reasons for programs, in the same order; absent where an older version saved the run. */
  reason_codes?: GeneratorReasonCode[];
}

/** What is known of one server. */
export interface LoadServer {
  /** Null for a server without one. */
  tag: string | null;
  /** Its lines. */
  received: number;
  /** Connections that it answered on. */
  connections: number;
  /** Delays above the direction's best; null where the stamps cannot tell. */
  up: LoadDurations | null;
  /** Likewise on the way back. */
  down: LoadDurations | null;
  /** Whether `up` and `down` are of some of its lines, picked at random: their `max` is the least of what it may be. */
  sampled: boolean;
  /** Server minus client at the end, in seconds; null where the stamps cannot tell. */
  offset: Estimate | null;
  /** What it looks as if a clock had done: then `up` and `down` hold only if it did not. Null for nothing. */
  unsteady: Unsteady | null;
}

/** A whole run, or what is known of it so far. */
export interface LoadSummary {
  /** Lines that were due by the plan. */
  planned: number;
  /** Written. */
  sent: number;
  /** Answered in time, and rightly. */
  received: number;
  /** Without a reply in time. */
  lost: number;
  /** Lost lines that were answered after all. */
  late: number;
  /** Not sent, since too many were in flight. */
  dropped: number;
  /** Not sent for another reason. */
  unsent: number;
  /** Answered with something else. */
  corrupt: number;
  /** Further replies to a line. */
  duplicates: number;
  /** Neither answered nor lost when the run was broken off. */
  pending: number;
  /** Lines that failed, by reason. */
  errors: Record<string, number>;
  /** Connects that failed, by reason. */
  connect_errors: Record<string, number>;
  /** Seconds of the plan that have passed: without the warm-up, and without the wait for the last replies. */
  duration: number;
  /** Whether a plan or the replies set the pace. */
  loop: "open" | "closed";
  /** Lines a second over the duration. */
  rate: { planned: number; sent: number; received: number };
  /** Null in a closed loop, which has no plan. */
  response: LoadDurations | null;
  /** From written to read. */
  service: LoadDurations | null;
  /** How late the generator was with its lines; null in a closed loop. */
  send_lag: LoadDurations | null;
  /** How long their connections took no more; null in a closed loop. */
  blocked: LoadDurations | null;
  /** What connections took. */
  connect: LoadDurations | null;
  /** What their TLS handshakes took after that. */
  handshake: LoadDurations | null;
  /** The servers that answered, by tag. */
  servers: LoadServer[];
  /**
   * Whether replies could not be told apart, since they may be lost or come twice over UDP and too few of the lines
   * differ: no server has directions or an offset then. Absent where an older version saved the run.
   */
  alike?: boolean;
  /** How well the generator kept to its plan. */
  generator: GeneratorVerdict;
  /** Whether the 99th percentile kept its level; null for a run that is too short to tell, or follows stages. */
  steady: boolean | null;
  /** Where the 99th percentile went, if it did not keep its level; absent where an older version saved the run. */
  trend?: Trend | null;
}
