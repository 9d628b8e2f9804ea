/** Checks between the options of `tsecho load`: what contradicts each other, and numbers that do not fit together. */
import { UsageError } from "../cli/parser.ts";
import { formatTime, grouped } from "../cli/values.ts";
import { StagesSchedule } from "../probe/schedule.ts";
import { OPEN_LOOP_DURATIONS, valuesFor } from "../stats/metrics.ts";
import type { LoadThreshold } from "../stats/threshold.ts";
import type { Given } from "./endpoints.ts";
import type { LoadSettings } from "./load_plan.ts";

/** The shortest time that the lines in flight must have room for, in ms. */
export const MIN_ROOM_MS = 100;

/** Pairs of options that contradict each other, and why: the first is refused where one of the others is given. */
const CONTRADICTIONS: [option: string, others: string[], why: string][] = [
  ["stages", ["rate"], "the stages have the rates: for a constant one, 0s:RATE,TIME:RATE"],
  ["duration", ["stages"], "the stages have the times: leave out -t"],
  [
    "depth",
    ["rate", "stages", "find"],
    "--depth is for a closed loop, and OTHER makes an open one: leave one out",
  ],
  [
    "think",
    ["rate", "stages", "find"],
    "--think is for a closed loop, and OTHER makes an open one: leave one out",
  ],
  ["depth", ["reconnect"], "with --reconnect each line has a connection of its own: set -c"],
  ["size", ["data"], "the lines of --data have their own sizes: leave out -s"],
  ["udp-rate", ["rate", "stages", "find"], "OTHER sets the rate: leave out --udp-rate"],
  ["stages", ["find"], "--find sets the rates: leave out --stages"],
  ["count", ["find"], "--find makes trials of --trial each: leave out -n"],
  ["duration", ["find"], "--find makes trials of a length that --trial sets: leave out -t"],
  ...(["fail-if", "abort-if", "csv", "hdr", "json-stream"] as const).map((
    option,
  ): [string, string[], string] => [
    option,
    ["find"],
    "--find makes several runs: use it in a run at the rate that was found, with -R",
  ]),
  ["find", ["against"], "find the rate that each endpoint keeps, and compare them at one rate, with -R"],
  ...(["abort-if", "csv", "hdr", "json-stream"] as const).map((
    option,
  ): [string, string[], string] => [
    option,
    ["against"],
    "--against makes several runs: save them with --json, or make them one by one",
  ]),
];

/** Options that have a meaning only with others, of which one must be given. */
const NEEDS: [option: string, one: string[], why: string][] = [
  ["arrivals", ["rate", "stages", "find"], "a closed loop has no plan: it needs --rate or --stages"],
  [
    "max-in-flight",
    ["rate", "stages", "find"],
    "a closed loop has --connections times --depth: it needs --rate or --stages",
  ],
  ["trial", ["find"], "it needs --find"],
  ["lenient", ["fail-if"], "it needs --fail-if"],
  ["repeat", ["against"], "it needs --against, the endpoint to compare with"],
];

/** @throws {UsageError} */
export function checkTogether(parsed: Given): void {
  for (const [option, others, why] of CONTRADICTIONS) {
    const other = others.find((it) => parsed.has(it));
    if (!parsed.has(option) || other === undefined) continue;
    throw new UsageError(
      "use option",
      `--${option}`,
      `--${other} is given too; ${why.replace("OTHER", `--${other}`)}`,
    );
  }
  for (const [option, one, why] of NEEDS) {
    if (!parsed.has(option) || one.some((it) => parsed.has(it))) continue;
    throw new UsageError("use option", `--${option}`, why);
  }
}

/** @throws {UsageError} for numbers that do not fit together. */
export function checkSettings(settings: LoadSettings): void {
  const { connections, threads, seed, arrivals, maxInFlight } = settings;
  if (threads > connections) {
    const reason = `expected at most ${grouped(connections)}, the connections: each thread needs one`;
    throw new UsageError("use --threads", String(threads), reason);
  }
  if (seed !== undefined && arrivals !== "poisson") {
    throw new UsageError("use option", "--seed", "it needs --arrivals poisson");
  }
  const peak = peakRate(settings);
  const least = leastInFlight(settings);
  if (maxInFlight !== undefined && maxInFlight < least) {
    const reason = `expected at least ${grouped(least)}: ${grouped(peak)} lines a second are so many in ${
      formatTime(MIN_ROOM_MS)
    }`;
    throw new UsageError("use --max-in-flight", String(maxInFlight), reason);
  }
}

/** How many lines in flight a plan must have room for; 0 in a closed loop. */
export function leastInFlight(settings: Pick<LoadSettings, "rate" | "stages">): number {
  return Math.ceil(peakRate(settings) * MIN_ROOM_MS / 1000);
}

/** The highest rate of a plan; 0 in a closed loop. */
function peakRate({ rate = 0, stages = [] }: Pick<LoadSettings, "rate" | "stages">): number {
  return Math.max(rate, ...stages.map((it) => it.rate));
}

/** How many lines a plan has at most; Infinity where the server decides that. */
function linesOf({ count = Infinity, rate, stages, duration = Infinity }: LoadSettings): number {
  if (rate === undefined && stages === undefined) return count;
  const schedule = rate === undefined
    ? new StagesSchedule(stages!, { count })
    : StagesSchedule.constant(rate, duration, { count });
  return Math.ceil(schedule.planned(schedule.duration) - 1e-6); // rounding makes no line
}

/** @throws {UsageError} for a condition that can never be decided in such a run. @param option that has it. */
export function checkCondition(
  option: "--fail-if" | "--abort-if",
  { text, metric }: LoadThreshold,
  settings: LoadSettings,
): void {
  if (metric.of !== "duration") return;
  const { name, statistic } = metric;
  const isClosed = settings.rate === undefined && settings.stages === undefined;
  if (isClosed && OPEN_LOOP_DURATIONS.includes(name)) {
    const reason = `a closed loop has no ${name}: use service, or an open loop with --rate`;
    throw new UsageError(`use ${option}`, text, reason);
  }
  if (
    option === "--abort-if" || typeof statistic !== "number" || name === "connect" || name === "handshake"
  ) return;
  const [needed, lines] = [valuesFor(statistic), linesOf(settings)];
  if (lines >= needed) return;
  throw new UsageError(
    "use --fail-if",
    text,
    `that takes ${grouped(needed)} lines or more, and the run has ${grouped(lines)}`,
  );
}
