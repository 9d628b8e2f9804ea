/** `tsecho load`: its options, and the checks between them. */
import type { Parsed } from "../cli/parser.ts";
import {
  formatTime,
  grouped,
  parseChoice,
  parseCount,
  parseLargeCount,
  parseOutputPath,
  parsePath,
  parseRate,
  parseSize,
  parseText,
  parseTime,
} from "../cli/values.ts";
import { FIND_DEFAULTS, LOAD_DEFAULTS } from "../probe/load_defaults.ts";
import { MAX_PAYLOAD } from "../protocol.ts";
import { describeMetrics, LOAD_METRICS } from "../stats/metrics.ts";
import type { LoadThreshold } from "../stats/threshold.ts";
import { AGAINST_OPTIONS, readAgainst, readOption } from "./against.ts";
import {
  Command,
  INFO_OPTIONS,
  type OnQuit,
  type Outcome,
  RUN_OUTCOMES,
  type Signals,
  stepsOf,
} from "./command.ts";
import { DIAL_OPTIONS, DIAL_TLS_OPTIONS, readDial, warnIfInsecure } from "./dial.ts";
import { MAX_RATE, type TransportOptionTable, UDP_RATE } from "./endpoints.ts";
import { checkCondition, checkSettings, checkTogether, leastInFlight, MIN_ROOM_MS } from "./load_checks.ts";
import type { LoadCommandOptions, LoadSettings } from "./load_plan.ts";
import type { LoadReplayOptions } from "./load_replay.ts";
import { checkReplay } from "./saved.ts";
import { parseCondition, parseLimit, parseOwnCondition, parseStages } from "./load_values.ts";
import {
  checkFileNames,
  checkStreams,
  FROM_FILE,
  HTML_FILE,
  JSON_FILE,
  LENIENT,
  TIMEOUT,
} from "./outputs.ts";

const MAX_COUNT = 1_000_000_000_000;
const MAX_CONNECTIONS = 1_000_000;
const MAX_DEPTH = 100_000;
const MAX_THREADS = 256;
const MAX_SEED = 2 ** 32 - 1;
const MIN_PAYLOAD = 1;

