/** A saved run of load or ping, read for a comparison. */
import { BATCHES } from "../stats/batches.ts";
import { COMPARED, COMPARED_PERCENTILES, type ComparedMetric } from "../stats/compared_metrics.ts";
import type { Figures } from "../stats/comparison.ts";
import { Distribution } from "../stats/distribution.ts";
import type { ProbeEvent } from "../stats/events.ts";
import { decodeHdr } from "../stats/hdr_decoder.ts";
import { isInTime } from "../stats/line_counters.ts";
import { isBeyond, type NeverCame } from "../stats/load_durations.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { ALIKE_HELP, isMixedUp } from "../stats/load_measure.ts";
import type { GeneratorVerdict } from "../stats/load_summary.ts";
import type { GeneratorReasonCode } from "../stats/reasons.ts";
import { valuesFor } from "../stats/metrics.ts";
import { type CourseEntry, courseOf, isDrawn, quantileCurve, type RunCourse } from "../stats/run_course.ts";
import { type Figure, figureOf, lossOf, RunParts } from "../stats/run_parts.ts";
import { durationText, formatMillis } from "../time/duration.ts";
import { neverText, perSecond } from "./load_figures.ts";
import { Losses } from "./load_page/losses.ts";
import { LOAD_VERSION } from "./load_record.ts";
import type { Json } from "./record.ts";
import { isObject, numberOf, objectOf, readRecords, recordsOf, startOf, textOf } from "./saved_records.ts";
import { newStats, readRun } from "./transcript.ts";

/** Which commands' runs can be compared, in words. */
const COMMANDS = "tsecho ping or tsecho load";

/** What a saved run tells. */
export interface ComparedRun {
  endpoint: string;
  /** The wall clock when it began, in seconds. */
  time: number;
  /** In seconds. */
  duration: number;
  /** What was measured, by name and in words: runs that differ in one of these measured different things. */
  settings: Record<string, string>;
  /** Whether load kept to its plan; null for ping. */
  generator: GeneratorVerdict | null;
  /** Why it ended before it was meant to; null if it did not. */
  ended: string | null;
  figures: Figures;
  /** Of the latency that the figures are of. */
  course: RunCourse;
}

/** Reads a saved run. @throws {Error} whose message says what the text is not. */
export function readComparedRun(text: string): ComparedRun {
  const records = readRecords(text, COMMANDS);
  const start = startOf(records, COMMANDS);
  return start.command === undefined ? fromPing(text) : fromLoad(start, records);
}

/** Reads the document of a run of load. @throws {Error} whose message says what it is not. */
export function comparedRunOf(document: Json): ComparedRun {
  const records = recordsOf(document, COMMANDS);
  return fromLoad(startOf(records, COMMANDS), records);
}

/** Each metric's figure. @param values by metric; those that are null have a reason. */
function figuresFrom(
  values: Record<ComparedMetric, number | null>,
  parts: RunParts,
  why: (metric: ComparedMetric) => Pick<Figure, "atLeast"> & { help: string },
): Figures {
  const figures = COMPARED.map((metric) => {
    const value = values[metric];
    return [metric, figureOf(metric, value, parts, value === null ? why(metric) : { help: "" })];
  });
  return Object.fromEntries(figures) as Figures;
}

/** Why a percentile or a loss is not known. */
function fewReplies(metric: ComparedMetric, replies: number): string {
  if (replies === 0) return "no reply came";
  if (metric === "rate" || metric === "loss") return "no line was answered or lost";
  return `needs ${valuesFor(COMPARED_PERCENTILES[metric])} replies a run`;
}

