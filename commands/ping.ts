/** `tsecho ping`: its options, and the choice between a new run and a saved one. */
import { type Parsed, UsageError } from "../cli/parser.ts";
import {
  formatTime,
  grouped,
  parseLargeCount,
  parseOutputPath,
  parseSize,
  parseTime,
  STDOUT,
} from "../cli/values.ts";
import { MAX_PROBE, MIN_PROBE } from "../probe/lines.ts";
import { type Plan, PLAN_DEFAULTS } from "../probe/run.ts";
import { describeMetrics, PING_METRICS, valuesFor } from "../stats/metrics.ts";
import { parseThreshold, type PingThreshold, possible } from "../stats/threshold.ts";
import { Command, INFO_OPTIONS, type Outcome, RUN_OUTCOMES, type Signals, stepsOf } from "./command.ts";
import { DIAL_OPTIONS, DIAL_TLS_OPTIONS, readDial, warnIfInsecure } from "./dial.ts";
import { type TransportOptionTable, UDP_RATE } from "./endpoints.ts";
import {
  checkFileNames,
  checkStreams,
  FROM_FILE,
  HTML_FILE,
  JSON_FILE,
  LENIENT,
  TIMEOUT,
} from "./outputs.ts";
import { checkReplay } from "./saved.ts";
import type { PingCommandOptions, ReplayOptions } from "./ping_run.ts";

const MAX_COUNT = 1_000_000_000;

const { count: _, ...DEFAULTS } = PLAN_DEFAULTS;

const OPTIONS = {
  ...DIAL_OPTIONS,
  count: {
    group: "Lines",
    short: "c",
    elsewhere: "n",
    value: "N",
    read: (text) => parseLargeCount(text, 1, MAX_COUNT),
    help: "stop after this many lines (default: at Ctrl-C)",
  },
  interval: {
    group: "Lines",
    short: "i",
    value: "TIME",
    read: parseTime,
    help:
      "time from one line to the next; 0 = send as soon as the previous reply arrives. Below 4ms it takes up to " +
      "one processor core",
    default: formatTime(DEFAULTS.interval),
  },
  size: {
    group: "Lines",
    short: "s",
    value: "SIZE",
    read: (text) => parseSize(text, MIN_PROBE, MAX_PROBE),
    help: `payload of a line, ${grouped(MIN_PROBE)} to ${grouped(MAX_PROBE)} bytes`,
    default: DEFAULTS.size,
  },
  timeout: { ...TIMEOUT, default: formatTime(DEFAULTS.timeout) },
  deadline: {
    group: "Lines",
    short: "w",
    elsewhere: "t",
    value: "TIME",
    read: (text) => parseTime(text, 1),
    help: "stop after this time, whatever has arrived",
  },
  reconnect: { group: "Lines", help: "a new connection for each line, at most 256 at once" },
  quiet: { group: "Output", short: "q", help: "no line for each reply, in text and in --json-stream" },
  timestamps: {
    group: "Output",
    short: "D",
    help: "this machine's time in front of each reply's line of text, in Unix seconds",
  },
  "no-tty": { group: "Output", help: "no live line, even on a terminal" },
  json: JSON_FILE,
  "json-stream": {
    group: "Output",
    help: "write the run to stdout as it goes on, one JSON object a line",
  },
  csv: {
    group: "Output",
    value: "FILE",
    read: parseOutputPath,
    help: "write a row for each reply; - for stdout",
  },
  html: HTML_FILE,
  from: FROM_FILE,
  "clocks-synced": {
    group: "Summary",
    help: "report one-way delays: you know that the clocks agree",
  },
  "fail-if": {
    group: "Summary",
    value: "CONDITION",
    read: (text) => possible(parseThreshold(text)),
    repeat: true,
    help: "exit with 3 if this holds at the end, or cannot be decided, such as 'p99>5ms'; may repeat",
  },
  lenient: { group: "Summary", help: LENIENT },
  ...DIAL_TLS_OPTIONS,
  "udp-rate": {
    ...UDP_RATE,
    help: "most lines a second over UDP with an interval of 0; 0 = no limit",
    default: DEFAULTS.udpRate,
  },
  ...INFO_OPTIONS,
} as const satisfies TransportOptionTable;

const NAMES = Object.keys(OPTIONS) as (keyof typeof OPTIONS)[];

/** Those that have a meaning with --from. */
const REPLAY_OPTIONS: readonly string[] = [
  "from",
  "json",
  "csv",
  "html",
  "fail-if",
  "lenient",
  "quiet",
  "clocks-synced",
];

const ABOUT = `\
Sends a numbered line each interval and reads the stamp that comes back. At the end, or at Ctrl-C, it reports what \
ping(8) does, and what the stamps add: how far apart the clocks are, with a proven bound, whether they drift or were \
stepped, and which direction has the delay, separately for each --tag. Ctrl-\\ (SIGQUIT) prints an interim line on \
stderr.`;

