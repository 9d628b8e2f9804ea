/** `tsecho ping`: its options, and the choice between a new run and a saved one. */
import { formatOptions } from "../cli/help.ts";
import { type Parsed, UsageError } from "../cli/parser.ts";
import { parseCount, parsePath, parseSeconds, parseSize } from "../cli/values.ts";
import { MAX_PROBE, MIN_PROBE } from "../probe/lines.ts";
import { PLAN_DEFAULTS } from "../probe/run.ts";
import { parseThreshold } from "../stats/threshold.ts";
import { formatMillis } from "../time/duration.ts";
import { Command, INFO_OPTIONS, type Outcome, type Signals } from "./command.ts";
import { DIAL_OPTIONS, readDial, warnIfInsecure } from "./dial.ts";
import { ENDPOINTS_HELP, type TransportOptionTable } from "./endpoints.ts";
import type { PingCommandOptions, PingOutcome, ReplayOptions } from "./ping_run.ts";

const MAX_COUNT = 1_000_000_000;
const MAX_RATE = 10_000_000;

const { count: _, ...DEFAULTS } = PLAN_DEFAULTS;

const OPTIONS = {
  ...DIAL_OPTIONS,
  count: {
    short: "c",
    value: "N",
    read: (text) => parseCount(text, 1, MAX_COUNT),
    help: "end after so many lines (default: at Ctrl-C)",
  },
  interval: {
    short: "i",
    value: "TIME",
    read: (text) => parseSeconds(text, 0),
    help: `from line to line, 0 for as fast as replies come (default ${formatMillis(DEFAULTS.interval)})`,
  },
  size: {
    short: "s",
    value: "SIZE",
    read: (text) => parseSize(text, MIN_PROBE, MAX_PROBE),
    help: `payload of a line, ${MIN_PROBE} to ${MAX_PROBE} bytes (default ${DEFAULTS.size})`,
  },
  timeout: {
    short: "W",
    value: "TIME",
    read: (text) => parseSeconds(text, 1),
    help: `longest wait for a reply (default ${formatMillis(DEFAULTS.timeout)})`,
  },
  deadline: {
    short: "w",
    value: "TIME",
    read: (text) => parseSeconds(text, 1),
    help: "end after this time, whatever has come",
  },
  "udp-rate": {
    value: "N",
    read: (text) => parseCount(text, 0, MAX_RATE),
    transports: ["udp"],
    help: `most lines a second over UDP with an interval of 0, 0 for no limit\n(default ${DEFAULTS.udpRate})`,
  },
  reconnect: { help: "a new connection for each line, at most 256 at once" },
  quiet: { short: "q", help: "no line for each reply, in text and in --json-stream" },
  timestamps: { short: "D", help: "the local time in front of each reply's line" },
  "clocks-synced": { help: "the clocks are known to agree: report one-way delays as such" },
  "fail-if": {
    value: "CONDITION",
    read: parseThreshold,
    repeat: true,
    help: "exit with 3 if it holds at the end, such as 'p99>5ms'; may repeat",
  },
  json: { value: "FILE", read: parsePath, help: "write the run as one JSON document; - for stdout" },
  "json-stream": { help: "write the run to stdout as it goes on, one JSON object a line" },
  csv: { value: "FILE", read: parsePath, help: "write a row for each reply; - for stdout" },
  from: {
    value: "FILE",
    read: parsePath,
    help: "no new run: summarise one that --json or --json-stream wrote",
  },
  "no-tty": { help: "no live line, even on a terminal" },
  ...INFO_OPTIONS,
} as const satisfies TransportOptionTable;

/** Those that have a meaning with --from. */
const REPLAY_OPTIONS: readonly string[] = ["from", "json", "csv", "fail-if", "quiet", "clocks-synced"];

