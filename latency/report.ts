import type { Distribution } from "./distribution.ts";
import type { BreakSummary, Durations, Estimate, ServerSummary, Summary } from "./run.ts";
import { MOST_BREAKS } from "./clock.ts";

const PERCENTILES = [["p50", "p50"], ["p90", "p90"], ["p99", "p99"], ["p99.9", "p99_9"]] as const;
const DIRECTIONS = { up: "upstream", down: "downstream" } as const;
/** So many breaks look less like one clock than like several. */
const MANY_BREAKS = 3;

/** Rows of the histogram, and the cells of its longest bar. */
const ROWS = 10;
const BAR_CELLS = 40;
/** With fewer values a histogram shows nothing that the replies do not. */
const LEAST_FOR_HISTOGRAM = 5;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/** Of a terminal that does not know its width. */
const DEFAULT_COLUMNS = 80;
const LEVELS = "▁▂▃▄▅▆▇█";

/** Seconds as milliseconds with three decimals, as ping(8) shows them. */
export function millis(seconds: number): string {
  return (seconds * 1000).toFixed(3);
}

/** An estimate, always with its sign and its bound: `+12.345 ms ± 0.206 ms`. The bound is rounded up. */
export function withBound({ value, bound }: Estimate, scale = 1000, unit = "ms"): string {
  const shown = (value * scale).toFixed(3).replace(/^-(?=0\.000$)/, "");
  // The rounding of the middle must not move the interval off what it is to contain.
  const slack = Math.abs(Number(shown) - value * scale);
  const width = Math.ceil((bound * scale + slack) * 1000 - 1e-6) / 1000;
  return `${shown.startsWith("-") ? "" : "+"}${shown} ${unit} ± ${width.toFixed(3)} ${unit}`;
}

/** A share in percent with as many digits as it takes, at most six, as ping(8) shows it. */
export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(6))}%`;
}

/** What ping(8) prints at the end, and what the stamps add to it. */
export function summaryLines(summary: Summary): string[] {
  const lines = [countLine(summary)];
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
      const replies = `${server.received} ${server.received === 1 ? "reply" : "replies"}`;
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
  return `${summary.received}/${known} lines, ${percent(summary.loss)} loss${times}${offsets.join("")}`;
}

function countLine(summary: Summary): string {
  const counts = [`${summary.sent} lines transmitted`, `${summary.received} received`];
  if (summary.duplicates > 0) counts.push(`+${summary.duplicates} duplicates`);
  for (const fate of ["late", "reordered", "corrupt"] as const) {
    if (summary[fate] > 0) counts.push(`${summary[fate]} ${fate}`);
  }
  if (summary.pending > 0) counts.push(`${summary.pending} not waited for`);
  return `${counts.join(", ")}, ${percent(summary.loss)} loss, time ${
    Math.round(summary.duration * 1000)
  } ms`;
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
  const lines: string[] = [];
  const { offset, drift, up, down, one_way, note } = server;
  if (offset !== null) {
    const who = server.ahead === null ? "no difference is proven" : `${server.ahead} ahead`;
    lines.push(`clock offset ${withBound(offset)}, ${who}`);
  }
  if (drift?.proven) {
    const which = drift.value > 0 ? "gains" : "loses";
    lines.push(
      `clock drift ${withBound(drift, 1, "ppm")}: the server's clock ${which}; the offset is the latest`,
    );
  }
  lines.push(...server.breaks.map(breakLine));
  if (server.break_count > MOST_BREAKS) {
    lines.push(`... and ${server.break_count - MOST_BREAKS} more of these`);
  }
  if (server.break_count >= MANY_BREAKS) {
    lines.push("so many changes look like several servers; --tag on each of them tells them apart");
  }
  if (up !== null && down !== null && up.count > 1) {
    for (const [direction, delays] of [["up", up], ["down", down]] as const) {
      lines.push(`${DIRECTIONS[direction]} delay above its best ${percentiles(delays)}`);
    }
    if (server.carries !== null) {
      const [more, less] = server.carries === "up" ? [up, down] : [down, up];
      const [large, small] = [more, less].map((it) => millis(it.p90!));
      lines.push(
        `the ${DIRECTIONS[server.carries]} direction has the delay: p90 ${large} ms against ${small} ms`,
      );
    }
  }
  if (one_way !== null) {
    for (const direction of ["up", "down"] as const) {
      lines.push(
        `one-way ${DIRECTIONS[direction]} min/avg/max/mdev = ${fourMillis(one_way[direction])} ms ` +
          `± ${millis(one_way.bound)} ms, if the clocks agree`,
      );
    }
  }
  if (note !== null) lines.push(note);
  return lines;
}

function breakLine({ kind, after, by, size }: BreakSummary): string {
  const where = by === after + 1 ? `at reply ${by}` : `between replies ${after} and ${by}`;
  if (kind === "rate") return `clock changed its rate, or was stepped a little, by reply ${by}`;
  return `clock step ${size === null ? "" : `${withBound(size)} `}${where}`;
}

/** Bars for the distribution, whose rows grow by the same factor; nothing for few values. */
export function histogramLines(values: Distribution): string[] {
  if (values.count < LEAST_FOR_HISTOGRAM) return [];
  const low = Math.max(values.min, 0.1);
  const factor = Math.max((values.max / low) ** (1 / ROWS), 1.001);
  const counts = new Array<number>(ROWS).fill(0);
  for (const [micros, count] of values.values()) {
    const row = Math.floor(Math.log(Math.max(micros, low) / low) / Math.log(factor));
    counts[Math.min(row, ROWS - 1)]! += count;
  }
  const most = Math.max(...counts);
  const last = counts.findLastIndex((count) => count > 0);
  const edge = (row: number) => (low * factor ** row / 1000).toFixed(3);
  const width = edge(last + 1).length;
  return counts.slice(0, last + 1).map((count, row) =>
    `${edge(row).padStart(width)} to ${edge(row + 1).padStart(width)} ms ${
      String(count).padStart(String(most).length)
    } ${bar(count / most)}`.trimEnd()
  );
}

function bar(share: number): string {
  const eighths = Math.ceil(share * BAR_CELLS * 8);
  return "█".repeat(eighths >> 3) + EIGHTHS[eighths & 7];
}

/** A row of small bars, one a value, from the least of them to the largest; a blank for undefined. */
export function sparkline(values: (number | undefined)[]): string {
  const known = values.filter((it) => it !== undefined);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  return values.map((it) => {
    if (it === undefined) return " ";
    const level = high > low ? (it - low) / (high - low) : 0;
    return LEVELS[Math.min(Math.floor(level * LEVELS.length), LEVELS.length - 1)];
  }).join("");
}

/** As many parts as fit on a line of a terminal, each of them whole: half a number is a wrong one. */
export function fitting(parts: string[], columns: number): string {
  const most = (columns || DEFAULT_COLUMNS) - 1; // a full line would wrap
  let line = "";
  for (const part of parts) {
    const longer = line === "" ? part : `${line}  ${part}`;
    if ([...longer].length > most) break;
    line = longer;
  }
  return line;
}
