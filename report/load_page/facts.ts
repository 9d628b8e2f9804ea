/** What was measured, and what was found, in words. */
import { clearlyLarger } from "../../stats/direction.ts";
import { isMixedUp } from "../../stats/load_measure.ts";
import type { LoadServer, LoadSummary } from "../../stats/load_summary.ts";
import type { LoadFound } from "../../stats/load_trial.ts";
import { LOAD_METRICS } from "../../stats/metrics.ts";
import type { Verdict } from "../../stats/threshold.ts";
import { millis } from "../format.ts";
import {
  alikeText,
  CLOSED_LOOP,
  countLine,
  errorLines,
  generatorText,
  headlineOf,
  levelText,
  NO_ANSWER,
  percentileRows,
  perSecond,
  rateLine,
  unsteadyText,
} from "../load_figures.ts";
import type { LoadEnd, LoadStart } from "../load_record.ts";
import { foundLine, linesText, planTexts, stageText } from "../load_text.ts";
import { largerDirection, noLargerDirection } from "../summary.ts";
import type { Fact, PageVerdict } from "../page/model.ts";
import { thresholdText } from "../text.ts";
import { durationText } from "../../time/duration.ts";

type Tone = PageVerdict["tone"];

/** What was measured. @param version of the program that made the page. */
export function factsOf(
  start: LoadStart,
  { summary, found, began = start.time }: LoadEnd,
  version: string,
): Fact[] {
  const { connections, reconnect, stages, arrivals, seed, think, depth, threads, warmup, timeout } = start;
  const facts: [name: string, value: string | null][] = [
    ["Endpoint", start.endpoint],
    ["Began", `${new Date(began * 1000).toISOString().replace("T", " ").slice(0, 19)} UTC`],
    ["Load", planTexts(start).join(", ")],
    ["Stages", stages?.map(stageText).join(", ") ?? null],
    ["Arrivals", arrivals === null ? null : seed === null ? arrivals : `${arrivals}, seed ${seed}`],
    ["At once", reconnect ? `at most ${connections} connections` : null],
    ["In flight", depth === null ? null : `${depth} on each connection`],
    ["In flight", start.max_in_flight === null ? null : `at most ${start.max_in_flight}`],
    ["Pause", think ? `${durationText(think * 1000)} between a reply and the next line` : null],
    ["Lines", linesText(start)],
    ["Measured", `${durationText(summary.duration * 1000)}, after ${durationText(warmup * 1000)} of warm-up`],
    ["Figures of", found === undefined ? null : trialText(found)],
    ["Time-out", durationText(timeout * 1000)],
    ["Threads", threads > 1 ? String(threads) : null],
    ["Made by", version],
  ];
  return facts.flatMap(([name, value]) => value === null ? [] : [{ name, value }]);
}

/** Which trial of a search the figures are of. */
function trialText({ trials }: LoadFound): string {
  const passed = trials.findLast((it) => it.passed);
  const trial = passed ?? trials.at(-1);
  if (trial === undefined) return "no trial";
  return `the trial at ${perSecond(trial.rate)} lines/s, the last ${
    passed === undefined ? "one" : "that passed"
  }`;
}

/** What was found. */
export function verdictsOf(
  start: LoadStart,
  { ended, stats, summary, thresholds, found }: LoadEnd,
): PageVerdict[] {
  const { generator, servers } = summary;
  const verdicts: PageVerdict[] = [];
  const say = (topic: string, tone: Tone, text: string) => verdicts.push({ topic, tone, text });
  const headline = headlineOf(summary);
  if (headline !== null || summary.sent > 0) say("Latency", ...latencyVerdict(summary, start.timeout * 1000));
  if (summary.alike) say("Replies", isMixedUp(summary) ? "bad" : "unsure", alikeText(summary));
  if (ended !== null) say("Ended early", "bad", ended);
  if (found !== undefined) {
    const tones = { found: "good", none: "bad" } as const;
    const { outcome } = found;
    say("Search", outcome in tones ? tones[outcome as "found"] : "unsure", foundLine(found, start.find!));
  }
  for (const verdict of thresholds) say("Condition", toneOf(verdict), thresholdText(verdict, LOAD_METRICS));
  say("Loss", lossTone(summary), lossText(summary));
  for (const line of errorLines(summary)) say("Errors", "bad", line);
  say("Rate", ...rateVerdict(summary, stats.receivedLater));
  if (headline !== null) {
    const tones = { ok: "good", strained: "unsure", limited: "bad" } as const;
    say("Generator", tones[generator.verdict], generatorText(summary));
  }
  say("Steady state", ...steadyVerdict(start, summary));
  for (const server of servers) {
    say(directionTopic(server, servers), ...directionVerdict(server, summary));
  }
  return verdicts;
}

