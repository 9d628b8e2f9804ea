import { counted } from "../failure.ts";
import { CLAIM_REPLIES } from "../stats/direction.ts";
import { isAssumed, MAX_DRIFT } from "../stats/feasible_lines.ts";
import { MANY_BREAKS, MAX_BREAKS, type Withdrawal } from "../stats/server_clock.ts";
import type { BreakSummary, Durations, ServerSummary, Summary } from "../stats/summary.ts";
import { durationText } from "../time/duration.ts";
import { lossText, millis, withBound } from "./format.ts";

/** The percentiles that are told, and the fields that hold them. */
export const PERCENTILES = [["p50", "p50"], ["p90", "p90"], ["p99", "p99"], ["p99.9", "p99_9"]] as const;
export const DIRECTIONS = { up: "upstream", down: "downstream" } as const;
/** What the delays of a direction are measured from. */
export const ABOVE_BEST = "delay above its best";
const WITHDRAWN: Record<Withdrawal, string> = {
  rate: "the clocks changed their rate, or were stepped a little",
  breaks: "the clocks changed too often",
  step: "their delays look as if a clock had been stepped, by less than a round trip",
  drift: `their delays look as if the clocks drifted apart by more than ${MAX_DRIFT} ppm`,
};

/** What ping(8) prints at the end, and what the stamps add to it. */
export function summaryLines(summary: Summary): string[] {
  const lines = lossLines(summary);
  for (
    const [name, values] of [["connect", summary.connect], ["TLS handshake", summary.handshake]] as const
  ) {
    if (values === null) continue;
    lines.push(
      values.count === 1
        ? `${name} ${millis(values.min)} ms`
        : `${name} min/avg/max/mdev = ${fourMillis(values)} ms`,
    );
  }
  if (summary.rtt !== null) lines.push(...rttLines(summary.rtt));
  for (const server of summary.servers) {
    if (summary.servers.length > 1) {
      const replies = counted(server.received, "reply", "replies");
      lines.push(`server ${server.tag ?? "without a tag"}: ${replies}`);
    }
    const indent = summary.servers.length > 1 ? "  " : "";
    const own = summary.servers.length > 1 && server.rtt !== null ? rttLines(server.rtt) : [];
    lines.push(...[...own, ...serverLines(server)].map((line) => indent + line));
  }
  return lines;
}

/** One line for SIGQUIT, as ping(8) has it. */
export function interimLine({ servers, ...summary }: Summary): string {
  const { rtt } = summary;
  const times = rtt === null
    ? ""
    : `, min/avg/max/mdev = ${fourMillis(rtt)} ms${rtt.p50 === null ? "" : `, p50 ${millis(rtt.p50)} ms`}`;
  const offsets = servers.filter(({ offset }) => offset !== null).map(({ tag, offset }) =>
    `, clock offset${tag === null || servers.length === 1 ? "" : ` of ${tag}`} ${withBound(offset!)}`
  );
  const known = summary.sent - summary.pending;
  return `${summary.received}/${known} lines, ${lossText(summary.loss)}${times}${offsets.join("")}`;
}

/** How many lines there were, and how the lost ones lie among the others. */
export function lossLines(summary: Summary): string[] {
  return [countLine(summary), ...burstLines(summary)];
}

function countLine(summary: Summary): string {
  const counts = [`${counted(summary.sent, "line")} transmitted`, `${summary.received} received`];
  if (summary.duplicates > 0) counts.push(`+${counted(summary.duplicates, "duplicate")}`);
  if (summary.late > 0) counts.push(`${summary.lost} lost (${summary.late} of these late)`);
  for (const fate of ["reordered", "corrupt"] as const) {
    if (summary[fate] > 0) counts.push(`${summary[fate]} ${fate}`);
  }
  if (summary.pending > 0) counts.push(`${summary.pending} still pending at the end`);
  return `${counts.join(", ")}, ${lossText(summary.loss)}, time ${durationText(summary.duration * 1000)}`;
}

/** How lost lines lie among the others. One lost line has no pattern. */
function burstLines({ lost, loss_pattern }: Summary): string[] {
  if (loss_pattern === null || lost < 2) return [];
  const { bursts, longest: { from, lines, duration } } = loss_pattern;
  const where = bursts === 1 ? "lost in one burst" : `lost in ${bursts} bursts`;
  return [
    `${where}, longest outage ${durationText(duration * 1000)}: ${
      counted(lines, "line")
    } from seq=${from} on`,
  ];
}

function fourMillis({ min, avg, max, mdev }: Durations): string {
  return [min, avg, max, mdev].map(millis).join("/");
}

function rttLines(rtt: Durations): string[] {
  const lines = [`rtt min/avg/max/mdev = ${fourMillis(rtt)} ms`];
  if (rtt.p50 !== null && rtt.count > 1) lines.push(`rtt ${percentiles(rtt)}`);
  return lines;
}

function percentiles(values: Durations): string {
  const told = PERCENTILES.filter(([, field]) => values[field] !== null);
  return `${told.map(([name]) => name).join("/")} = ${
    told.map(([, field]) => millis(values[field]!)).join("/")
  } ms`;
}