function fromPing(text: string): ComparedRun {
  const { start, events, ended, cut } = readRun(text);
  const stats = newStats(start);
  for (const event of events) stats.add(event);
  const { duration, rtt, loss, received } = stats.summary();
  const { p50 = null, p90 = null, p99 = null, p99_9 = null } = rtt ?? {};
  const rate = duration > 0 ? received / duration : null;
  return {
    endpoint: start.endpoint,
    time: start.time,
    duration,
    settings: {
      command: "ping",
      interval: durationText(start.interval * 1000),
      size: bytesText(start.size),
      timeout: durationText(start.timeout * 1000),
    },
    generator: null,
    ended: cut ? "its end is missing" : ended,
    figures: figuresFrom({ p50, p90, p99, p99_9, rate, loss }, partsOfPing(events, duration), (metric) => ({
      help: fewReplies(metric, received),
    })),
    course: courseOf(duration, roundTripsOf(events)),
  };
}

function* roundTripsOf(events: readonly ProbeEvent[]): Generator<{ at: number; micros: number }> {
  for (const event of events) {
    if (isInTime(event) && event.rtt !== undefined) yield { at: event.at, micros: event.rtt };
  }
}

function partsOfPing(events: readonly ProbeEvent[], duration: number): RunParts {
  const parts = new RunParts(duration);
  const time = duration / BATCHES;
  const counts = Array.from({ length: BATCHES }, () => ({
    latency: new Distribution(),
    ...{ received: 0, failed: 0, time },
  }));
  for (const event of events) {
    const part = counts[Math.min(BATCHES - 1, Math.floor(event.at / time))]!;
    if (event.fate === "lost") part.failed++;
    if (!isInTime(event)) continue;
    part.received++;
    if (event.rtt !== undefined) part.latency.record(event.rtt);
  }
  counts.forEach((part, place) => parts.add((place + 0.5) * time, part, part.latency));
  return parts;
}

function fromLoad(start: Json, records: Json[]): ComparedRun {
  const whose = "the start's";
  if (start.command !== "load") throw new Error(`it is of another command, ${JSON.stringify(start.command)}`);
  if (start.version !== LOAD_VERSION) {
    throw new Error(`its version is ${start.version}, and only ${LOAD_VERSION} is known here`);
  }
  const end = records.find(({ type }) => type === "end");
  if (end === undefined) throw new Error("it has no end: the run was killed");
  const seconds = records.filter(({ type }) => type === undefined || type === "interval");
  const duration = numberOf(end, "the end's", "duration", 0);
  if (seconds.length === 0 && duration > 0) {
    throw new Error("it has no seconds; was it a --json-stream with -q?");
  }
  const loop = textOf(end, "the end's", "loop");
  const headline = loop === "open" ? "response" : "service";
  const latency = isObject(end[headline]) ? end[headline] : null;
  const count = (field: string) => numberOf(end, "the end's", field, 0);
  const alike = end.alike === true;
  const counts = { received: count("received"), late: count("late"), duplicates: count("duplicates") };
  const isUnsure = isMixedUp({ alike, sent: count("sent"), ...counts });
  const parts = partsOfLoad(seconds, duration, loop);
  const timeout = numberOf(start, whose, "timeout", 0);
  return {
    endpoint: textOf(start, whose, "endpoint"),
    time: numberOf(start, whose, "time", 0),
    duration,
    settings: settingsOf(start, end, loop),
    generator: generatorOf(end),
    ended: typeof end.ended === "string" ? end.ended : null,
    figures: figuresFrom(
      { ...percentilesOf(alike ? null : latency), ...isUnsure ? UNKNOWN : sharesOf(end, duration, loop) },
      parts,
      (metric) => whyUnknown(metric, latency, timeout, alike),
    ),
    course: {
      ...entriesOf(seconds, duration, headline, timeout),
      curve: quantileCurve(parts.latency()).filter(([quantile]) =>
        !isBeyond(100 * quantile, cameOf(end, latency, loop))
      ),
    },
  };
}

/** The lines of a run that have no latency, among all. */
function cameOf(end: Json, latency: Json | null, loop: string): NeverCame {
  const never = latency === null ? 0 : numberOf(latency, "the end's", "never", 0);
  return { never, pending: 0, lines: numberOf(end, "the end's", loop === "open" ? "planned" : "sent", 0) };
}

