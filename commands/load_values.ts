/** What the options of `tsecho load` are read by, beyond those of all commands. */
import { parseRate, parseTime } from "../cli/values.ts";
import type { Stage } from "../probe/schedule.ts";
import { LOAD_METRICS } from "../stats/metrics.ts";
import { type LoadThreshold, parseThresholdOf } from "../stats/threshold.ts";
import { MAX_RATE } from "./endpoints.ts";

/** Reads a threshold of load's. @throws {Error} whose message says what was expected. */
export function parseCondition(text: string): LoadThreshold {
  return parseThresholdOf(LOAD_METRICS, text);
}

/** Likewise, for a run without another to compare it with. */
export function parseOwnCondition(text: string): LoadThreshold {
  if (/[<>]=?\s*[+-].*%\s*$/.test(text)) throw new Error("a change needs --against");
  return parseCondition(text);
}

/** Reads what a rate must keep. @throws {Error} whose message says what was expected. */
export function parseLimit(text: string): LoadThreshold {
  const limit = /[<>]/.test(text) ? parseCondition(text) : undefined;
  if (limit?.operator.startsWith("<")) return limit;
  throw new Error("expected what a rate has to keep: a metric, < or <=, and a limit, such as p99<5ms");
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
