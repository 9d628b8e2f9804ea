import { counted } from "../failure.ts";
import type { Summary } from "../stats/summary.ts";
import { millis } from "./format.ts";

/** A send lag below this share of the interval needs no mention. */
const NOTABLE_SHARE = 0.1;

/**
 * What a reader has to know to take the figures for what they are: lines that were due and not sent, or sent late, and
 * replies that came late. No lines where nothing of that happened.
 *
 * @param interval from one planned line to the next, in seconds; null without a plan.
 */
export function paceLines(summary: Summary, interval: number | null): string[] {
  return [...lateLines(summary), ...planLines(summary, interval)];
}

/** That late replies are in no figure, where there are any. */
export function lateLines({ late, received }: Summary): string[] {
  if (late === 0 || received === 0) return [];
  return ["round trips are those of received lines: late replies are in none of the figures"];
}

/** Where the plan was not kept. @param interval as for {@linkcode paceLines}. */
export function planLines(summary: Summary, interval: number | null): string[] {
  const lines: string[] = [];
  if (interval === null) return lines;
  if (summary.missed > 0) lines.push(missedLine(summary, interval));
  const { response, lag, blocked } = summary;
  // Of fewer lines than a p99 takes, the worst one tells as much.
  const [rank, worst] = lag === null ? ["", 0] : lag.p99 === null ? ["max", lag.max] : ["p99", lag.p99];
  const late = worst > interval * NOTABLE_SHARE;
  const waited = (blocked?.max ?? 0) > interval;
  if (late) lines.push(`send lag ${rank} ${millis(worst)} ms: ping itself was late with its lines`);
  if (waited) {
    lines.push(`blocked max ${millis(blocked!.max)} ms: lines waited for the connection to take them`);
  }
  if (response !== null && (late || waited)) {
    const { min, avg, max, mdev } = response;
    lines.push(
      `response min/avg/max/mdev = ${
        [min, avg, max, mdev].map(millis).join("/")
      } ms, from planned line to reply`,
    );
  }
  return lines;
}

function missedLine(summary: Summary, interval: number): string {
  const { missed, missed_by } = summary;
  const why = Object.entries(missed_by).map(([reason, count]) =>
    count === missed ? reason : `${reason} (${count})`
  );
  // Of the whole plan: an average from the first line to the last would leave out a tail in which none was sent.
  const { sent } = summary;
  const pace = sent === 0
    ? ""
    : `; one every ${millis(interval * (sent + missed) / sent)} ms instead of ${millis(interval)} ms`;
  return `${counted(missed, "line was", "lines were")} not sent in time: ${why.join(", ")}${pace}`;
}