/** What a load measured. Where one of these differs, so may the figures. */
function settingsOf(start: Json, end: Json, loop: string): Record<string, string> {
  const { reconnect, arrivals, stages, data, find } = start;
  const number = (field: string) => numberOf(start, "the start's", field, 0);
  const found = isObject(end.found) && typeof end.found.rate === "number" ? end.found.rate : start.rate;
  const rate = typeof found === "number" ? { rate: `${perSecond(found)} lines/s` } : {};
  return {
    command: "load",
    loop: `${loop} loop`,
    ...rate,
    ...(Array.isArray(stages) && { stages: stages.map(stageText).join(",") }),
    ...(typeof arrivals === "string" && { arrivals }),
    connections: reconnect === true
      ? `a connection for each line, ${number("connections")} at once`
      : `${number("connections")} connections`,
    ...(typeof start.depth === "number" && { depth: `${start.depth} in flight` }),
    ...(typeof start.think === "number" && start.think > 0 && {
      think: `${durationText(start.think * 1000)} between`,
    }),
    size: typeof data === "string" ? `lines of ${data}` : bytesText(number("size")),
    timeout: `${durationText(number("timeout") * 1000)} time-out`,
    ...(typeof find === "string" && { find: `search for ${find}` }),
  };
}

function stageText(stage: unknown): string {
  const it = objectOf(stage, COMMANDS);
  const number = (field: string) => numberOf(it, "a stage's", field, 0);
  return `${formatMillis(number("duration") * 1000)}:${number("rate")}`;
}

function generatorOf(end: Json): GeneratorVerdict {
  if (!isObject(end.generator)) throw new Error('the end\'s "generator" is no object');
  const { verdict, reasons, reason_codes: codes } = end.generator;
  if (verdict !== "ok" && verdict !== "strained" && verdict !== "limited") {
    throw new Error('the generator\'s "verdict" is unknown');
  }
  return {
    ...{ verdict, reasons: Array.isArray(reasons) ? reasons.map(String) : [] },
    ...(Array.isArray(codes) && { reason_codes: codes.map(String) as GeneratorReasonCode[] }),
  };
}

function percentilesOf(latency: Json | null): Record<keyof typeof COMPARED_PERCENTILES, number | null> {
  const names = Object.keys(COMPARED_PERCENTILES) as (keyof typeof COMPARED_PERCENTILES)[];
  const values = names.map((name) => [
    name,
    (latency?.[name] ?? null) === null ? null : numberOf(latency!, "the end's", name, 0),
  ]);
  return Object.fromEntries(values);
}

/**
 * The rate and the loss. A line of a plan counts whenever its reply comes: those under way at the plan's end would make
 * the slower of two servers lose lines.
 */
function sharesOf(end: Json, duration: number, loop: string): { rate: number | null; loss: number | null } {
  const count = (field: string) => numberOf(end, "the end's", field, 0);
  const [received, corrupt] = [count("received"), count("corrupt")];
  const errors = isObject(end.errors) ? end.errors : {};
  const failed = Object.keys(errors).reduce(
    (sum, it) => sum + numberOf(errors, "the errors'", it, 0),
    count("lost"),
  );
  if (!isObject(end.rate)) throw new Error('the end\'s "rate" is no object');
  return {
    rate: duration === 0
      ? null
      : loop === "open"
      ? received / duration
      : numberOf(end.rate, "the rate's", "received", 0),
    loss: lossOf({ received, failed, corrupt }),
  };
}