const OPTIONS = {
  ...DIAL_OPTIONS,
  connections: {
    group: "Load",
    short: "c",
    value: "N",
    read: (text) => parseLargeCount(text, 1, MAX_CONNECTIONS),
    help: "connections (the number of lines is -n); all are open before the clock starts",
    default: LOAD_DEFAULTS.connections,
  },
  rate: {
    group: "Load",
    short: "R",
    value: "RATE",
    read: (text) => parseRate(text, MAX_RATE),
    help:
      "an open loop: lines a second over all connections, sent by plan however slow the replies are (default: " +
      "a closed loop, each reply calls for the next line)",
  },
  stages: {
    group: "Load",
    value: "STAGES",
    read: parseStages,
    help: "an open loop whose rate changes: linear from each stage to the next, from 0 at first",
  },
  arrivals: {
    group: "Load",
    value: "uniform|poisson",
    read: (text) => parseChoice(text, ["uniform", "poisson"] as const),
    help: "open loop: even gaps between lines (default), or random ones, as many independent users make them",
  },
  seed: {
    group: "Load",
    value: "N",
    read: (text) => parseCount(text, 0, MAX_SEED),
    help: "open loop: the same random gaps again",
  },
  "max-in-flight": {
    group: "Load",
    value: "N",
    read: (text) => parseLargeCount(text, 1, MAX_COUNT),
    help: "open loop: most lines in flight; further ones are dropped (default " +
      `${grouped(LOAD_DEFAULTS.maxInFlight)}, or what the rate sends in ${formatTime(MIN_ROOM_MS)})`,
  },
  depth: {
    group: "Load",
    value: "N",
    read: (text) => parseLargeCount(text, 1, MAX_DEPTH),
    help: "closed loop: lines in flight on each connection",
    default: LOAD_DEFAULTS.depth,
  },
  think: {
    group: "Load",
    value: "TIME",
    read: (text) => parseTime(text),
    help: "closed loop: pause between a reply and the next line",
    default: formatTime(LOAD_DEFAULTS.think),
  },
  count: {
    group: "Load",
    short: "n",
    value: "N",
    read: (text) => parseLargeCount(text, 1, MAX_COUNT),
    help: "stop after this many lines",
  },
  duration: {
    group: "Load",
    short: "t",
    elsewhere: "d",
    value: "TIME",
    read: (text) => parseTime(text, 1),
    help: `stop after this time (default ${formatTime(LOAD_DEFAULTS.duration)}, or at -n's count)`,
  },
  warmup: {
    group: "Load",
    value: "TIME",
    read: (text) => parseTime(text),
    help: "load before that, which no figure includes",
    default: formatTime(LOAD_DEFAULTS.warmup),
  },
  reconnect: { group: "Load", help: "a new connection for each line, with its TLS handshake" },
  threads: {
    group: "Load",
    value: "N",
    read: (text) => parseCount(text, 1, MAX_THREADS),
    help: "threads that share the load, each with its part of the connections",
    default: LOAD_DEFAULTS.threads,
  },
  size: {
    group: "Lines",
    short: "s",
    value: "SIZE",
    read: (text) => parseSize(text, MIN_PAYLOAD, MAX_PAYLOAD),
    help: `payload of a line, ${grouped(MIN_PAYLOAD)} to ${grouped(MAX_PAYLOAD)} bytes`,
    default: LOAD_DEFAULTS.size,
  },
  data: {
    group: "Lines",
    value: "FILE",
    read: parsePath,
    help: "send the lines of this file, in turn, instead of made-up ones",
  },
  timeout: { ...TIMEOUT, default: formatTime(LOAD_DEFAULTS.timeout) },
  find: {
    group: "Search",
    value: "LIMIT",
    read: parseLimit,
    help: "search for the highest rate that keeps this, such as 'p99<5ms'; --rate sets the first one to try",
  },
  trial: {
    group: "Search",
    value: "TIME",
    read: (text) => parseTime(text, 1),
    help: `length of a trial of --find (default ${formatTime(FIND_DEFAULTS.trial)})`,
  },
  ...AGAINST_OPTIONS,
  "fail-if": {
    group: "Conditions",
    value: "CONDITION",
    read: parseText, // with --against it is another's
    repeat: true,
    help:
      "exit with 3 if this holds at the end, or cannot be decided, such as 'p99>5ms', with --against a change " +
      "such as 'p99>+10%'; may repeat",
  },
  "abort-if": {
    group: "Conditions",
    value: "CONDITION",
    read: parseCondition,
    repeat: true,
    help:
      "end the run, and exit with 3, as soon as this holds of what was measured so far, looked at each second; " +
      "may repeat",
  },
  lenient: { group: "Conditions", help: LENIENT },
  quiet: {
    group: "Output",
    short: "q",
    help: "only the summary: no live block, no rows of trials, no seconds in --json-stream",
  },
  json: JSON_FILE,
  "json-stream": {
    group: "Output",
    help: "write the run to stdout as it goes on, one JSON object a second",
  },
  csv: {
    group: "Output",
    value: "FILE",
    read: parseOutputPath,
    help: "write a row for each second; - for stdout",
  },
  hdr: {
    group: "Output",
    value: "FILE",
    read: parseOutputPath,
    help: "write an HDR histogram log of each second's latencies, in ns; - for stdout",
  },
  html: HTML_FILE,
  from: FROM_FILE,
  ...DIAL_TLS_OPTIONS,
  "udp-rate": {
    ...UDP_RATE,
    help: "most lines a second over UDP in a closed loop; 0 = no limit",
    default: LOAD_DEFAULTS.udpRate,
  },
  ...INFO_OPTIONS,
} as const satisfies TransportOptionTable;

const NAMES = Object.keys(OPTIONS) as (keyof typeof OPTIONS)[];