const HELP = `usage: tsecho ping [ENDPOINT] [options]
       tsecho ping --from FILE [options]

Sends a numbered line each interval and reads the stamp that comes back. At the end, and
at Ctrl-C, it reports what ping(8) does, and what stamps allow: how far apart the clocks
are, with a proven bound, whether they drift or were stepped, and which direction has the
delay; for each --tag apart. Ctrl-\\ (SIGQUIT) prints an interim line on stderr.

${formatOptions(OPTIONS)}

${ENDPOINTS_HELP}
A TIME is 0.2, in seconds, or 200ms, 10s, 5m, 1h.
A CONDITION is a metric, < or >, and a limit with its unit. Metrics: min, avg, max, mdev,
p50, p99.9 and so on of the round trip; up.p99, down.p99, connect.max, handshake.max;
sent, loss, lost, late, duplicates, reordered, corrupt; offset, abs(offset), drift, abs(drift).

examples:
  tsecho ping -c 10 web                       ten lines, a second apart
  tsecho ping -i 0 -w 10 -q web:7007          as fast as replies come, for 10 seconds
  tsecho ping --reconnect -i 0.2 web          a connection for each line
  tsecho ping -c 100 -i 0.1 --fail-if 'p99>5ms' --fail-if 'loss>1%' web
  tsecho ping -c 60 --json run.json web       save a run ...
  tsecho ping --from run.json                 ... and summarise it again

exit codes: 0 a reply came, 1 none, 2 usage error, 3 a --fail-if condition held. A server
that goes away ends the run with a line on stderr; 'sent<100' catches that with -c 100`;

/** A new run, or a saved one. */
export type PingRequest = { run: PingCommandOptions } | { replay: ReplayOptions };

function read(parsed: Parsed<typeof OPTIONS>): PingRequest {
  const values = parsed.values();
  const { json, csv, jsonStream = false, clocksSynced = false, failIf: thresholds = [], from, ...rest } =
    values;
  if (from !== undefined) checkReplay(parsed);
  if ([json === "-", csv === "-", jsonStream].filter(Boolean).length > 1) {
    throw new UsageError("write to", "-", "more than one output is to go to stdout");
  }
  const files = { ...(json !== undefined && { json }), ...(csv !== undefined && { csv }) };
  if (from !== undefined) return { replay: { from, ...files, clocksSynced, thresholds } };
  const { dial, own } = readDial("ping", parsed, OPTIONS, rest);
  const { quiet = false, timestamps = false, noTty = false, ...given } = own;
  const flags = { quiet, timestamps, clocksSynced, live: !noTty, jsonStream };
  return { run: { ...dial, ...DEFAULTS, ...given, ...flags, ...files, thresholds } };
}

/** @throws {UsageError} for what has no meaning where a saved run is read. */
function checkReplay(parsed: Parsed<typeof OPTIONS>): void {
  const reason = "with --from there is no new run";
  const [endpoint] = parsed.positionals;
  if (endpoint !== undefined) throw new UsageError("use endpoint", endpoint, reason);
  const names = Object.keys(OPTIONS) as (keyof typeof OPTIONS)[];
  const stray = names.find((name) => parsed.has(name) && !REPLAY_OPTIONS.includes(name));
  if (stray !== undefined) throw new UsageError("use option", `--${stray}`, reason);
}

const OUTCOMES: Record<PingOutcome, Outcome> = {
  "replies": "succeeded",
  "no replies": "failed",
  "broken": "threshold broken",
};

async function run(request: PingRequest, signals: Signals): Promise<Outcome> {
  if ("replay" in request) {
    const { replayPing } = await import("./ping_run.ts");
    return OUTCOMES[await replayPing(request.replay)];
  }
  const stop = signals.stop(true); // at SIGHUP too: what was measured is told and saved
  // Loaded when used, as its histogram takes longer to load than all of the rest.
  const { runPing } = await import("./ping_run.ts");
  await warnIfInsecure(request.run);
  return OUTCOMES[await runPing(request.run, stop, (tell) => signals.on("SIGQUIT", tell))];
}

export const ping = new Command({ name: "ping", table: OPTIONS, help: HELP, read, run });
