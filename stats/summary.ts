/** What a run amounts to, in the units and under the names that docs/json.md promises: times are in seconds. */
import type { Distribution } from "./distribution.ts";
import type { StampFormat } from "./events.ts";
import type { Bounds } from "./feasible_lines.ts";
import type { LossPatternSummary } from "./loss_pattern.ts";
import type { Withdrawal } from "./server_clock.ts";
import { nanos, seconds } from "./units.ts";

/** Durations in seconds. A percentile is null where there are too few values to tell it from the largest. */
export interface Durations {
  /** How many there are. */
  count: number;
  /** The shortest. */
  min: number;
  /** The average. */
  avg: number;
  /** The longest. */
  max: number;
  /** The standard deviation, which ping(8) calls mdev. */
  mdev: number;
  /** The median. */
  p50: number | null;
  /** The 90th percentile. */
  p90: number | null;
  /** The 99th percentile. */
  p99: number | null;
  /** The 99.9th percentile. */
  p99_9: number | null;
}

/** A value, and the most that it can be off, in the same unit. */
export interface Estimate {
  /** The middle of the interval that is proven. */
  value: number;
  /** Half its width. */
  bound: number;
}

/** The clock offset of one server so far, in seconds; null if the stamps cannot tell. */
export interface OffsetOfServer {
  /** Null for a server without a tag. */
  tag: string | null;
  /** Server minus client. */
  offset: Estimate | null;
}

/** A break in seconds. */
export interface BreakSummary {
  /** `step` when no drift explains it; `rate` when the drift changed, or a step was too small to tell from that. */
  kind: "step" | "rate";
  /** Whose clock was stepped; null for a change of rate. */
  whose: "server" | "client" | null;
  /** It happened after the reply with this number ... */
  after: number;
  /** ... and before the stamp of the reply with this number. */
  by: number;
  /** When the latter arrived: seconds since the run began. */
  at: number;
  /** How far a step went; null for a change of rate. */
  size: Estimate | null;
}

/** What is known of one server. Servers are told apart by their tags. */
export interface ServerSummary {
  /** Null for a server without one; "further tags" for all beyond the first {@linkcode MAX_TAGS}. */
  tag: string | null;
  /** Its replies in time. */
  received: number;
  /** Their round trips. */
  rtt: Durations | null;
  /** The format of its stamps; null if unknown, or if there are several. */
  stamp: StampFormat | null;
  /** Server minus client at the moment of the latest reply, in seconds; null where the stamps cannot tell. */
  offset: Estimate | null;
  /** Why the offset is only what the latest reply proves alone: the clocks kept to no line. Null if they did. */
  withdrawn: Withdrawal | null;
  /** Whose clock is ahead, if proven. */
  ahead: "server" | "client" | null;
  /** In ppm, since the latest break; `proven` tells whether it excludes 0. Null if withdrawn. */
  drift: Estimate & { proven: boolean } | null;
  /** The first breaks. */
  breaks: BreakSummary[];
  /** The number of all breaks. */
  break_count: number;
  /** The delay to the server above its shortest. */
  up: Durations | null;
  /** The delay from the server above its shortest. */
  down: Durations | null;
  /** Lines that this machine held up: they are in `up` and `down`, and left out of what follows. */
  busy: number;
  /** The direction that is proven to carry the delay. */
  carries: "up" | "down" | null;
  /** The direction whose delays are clearly larger, proven or not. */
  leans: "up" | "down" | null;
  /** One-way delays, if the clocks are said to agree; each is exact to `bound` seconds if they do. */
  one_way: { up: Durations; down: Durations; bound: number } | null;
  /** What cannot be told, and why; null if all can. */
  note: string | null;
}

/** How many lines met each fate. */
export interface Counts {
  /** Lines sent. */
  sent: number;
  /** In time, reordered ones included. */
  received: number;
  /** Without a reply in time. */
  lost: number;
  /** Lost lines that were answered after all. Of an interval: those whose replies came in it. */
  late: number;
  /** Further replies to the same line. */
  duplicates: number;
  /** Received after the reply to a later line. */
  reordered: number;
  /** What came and is no reply. */
  corrupt: number;
  /** Lines whose time-out had not passed when the run ended: neither received nor lost. */
  pending: number;
  /** Lines that were due and not sent: each planned line is either sent or missed. */
  missed: number;
  /** The share of lost lines among those whose fate is known: 0 to 1. Null as long as none is. */
  loss: number | null;
}

/** A whole run, or what is known of it so far. */
export interface Summary extends Counts {
  /** How many lines were missed for which reason. */
  missed_by: Record<string, number>;
  /** How many of the lost lines were lost for which reason, other than that their time-out has passed. */
  errors: Record<string, number>;
  /** From one line written to the next on average, in seconds. Null for fewer than two, or without a plan. */
  interval: number | null;
  /** How lost lines lie among the others; null if none is lost. */
  loss_pattern: LossPatternSummary | null;
  /** Seconds from the beginning to the latest event. */
  duration: number;
  /** Round trips. */
  rtt: Durations | null;
  /** From the moments planned until the replies came: what a user of the path would have waited. Null without a plan. */
  response: Durations | null;
  /** How late ping itself was with the lines that it sent. Null without a plan. */
  lag: Durations | null;
  /** How long lines waited after that for their connection to take them. Null without a plan. */
  blocked: Durations | null;
  /** What connections took. */
  connect: Durations | null;
  /** What their TLS handshakes took after that. */
  handshake: Durations | null;
  /** The servers that answered, by tag. */
  servers: ServerSummary[];
}

/** A distribution in seconds; null if it is empty. */
export function durations(of: Distribution): Durations | null {
  if (of.count === 0) return null;
  const percentile = (percent: number) => of.hasPercentile(percent) ? seconds(of.percentile(percent)) : null;
  return {
    count: of.count,
    min: seconds(of.min),
    avg: seconds(of.avg),
    max: seconds(of.max),
    mdev: seconds(of.mdev),
    p50: percentile(50),
    p90: percentile(90),
    p99: percentile(99),
    p99_9: percentile(99.9),
  };
}

/** Whose clock is ahead; null where that is not proven. @param offset of the server's clock from the client's. */
export function aheadOf(offset: Estimate | null): "server" | "client" | null {
  if (offset === null || Math.abs(offset.value) <= offset.bound) return null;
  return offset.value > 0 ? "server" : "client";
}

/**
 * The middle of an interval times `unit`, and half its width, both to the nanosecond where a double has it. It stays a
 * bound in double arithmetic: `value - bound <= lower` and `value + bound >= upper`.
 */
export function estimated({ lower, upper }: Bounds, unit: number): Estimate {
  const value = nanos((lower + upper) / 2 * unit);
  let bound = Math.ceil(Math.max(upper * unit - value, value - lower * unit) * 1e9) / 1e9;
  for (let more = 1e-9; value - bound > lower * unit || value + bound < upper * unit; more *= 2) {
    bound = nanos(bound + more);
  }
  return { value, bound };
}
