/** What was measured, and what was found, in words. */
import { MANY_BREAKS } from "../../stats/server_clock.ts";
import type { ServerSummary, Summary } from "../../stats/summary.ts";
import type { Verdict } from "../../stats/threshold.ts";
import { durationText } from "../../time/duration.ts";
import type { End } from "../exporter.ts";
import { millis } from "../format.ts";
import { reasonLine } from "../load_figures.ts";
import { lateLines, planLines } from "../pace.ts";
import type { Fact, PageVerdict } from "../page/model.ts";
import type { Start } from "../record.ts";
import {
  breakLines,
  busyLines,
  directionLines,
  driftLines,
  lossLines,
  noLargerDirection,
  offsetLines,
} from "../summary.ts";
import { endedLine, thresholdText } from "../text.ts";

type Tone = PageVerdict["tone"];

/** What was measured. @param version of the program that makes the page. */
export function factsOf(start: Start, { duration }: Summary, version: string): Fact[] {
  const { count = null, deadline = null, reconnect = false } = start;
  const facts: [name: string, value: string | null][] = [
    ["Endpoint", start.endpoint],
    ["Began", momentText(start.time)],
    ["Measured", durationText(duration * 1000)],
    ["Interval", intervalText(start)],
    ["Lines asked for", count === null ? null : String(count)],
    ["Deadline", deadline === null ? null : durationText(deadline * 1000)],
    ["Payload", `${start.size} bytes a line`],
    ["Time-out", durationText(start.timeout * 1000)],
    ["Connection", reconnect ? "one for each line (--reconnect)" : null],
    ["Clocks", start.clocks_synced ? "said to agree (--clocks-synced)" : null],
    ["Made by", version],
  ];
  return facts.flatMap(([name, value]) => value === null ? [] : [{ name, value }]);
}

/** A moment in seconds since 1970, at most MAX_SECONDS, which is a date yet. */
function momentText(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().replace("T", " ").slice(0, -5)} UTC`;
}

function intervalText({ interval, pace }: Start): string {
  if (pace === null) return "0: each reply calls for the next line";
  const paced = Math.abs(pace - interval) < 1e-9 ? "" : `, paced at ${millis(pace)} ms`;
  return durationText(interval * 1000) + paced;
}

/** What was found: first what fails a run, then what became of its lines, then what the stamps tell. */
export function verdictsOf(start: Start, { ended, cut = false, summary, thresholds }: End): PageVerdict[] {
  const verdicts: PageVerdict[] = [];
  const say = (topic: string, tone: Tone, lines: string[]) => {
    if (lines.length > 0) verdicts.push({ topic, tone, text: lines.join("; ") });
  };
  say("Ended early", "bad", ended === null ? [] : [endedLine(start.endpoint, ended)]);
  say("Saved in part", "unsure", cut ? ["the saved run has no end: this is what was saved of it"] : []);
  for (const verdict of thresholds) say("Condition", toneOf(verdict), [thresholdText(verdict)]);
  const lossTone = summary.loss === null ? "unsure" : summary.loss > 0 ? "bad" : "good";
  say("Loss", lossTone, [
    ...lossLines(summary),
    ...reasonLine("errors", summary.errors),
    ...lateLines(summary),
  ]);
  for (const server of summary.servers) {
    const topic = (name: string) => topicOf(name, server, summary.servers);
    say(topic("Direction"), directionTone(server), [directionText(server), ...busyLines(server)]);
    say(
      topic("Clock offset"),
      server.withdrawn === null ? "plain" : "unsure",
      withoutTopic(offsetLines(server)),
    );
    say(topic("Clock drift"), "plain", withoutTopic(driftLines(server)));
    say(topic("Clock changes"), "bad", fewBreakLines(server));
    // Where the direction cannot be told the note is its text.
    if (server.up !== null && server.note !== null) say(topic("Note"), "unsure", [server.note]);
  }
  say("Ping itself", ...paceVerdict(start, summary));
  return verdicts;
}

/** Lines whose topic is told beside them. */
function withoutTopic(lines: string[]): string[] {
  return lines.map((it) => it.replace(/^clock (?:offset|drift) /, ""));
}

/** The breaks of a server's clock, of many the first and what they look like: the page tells all of them further down. */
function fewBreakLines(server: ServerSummary): string[] {
  const lines = breakLines(server);
  const more = server.break_count - 1;
  return more < MANY_BREAKS ? lines : [lines[0]!, `... and ${more} more of these`, lines.at(-1)!];
}

/** All that is told of the breaks of many servers' clocks, where there are too many for a verdict. */
export function allBreakLines({ servers }: Summary): string[] {
  return servers.filter(({ break_count }) => break_count > MANY_BREAKS).map((it) =>
    `${topicOf("Clock changes", it, servers)}: ${breakLines(it).join("; ")}.`
  );
}

function toneOf({ verdict }: Verdict): Tone {
  return verdict === "kept" ? "good" : verdict === "broken" ? "bad" : "unsure";
}

function topicOf(name: string, { tag }: ServerSummary, servers: ServerSummary[]): string {
  return servers.length > 1 ? `${name}, ${tag ?? "without a tag"}` : name;
}

/** Whether ping kept its plan. */
function paceVerdict({ pace }: Start, summary: Summary): [tone: Tone, lines: string[]] {
  if (pace === null) {
    return ["plain", [
      "each reply calls for the next line: the figures exclude waiting caused by slow replies",
    ]];
  }
  const faults = planLines(summary, pace);
  if (faults.length > 0) return ["unsure", faults];
  return summary.sent === 0 ? ["plain", []] : ["good", ["each line was sent when it was due"]];
}

function directionTone({ up, carries, leans }: ServerSummary): Tone {
  return carries !== null ? "bad" : leans !== null || up === null ? "unsure" : "plain";
}

/** Which direction has the delay, or why that is not told. */
export function directionText(server: ServerSummary): string {
  const { up, down, note, withdrawn } = server;
  if (up === null || down === null) {
    return note ??
      (withdrawn === null
        ? "no reply tells the direction of the delay"
        : "the direction of the delay cannot be told: what all replies proved is withdrawn");
  }
  const [line] = directionLines(server);
  if (line !== undefined) return line;
  if (up.p90 === null || down.p90 === null) return "too few replies to tell which direction has the delay";
  return noLargerDirection("p90", { up: up.p90, down: down.p90 });
}