/** The median and the 99th percentile of what a line waits, or the maximum where lines are too few for the latter. */
function latencyVerdict(summary: LoadSummary, timeout: number): [tone: Tone, text: string] {
  const values = headlineOf(summary);
  if (values === null) return ["bad", NO_ANSWER];
  const { intervals } = values;
  const rows = percentileRows(summary, values, timeout);
  const tail = rows.some(([name]) => name === "p99") ? "p99" : "max";
  const told = rows.filter(([name]) => name === "p50" || name === tail).map(([name, value]) => {
    const interval = name === "max" ? null : intervals[name as "p50" | "p99"];
    return `${name} ${value}${interval === null ? "" : ` (${interval.map(millis).join(" to ")})`}`;
  }).join(", ");
  const isKnown = intervals.p50 !== null || tail === "p99" && intervals.p99 !== null;
  const text = isKnown ? `${told}, with 95% intervals` : told;
  return summary.loop === "open" ? ["plain", text] : ["unsure", `${text}; ${CLOSED_LOOP}`];
}

function toneOf({ verdict }: Verdict): Tone {
  return verdict === "kept" ? "good" : verdict === "broken" ? "bad" : "unsure";
}

/** Lines that were planned and for which no right reply came, those apart that were not waited for. */
function missingOf({ planned, received, pending }: LoadSummary): number {
  return planned - received - pending;
}

function lossTone(summary: LoadSummary): Tone {
  return missingOf(summary) > 0 ? "bad" : summary.pending > 0 ? "unsure" : "good";
}

function lossText(summary: LoadSummary): string {
  const { planned, dropped, unsent, lost, late, corrupt, errors } = summary;
  const missing = missingOf(summary);
  if (missing === 0) {
    const said = summary.pending > 0 ? "none of the lines that were waited for" : "none";
    return `${said}: ${countLine(summary)}`;
  }
  const failed = Object.values(errors).reduce((sum, it) => sum + it, 0);
  const ends: [lines: number, text: string][] = [
    [dropped, "not sent (too many in flight)"],
    [unsent, "not sent in time"],
    [lost - late, "never answered"],
    [late, "answered late"],
    [corrupt, "answered wrongly"],
    [failed, "failed"],
  ];
  const told = ends.filter(([lines]) => lines > 0).map(([lines, text]) => `${lines} ${text}`).join(", ");
  return `${missing} of ${planned} lines had no valid reply in time: ${told}. ${countLine(summary)}`;
}

/** The share of a plan's lines of which fewer came than were planned. */
const KEPT_UP = 0.99;
/** From this share on, lines that came after the plan's end are a queue, or latencies that a longer plan is for. */
const MANY_LATER = 0.1;

/**
 * Lines that were under way at the plan's end say nothing against the server: any latency has some.
 *
 * @param later lines that came after the plan's end.
 */
function rateVerdict(summary: LoadSummary, later: number): [tone: Tone, text: string] {
  const { loop, planned, received, pending, generator } = summary;
  const told = rateLine(summary, later);
  if (loop === "closed") return ["plain", told];
  if (received + pending < KEPT_UP * planned) {
    return generator.verdict === "limited"
      ? ["unsure", `${told}: this program was at its limit, and did not send as planned`]
      : ["bad", `${told}: replies did not keep up with the plan`];
  }
  return later > MANY_LATER * planned
    ? ["unsure", `${told}: a queue that grew, or a plan too short for such latencies`]
    : ["plain", told];
}

/** What a limited generator does to what is read of the path. */
const TOO_LATE = "cannot tell: this program was at its limit";

function steadyVerdict(
  { stages }: LoadStart,
  summary: LoadSummary,
): [tone: Tone, text: string] {
  const { steady, generator } = summary;
  if (steady === null) {
    const why = stages === null
      ? "that takes 30 s, and 100 lines in each tenth of it"
      : "the stages change the rate";
    return ["plain", `not judged: ${why}`];
  }
  if (generator.verdict === "limited") return ["unsure", `${TOO_LATE}, and the latencies are its own`];
  return [steady ? "good" : "bad", levelText(summary)];
}

function directionTopic({ tag }: LoadServer, servers: LoadServer[]): string {
  return servers.length > 1 ? `Direction, ${tag ?? "without a tag"}` : "Direction";
}

/** Which direction has the delay of a server's lines. */
function directionVerdict(
  { up, down, unsteady }: LoadServer,
  summary: LoadSummary,
): [tone: Tone, text: string] {
  const { generator, service, alike } = summary;
  if (alike) return ["unsure", "unknown, as the replies are"];
  if (up === null || down === null) {
    return ["unsure", "unknown: the stamps do not tell the directions apart"];
  }
  if (generator.verdict === "limited") {
    return ["unsure", `${TOO_LATE}, and what it reads late looks like downstream delay`];
  }
  const name = up.p99 === null || down.p99 === null ? "max" : "p99";
  const delays = { up: up[name]!, down: down[name]! };
  const larger = clearlyLarger(1e6 * delays.up, 1e6 * delays.down, 1e6 * (service?.min ?? 0));
  const told = larger === null ? noLargerDirection(name, delays) : largerDirection(larger, name, delays);
  if (unsteady !== null) return ["unsure", `${told}; these ${unsteadyText([unsteady])}`];
  return [larger === null ? "plain" : "bad", told];
}