function partsOfLoad(seconds: readonly Json[], duration: number, loop: string): RunParts {
  const parts = new RunParts(duration);
  const isOpen = loop === "open";
  const whose = "a second's";
  for (const second of seconds) {
    const number = (field: string) => numberOf(second, whose, field, 0);
    const [from, to] = [number("from"), number("to")];
    const latency = second[isOpen ? "response" : "service"];
    const isInPlan = from < duration;
    parts.add((from + to) / 2, {
      received: number("received"),
      rated: isOpen || isInPlan ? number("received") : 0,
      failed: number("lost") + number("errors"),
      corrupt: number("corrupt"),
      time: isInPlan ? to - from : 0,
    }, isObject(latency) ? histogramOf(latency) : undefined);
  }
  return parts;
}

/** The seconds, and what came after the plan's end: drawn as the rule is, told in any case. */
function entriesOf(
  seconds: readonly Json[],
  duration: number,
  headline: "response" | "service",
  timeout: number,
): Pick<RunCourse, "entries" | "tail"> {
  const losses = lossesOf(seconds, duration, timeout);
  const entries = seconds.map((it) => entryOf(it, headline, losses));
  const inPlan = entries.filter(({ from }) => from < duration);
  const later = entries.find(({ from, max }) => from >= duration && max !== null);
  if (later === undefined) return { entries: inPlan };
  const tail = { lines: later.lines, slowest: later.max! };
  const isShown = isDrawn(tail, Math.max(0, ...inPlan.map(({ max }) => max ?? 0)));
  return { entries: isShown ? entries : inPlan, tail };
}

/** When lines were due that got no right reply. */
function lossesOf(seconds: readonly Json[], duration: number, timeout: number): Losses {
  const losses = new Losses(timeout);
  for (const second of seconds) {
    const number = (field: string) => numberOf(second, "a second's", field, 0);
    const [from, to] = [number("from"), number("to")];
    const interval = Object.assign(new LoadInterval(), {
      ...{ from: 1000 * from, to: 1000 * to, tail: from >= duration },
      ...{ lost: number("lost"), unsent: number("unsent"), dropped: number("dropped") },
      corrupt: number("corrupt") + number("errors"), // both are known when they happen
    });
    losses.add(interval, interval.tail ? duration : to);
  }
  return losses;
}

function entryOf(
  second: Json,
  headline: "response" | "service",
  losses: Losses,
): CourseEntry & { lines: number; max: number | null } {
  const number = (field: string) => numberOf(second, "a second's", field, 0);
  const latency = second[headline];
  const figure = (name: string) =>
    isObject(latency) && (latency[name] ?? null) !== null ? numberOf(latency, "a second's", name, 0) : null;
  const [from, to, lines] = [number("from"), number("to"), figure("count") ?? 0];
  const never = losses.linesIn(from, to);
  const millis = (name: string, percent: number) => {
    const value = figure(name);
    if (value === null) return null;
    return isBeyond(percent, { never, pending: 0, lines: lines + never }) ? Infinity : value * 1000;
  };
  const max = figure("max");
  return {
    ...{ from, to, lines, p50: millis("p50", 50), p99: millis("p99", 99) },
    max: max === null ? null : max * 1000,
  };
}

function histogramOf(latency: Json): Distribution {
  const text = textOf(latency, "a second's", "histogram");
  try {
    return decodeHdr(text);
  } catch (error) {
    throw new Error("a second's histogram is none that load has written", { cause: error });
  }
}

/** Why a figure of load's is not known; of lines that never came, what it is no less than. */
function whyUnknown(
  metric: ComparedMetric,
  latency: Json | null,
  timeout: number,
  alike: boolean,
): Pick<Figure, "atLeast"> & { help: string } {
  if (alike) return { help: ALIKE_HELP };
  if (latency !== null && Array.isArray(latency.beyond) && latency.beyond.includes(metric)) {
    return { help: neverText({ never: numberOf(latency, "the end's", "never", 0) }), atLeast: timeout };
  }
  return { help: fewReplies(metric, latency === null ? 0 : numberOf(latency, "the end's", "count", 0)) };
}

const UNKNOWN = { rate: null, loss: null };

function bytesText(size: number): string {
  return `${size} bytes a line`;
}