/** Those that have a meaning with --from. */
const REPLAY_OPTIONS: readonly string[] = ["from", "json", "html", "fail-if", "lenient", "quiet"];

/** A new run, or a saved one. */
export type LoadRequest = LoadCommandOptions | { replay: LoadReplayOptions };

function read(parsed: Parsed<typeof OPTIONS>): LoadRequest {
  return parsed.has("from") ? { replay: readReplay(parsed) } : readRun(parsed);
}

/** @throws {UsageError} */
function readReplay(parsed: Parsed<typeof OPTIONS>): LoadReplayOptions {
  checkReplay(parsed, NAMES, REPLAY_OPTIONS);
  checkTogether(parsed);
  const { from, json, html, quiet = false, failIf = [], lenient = false } = parsed.values();
  const files = definedOf({ json, html });
  checkStreams(files, false);
  return { from: from!, ...files, quiet, failIf: readConditions(failIf), lenient };
}

function readRun(parsed: Parsed<typeof OPTIONS>): LoadCommandOptions {
  const {
    json,
    csv,
    hdr,
    html,
    jsonStream = false,
    quiet = false,
    failIf: conditions = [],
    abortIf = [],
    lenient = false,
    against: other,
    repeat,
    ...rest
  } = parsed.values();
  checkTogether(parsed);
  const files = definedOf({ json, csv, hdr, html });
  checkStreams(files, jsonStream);
  if (parsed.positionals.length === 0 && rest.host === undefined) checkFileNames(files);
  const against = other === undefined ? undefined : readAgainst(other, repeat, rest.port, conditions);
  const failIf = against === undefined ? readConditions(conditions) : [];
  const others = against === undefined ? [] : [against.endpoint];
  const { dial, own } = readDial("load", parsed, OPTIONS, rest, others);
  const isUdp = [dial.endpoint, ...others].some((it) => it.transport === "udp");
  const { find: limit, trial = FIND_DEFAULTS.trial, data, rate, stages, depth, think, udpRate, ...given } =
    own;
  const open = limit !== undefined || rate !== undefined || stages !== undefined;
  const loop = open
    ? definedOf({ rate, stages })
    : { depth: depth ?? LOAD_DEFAULTS.depth, think: think ?? LOAD_DEFAULTS.think };
  const { connections, warmup, timeout, threads, reconnect, size } = LOAD_DEFAULTS;
  const settings: LoadSettings = {
    ...{ connections, warmup, timeout, threads, reconnect },
    ...(data === undefined && { size }),
    ...(!open && isUdp && { udpRate: udpRate ?? LOAD_DEFAULTS.udpRate }),
    ...loop,
    ...given,
  };
  if (
    settings.duration === undefined && settings.count === undefined && stages === undefined &&
    limit === undefined
  ) {
    settings.duration = LOAD_DEFAULTS.duration;
  }
  checkSettings(settings);
  if (open) settings.maxInFlight ??= Math.max(LOAD_DEFAULTS.maxInFlight, leastInFlight(settings));
  for (const it of failIf) checkCondition("--fail-if", it, settings);
  for (const it of abortIf) checkCondition("--abort-if", it, settings);
  return {
    ...dial,
    settings,
    ...definedOf({ data }),
    ...(limit !== undefined && { find: { limit, trial } }),
    ...definedOf({ against }),
    ...files,
    ...{ jsonStream, quiet, failIf, abortIf, lenient },
  };
}

/** What --fail-if is about, without another run to compare with. @throws {UsageError} */
function readConditions(conditions: readonly string[]): LoadThreshold[] {
  return conditions.map((it) => readOption("--fail-if", it, parseOwnCondition));
}

/** Those that are not undefined. */
function definedOf<T extends Record<string, unknown>>(
  values: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, it]) => it !== undefined)) as ReturnType<
    typeof definedOf<T>
  >;
}

