/** What the options of `tsecho load` are read by, beyond those of all commands. */
import { parseRate, parseTime } from "../cli/values.ts";
import type { Stage } from "../probe/schedule.ts";
import { LOAD_METRICS } from "../stats/metrics.ts";
import { type LoadThreshold, parseThresholdOf, possible } from "../stats/threshold.ts";
import { MAX_RATE } from "./endpoints.ts";

/** Reads a threshold of load's. @throws {Error} whose message says what was expected, or why it can never hold. */
export function parseCondition(text: string): LoadThreshold {
  return possible(parseThresholdOf(LOAD_METRICS, text));
}

/** Likewise, for a run without another to compare it with. */
export function parseOwnCondition(text: string): LoadThreshold {
  if (/[<>]=?\s*[+-].*%\s*$/.test(text)) throw new Error("a change needs --against");
  return parseCondition(text);
}

/** What grows with the rate, which a search raises. */
const RAISED: readonly string[] = ["planned", "sent", "received", "rate"];
/** What fails a trial if there is any of it, whatever the limit. */
const FAILING: readonly string[] = ["loss", "lost", "late", "dropped", "corrupt", "errors"];
/** What always takes some time. */
const TIMES: readonly string[] = ["latency", "response", "service", "connect", "handshake"];

/** Reads what a rate must keep. @throws {Error} whose message says what was expected, or what is wrong with the limit. */
export function parseLimit(text: string): LoadThreshold {
  const threshold = /[<>]/.test(text) ? parseCondition(text) : undefined;
  if (!threshold?.operator.startsWith("<")) {
    throw new Error("expected what a rate has to keep: a metric, < or <=, and a limit, such as p99<5ms");
  }
  const { metric, operator, limit } = threshold;
  const name = metric.of === "loss" ? metric.of : metric.name;
  if (RAISED.includes(name)) {
    throw new Error("--find raises it: expected what has to stay low, such as p99<5ms");
  }
  const isNone = limit === 0 || (metric.of === "count" && operator === "<" && limit <= 1);
  if (FAILING.includes(name) && !isNone) {
    const none = metric.of === "loss" ? "loss<=0%" : `${name}<=0`;
    throw new Error(
      `a trial allows for no lost, dropped, corrupt or failed line: expected ${none}, or another limit such as p99<5ms`,
    );
  }
  if (metric.of === "duration" && limit === 0 && metric.statistic !== "mdev" && TIMES.includes(name)) {
    throw new Error(`it can never hold: a ${name} of 0 does not occur`);
  }
  return threshold;
}

/** Reads stages: `30s:1000,1m:5000,30s:0`. @throws {Error} whose message says what was expected. */
export function parseStages(text: string): Stage[] {
  const stages = text.split(",").map((stage) => {
    const match = /^([^:]+):([^:]+)$/.exec(stage);
    if (match === null) {
      throw new Error(`"${stage}" is no stage, expected TIME:RATE,TIME:RATE such as 30s:1000,1m:5000`);
    }
    return {
      duration: parseTime(match[1]!),
      rate: Number(match[2]) === 0 ? 0 : parseRate(match[2]!, MAX_RATE),
    };
  });
  if (stages.every(({ duration }) => duration === 0)) {
    throw new Error("expected a stage that takes some time");
  }
  if (stages.every(({ rate }) => rate === 0)) throw new Error("expected a stage with a rate above 0");
  return stages;
}