function serverLines(server: ServerSummary): string[] {
  return [
    ...offsetLines(server),
    ...driftLines(server),
    ...breakLines(server),
    ...delayLines(server),
    ...busyLines(server),
    ...directionLines(server),
    ...oneWayLines(server),
    ...(server.note === null ? [] : [server.note]),
  ];
}

/** Whose clock is ahead, if that is proven. */
export function aheadText(ahead: ServerSummary["ahead"]): string {
  return ahead === null ? "no measurable difference" : `${ahead} ahead`;
}

/** How far the server's clock is from this machine's, if that is known, and how far that is proven. */
export function offsetLines({ offset, ahead, withdrawn }: ServerSummary): string[] {
  const lines: string[] = [];
  if (offset !== null) {
    const how = withdrawn === null ? "" : " by the latest reply alone";
    lines.push(`clock offset ${withBound(offset)}${how}, ${aheadText(ahead)}`);
  }
  if (withdrawn !== null) lines.push(`what all replies proved is withdrawn: ${WITHDRAWN[withdrawn]}`);
  return lines;
}

/** How the clocks drift apart, if they are proven to. */
export function driftLines({ drift }: ServerSummary): string[] {
  if (!drift?.proven) return [];
  const which = drift.value > 0 ? "gains" : "loses";
  const assumed = isAssumed(Math.abs(drift.value) + drift.bound)
    ? `; a drift of at most ${MAX_DRIFT} ppm is assumed`
    : "";
  const value = withBound(drift, 1, "ppm");
  return [`clock drift ${value}: the server's clock ${which}; the offset is the latest${assumed}`];
}

/** Where a clock was stepped, or changed its rate. */
export function breakLines({ breaks, break_count }: ServerSummary): string[] {
  const lines = breaks.map(breakLine);
  if (break_count > MAX_BREAKS) lines.push(`... and ${break_count - MAX_BREAKS} more of these`);
  if (break_count >= MANY_BREAKS) {
    lines.push("so many changes look like several servers; --tag on each of them tells them apart");
  }
  return lines;
}

function delayLines({ up, down }: ServerSummary): string[] {
  // Of two replies each direction has a best one, which is their p50.
  if (up === null || down === null || up.count < 3) return [];
  return [`upstream ${ABOVE_BEST} ${percentiles(up)}`, `downstream ${ABOVE_BEST} ${percentiles(down)}`];
}

/** How many lines tell less of the path than of this machine. */
export function busyLines({ up, busy, leans }: ServerSummary): string[] {
  if (up === null || up.count < 2 || busy === 0) return [];
  const isJudged = leans !== null || up.count - busy >= CLAIM_REPLIES;
  const judged = isJudged ? `; the direction is judged without ${busy === 1 ? "it" : "them"}` : "";
  return [`this machine was too busy to time ${counted(busy, "line")}${judged}`];
}

/** Which direction has most of the delay. @param name of the percentile. @param delays above each one's best, in s. */
export function largerDirection(
  larger: "up" | "down",
  name: string,
  delays: { up: number; down: number },
): string {
  const other = larger === "up" ? "down" : "up";
  return `${DIRECTIONS[larger]} has most of the delay: ${name} above its best is ${
    millis(delays[larger])
  } ms, ` +
    `${DIRECTIONS[other]} ${millis(delays[other])} ms`;
}

/** Likewise where none has. */
export function noLargerDirection(name: string, { up, down }: { up: number; down: number }): string {
  return `neither direction has clearly more of the delay: ${name} above its best is ${
    millis(up)
  } ms upstream, ` +
    `${millis(down)} ms downstream`;
}

/** Which direction has the delay, if one has. */
export function directionLines({ up, down, busy, carries, leans }: ServerSummary): string[] {
  if (up === null || down === null || up.count < 2) return [];
  if (carries !== null) {
    return [largerDirection(carries, "p90", { up: up.p90!, down: down.p90! })];
  }
  if (leans === null) return [];
  const usable = up.count - busy;
  const few = up.count < CLAIM_REPLIES
    ? `: ${CLAIM_REPLIES} replies are needed to tell`
    : `: only ${usable} of ${up.count} replies can be used for this; it takes ${CLAIM_REPLIES}`;
  const why = usable < CLAIM_REPLIES ? few : ", but not all through the run";
  return [`${DIRECTIONS[leans]} seems to have most of the delay${why}`];
}

function oneWayLines({ one_way }: ServerSummary): string[] {
  if (one_way === null) return [];
  return (["up", "down"] as const).map((direction) =>
    `one-way ${DIRECTIONS[direction]} min/avg/max/mdev = ${fourMillis(one_way[direction])} ms ` +
    `± ${millis(one_way.bound)} ms, if the clocks agree`
  );
}

function breakLine({ kind, whose, after, by, size }: BreakSummary): string {
  const where = by === after + 1 ? `at reply ${by}` : `between replies ${after} and ${by}`;
  if (kind === "rate") return `clock changed its rate, or was stepped a little, by reply ${by}`;
  const clock = whose === "client" ? "this machine's clock" : "the server's clock";
  return `clock step ${size === null ? "" : `${withBound(size)} `}${where}: ${clock} was stepped`;
}