const EXAMPLES: [string, string][] = [
  ["tsecho ping -c 10 web", "ten lines, a second apart"],
  ["tsecho ping -i 0 -w 10 -q web:7007", "as fast as replies come, for 10 s"],
  ["tsecho ping --reconnect -i 0.2 web", "a connection for each line"],
  ["tsecho ping -c 100 -i 0.1 --fail-if 'p99>5ms' --fail-if 'loss>1%' web", ""],
  ["tsecho ping -c 60 --json run.json web", "save a run ..."],
  ["tsecho ping --from run.json", "... and summarise it again"],
  ["tsecho ping -c 60 --html run.html web", "a page of tables and charts"],
];

const METRICS = `\
a metric, >, >=, < or <=, and a limit with its unit: p99>5ms, loss>=1%, drift>50ppm, missed>0. Metrics: \
${
  describeMetrics(PING_METRICS)
}. Where only an interval is known, the condition must hold for all of it or none of it`;

const EXIT_CODES = `\
0 a reply came, 1 none came, 2 usage error, 3 a --fail-if condition held, or could not be decided. A server that goes \
away ends the run with a line on stderr; with -c 100, --fail-if 'sent<100' catches that`;

/** A new run, or a saved one. */
export type PingRequest = { run: PingCommandOptions } | { replay: ReplayOptions };

function read(parsed: Parsed<typeof OPTIONS>): PingRequest {
  const values = parsed.values();
  const {
    json,
    csv,
    html,
    jsonStream = false,
    clocksSynced = false,
    failIf: thresholds = [],
    lenient = false,
    from,
    ...rest
  } = values;
  if (lenient && thresholds.length === 0) {
    throw new UsageError("use option", "--lenient", "it needs --fail-if");
  }
  if (from !== undefined) checkReplay(parsed, NAMES, REPLAY_OPTIONS);
  checkStreams({ json, csv, html }, jsonStream);
  const files = {
    ...(json !== undefined && { json }),
    ...(csv !== undefined && { csv }),
    ...(html !== undefined && { html }),
  };
  if (from !== undefined) return { replay: { from, ...files, clocksSynced, thresholds, lenient } };
  if (parsed.positionals.length === 0 && rest.host === undefined) checkFileNames({ json, csv, html });
  const { dial, own } = readDial("ping", parsed, OPTIONS, rest);
  if (own.timestamps && (jsonStream || Object.values(files).includes(STDOUT))) {
    throw new UsageError("use option", "--timestamps", "it is for text, and stdout is to get data");
  }
  if (own.udpRate !== undefined && (own.interval ?? DEFAULTS.interval) > 0) {
    throw new UsageError("use option", "--udp-rate", "the interval sets the rate: it needs -i 0");
  }
  for (const it of thresholds) checkLines(it, own);
  const { quiet = false, timestamps = false, noTty = false, ...given } = own;
  const flags = { quiet, timestamps, clocksSynced, live: !noTty, jsonStream };
  return { run: { ...dial, ...DEFAULTS, ...given, ...flags, ...files, thresholds, lenient } };
}

/** @throws {UsageError} for a percentile that as many lines as asked for cannot tell. */
function checkLines({ text, metric }: PingThreshold, { count, reconnect = false }: Partial<Plan>): void {
  if (metric.of !== "duration" || typeof metric.statistic !== "number") return;
  const needed = valuesFor(metric.statistic);
  const ofConnections = metric.name === "connect" || metric.name === "handshake";
  if (ofConnections && !reconnect && needed > 1) {
    throw new UsageError("use --fail-if", text, `that takes ${grouped(needed)} connections: use --reconnect`);
  }
  if (count === undefined || count >= needed) return;
  throw new UsageError(
    "use --fail-if",
    text,
    `that takes ${grouped(needed)} lines or more, and -c is ${grouped(count)}`,
  );
}

async function run(request: PingRequest, signals: Signals): Promise<Outcome> {
  if ("replay" in request) {
    const { replayPing } = await import("./ping_run.ts");
    return RUN_OUTCOMES[await replayPing(request.replay, () => stepsOf(signals))];
  }
  const steps = stepsOf(signals); // at SIGHUP too: what was measured is told and saved
  let tellInterim = () => {}; // there is nothing to tell at first
  signals.on("SIGQUIT", () => tellInterim());
  // Loaded when used, as its histogram takes longer to load than all of the rest.
  const { runPing } = await import("./ping_run.ts");
  await warnIfInsecure(request.run);
  return RUN_OUTCOMES[await runPing(request.run, steps, (tell) => tellInterim = tell)];
}

export const ping = new Command({
  name: "ping",
  usage: ["[ENDPOINT] [options]", "--from FILE [options]"],
  about: ABOUT,
  table: OPTIONS,
  placeholders: { FILE: "a path", CONDITION: METRICS },
  examples: EXAMPLES,
  exitCodes: EXIT_CODES,
  read,
  run,
});