const ABOUT = `\
Puts a tsecho server, or what stands in front of it, under load and says how long lines wait: by a plan that slow \
replies do not hold up (an open loop, --rate or --stages), from the moment at which each line was due; or a number of \
lines in flight at a time (a closed loop). It also tells where they wait: in this program, on the way up or on the way \
back, for each --tag apart; and whether the figures are the server's or this program's own.

Ctrl-C ends the sending, waits for what is in flight and prints the summary; a second one, at \
least 0.3 s later, ends at once. Files stay as they were if nothing was measured until then. Ctrl-\\ (SIGQUIT) prints \
an interim line on stderr.`;

const EXAMPLES: [string, string][] = [
  ["tsecho load web", "50 connections, closed loop, 10 s"],
  ["tsecho load -R 20000 -c 200 -t 1m web", "20,000 lines a second by plan"],
  ["tsecho load --stages 30s:1000,1m:5000,30s:0 web", "up, further up, and down"],
  ["tsecho load --find 'p99<5ms' web", "the highest rate that keeps it"],
  ["tsecho load -c 50 --depth 32 -n 1e6 unix:/run/tsecho.sock", ""],
  ["tsecho load --reconnect -R 500 tls://web:21568 --ca ca.pem", ""],
  ["tsecho load -R 5000 --fail-if 'p99>5ms' --fail-if 'loss>0%' web", ""],
  ["tsecho load -R 5000 --hdr run.hlog --html run.html web", "an HDR log, and a page"],
  ["tsecho load -R 5000 --json run.json web", "save a run ..."],
  ["tsecho load --from run.json", "... and summarise it again"],
  ["tsecho load -R 5000 --against web:21568 web", "runs of each in turn, compared"],
];

const METRICS = `\
a metric, >, >=, < or <=, and a limit with its unit: p99>5ms, loss>=1%, errors>0, up.p99>2ms. Metrics: \
${
  describeMetrics(LOAD_METRICS)
}. A percentile is above every limit if too many lines were not answered in time`;

const LIMIT = `\
a metric as in CONDITION, < or <=, and a limit: p99<5ms. Lost and dropped lines fail a trial too: to look for no more \
than that, loss<=0%`;

const STAGES = `\
TIME:RATE,TIME:RATE and so on: in each TIME the rate changes linearly to its RATE; 0s:RATE jumps there`;

const EXIT_CODES = `\
0 replies came, 1 none came, no connection was made, or --find was interrupted before it had found a rate, --against \
before it had a run of each, 2 usage error, 3 a --fail-if or --abort-if condition held, or could not be decided, or --find found no rate`;

async function run(options: LoadRequest, signals: Signals): Promise<Outcome> {
  if ("replay" in options) {
    const { replayLoad } = await import("./load_replay.ts");
    return RUN_OUTCOMES[await replayLoad(options.replay)];
  }
  const steps = stepsOf(signals); // at SIGHUP too: what was measured is told and saved
  let tell = () => {}; // there is nothing to tell at first
  signals.on("SIGQUIT", () => tell());
  const onQuit: OnQuit = (now) => tell = now;
  await warnIfInsecure(options);
  const { against } = options;
  if (against !== undefined) {
    const { loadAgainst } = await import("./load_against.ts");
    return RUN_OUTCOMES[await loadAgainst({ ...options, against }, steps, onQuit)];
  }
  if (options.find !== undefined) {
    const { findRate } = await import("./load_find.ts");
    return RUN_OUTCOMES[await findRate(options, steps, onQuit)];
  }
  const { runLoad } = await import("./load_run.ts");
  return RUN_OUTCOMES[await runLoad(options, steps, onQuit)];
}

export const load = new Command({
  name: "load",
  usage: ["[ENDPOINT] [options]", "--from FILE [options]"],
  about: ABOUT,
  table: OPTIONS,
  placeholders: {
    FILE: "a path",
    CONDITION: METRICS,
    LIMIT,
    STAGES,
    RATE: "lines a second: 20000, 20k, 2e4 or 0.5; k = thousand, m = million",
    N: "a whole number; for -c, -n and --depth also as 1e6",
  },
  examples: EXAMPLES,
  exitCodes: EXIT_CODES,
  read,
  run,
});
