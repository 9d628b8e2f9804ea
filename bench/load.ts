/**
 * Compares `tsecho load` with a C generator that does the same, in alternation against one C server on this machine,
 * and watches load's memory. Both verify every reply, and send on every read as many lines as it answered.
 *
 *     deno task bench-load [--rounds N] [--seconds S] [--bin PATH] [--only CASE,...]
 *
 * A ratio is the median of the rounds' own, so that a spell in which the machine is slow does not count. A loop that does
 * nothing but read and write (load_bare.ts) shows how much of a ratio is Deno's.
 */
import { parseArgs } from "node:util";
import {
  compile,
  main,
  median,
  path,
  residentKib,
  run,
  runLoad,
  start,
  startServer,
  tsecho,
} from "./tools.ts";

/** A closed loop, and the least share of the C generator's lines a second. */
interface ClosedCase {
  name: string;
  conns: number;
  depth: number;
  /** Of a line, its LF included. */
  size: number;
  goal: number;
}

const CLOSED: ClosedCase[] = [
  { name: "50x1", conns: 50, depth: 1, size: 32, goal: 0.6 },
  { name: "50x32", conns: 50, depth: 32, size: 32, goal: 0.6 },
  { name: "10x256", conns: 10, depth: 256, size: 32, goal: 0.55 },
  { name: "4x16x4K", conns: 4, depth: 16, size: 4096, goal: 0.4 },
];
/** The open loop, and its goals. */
const RATE = 20_000;
const CONNS = 50;
const MAX_LAG_P50_US = 5;
const MAX_LAG_P99_US = 1000;
const MAX_RESPONSE_US = 30;
const MAX_MISSED = 0.001;
/**
 * How many turns of Deno's event loop pass until it looks at its sockets, in the bare open loop: 61 without being told.
 * Deno reads it once, from its environment.
 */
const EVENT_INTERVAL = "DENO_TOKIO_EVENT_INTERVAL=4";
/** Before anything is measured, in seconds: V8 compiles until then, on the core that the server needs, and a line takes up to a third longer. */
const WARMUP = 4;
/** Runs whose memory is compared, in lines, and the most that they may differ by. */
const MEMORY_LINES = [1_000_000, 5_000_000] as const;
const MAX_GROWTH_KIB = 10 * 1024;

/** What of `tsecho load --json` is looked at; times in seconds. */
interface LoadEnd {
  planned: number;
  sent: number;
  received: number;
  rate: { received: number };
  response: { p50: number; p99: number } | null;
  send_lag: { p50: number; p99: number } | null;
  generator: { verdict: string };
}

interface Setting {
  generator: string;
  bin: string | undefined;
  endpoint: string;
  rounds: number;
  seconds: number;
}

function loadCommand(bin: string | undefined, endpoint: string, ...options: string[]): string[] {
  return tsecho(bin, "load", endpoint, "--quiet", "--json", "-", ...options);
}

async function loadWithTsecho(
  { bin, endpoint, seconds }: Setting,
  ...options: string[]
): Promise<LoadEnd> {
  const text = await run(
    loadCommand(bin, endpoint, "-t", `${seconds}s`, "--warmup", `${WARMUP}s`, ...options),
  );
  const { end } = JSON.parse(text) as { end: LoadEnd };
  if (end.received !== end.sent) throw new Error(`${end.received} of ${end.sent} lines came back`);
  return end;
}

function verdict(good: boolean): string {
  return good ? "reached" : "NOT reached";
}

async function compareClosed(
  setting: Setting,
  { name, conns, depth, size, goal }: ClosedCase,
): Promise<boolean> {
  const rows: { ratio: number; bare: number }[] = [];
  for (let round = 0; round < setting.rounds; round++) {
    const { rate } = await runLoad(setting.generator, setting.endpoint, [
      ...["steady", "--conns", `${conns}`, "--inflight", `${depth}`, "--size", `${size}`, "--verify"],
      ...["--duration", `${setting.seconds}`, "--warmup", "0.5"],
    ]);
    const end = await loadWithTsecho(setting, "-c", `${conns}`, "--depth", `${depth}`, "-s", `${size - 1}`);
    const bare = await bareRate(setting, conns, depth, size);
    rows.push({ ratio: end.rate.received / rate, bare: bare / rate });
    console.log(
      `${name.padEnd(8)} C ${perSecond(rate)}  bare Deno ${perSecond(bare)}  tsecho ${
        perSecond(end.rate.received)
      }  ${rows.at(-1)!.ratio.toFixed(2)}×`,
    );
  }
  const ratio = median(rows.map((it) => it.ratio));
  const bare = median(rows.map((it) => it.bare));
  console.log(
    `${name.padEnd(8)} median ${ratio.toFixed(2)}×   ≥ ${goal}: ${verdict(ratio >= goal)}` +
      `   (a bare loop in Deno, which verifies nothing: ${bare.toFixed(2)}×)`,
  );
  return ratio >= goal;
}

function perSecond(rate: number): string {
  return `${rate.toFixed(0).padStart(8)}/s`;
}

/** What a loop that only reads and writes reaches: the ceiling of a program for Deno. */
async function bareRate(
  { endpoint, seconds }: Setting,
  conns: number,
  depth: number,
  size: number,
): Promise<number> {
  return JSON.parse(await run(bareCommand(endpoint, conns, depth, size, seconds))).rate;
}

function bareCommand(endpoint: string, ...numbers: number[]): string[] {
  const { host } = new URL(endpoint.replace("tcp:", "http:"));
  const options = ["--no-prompt", "--v8-flags=--max-semi-space-size=8", "--allow-net"];
  return [Deno.execPath(), "run", ...options, path("load_bare.ts"), host, ...numbers.map(String)];
}

/** Figures of a bare open loop in µs: of one that looks at its sockets as often as it can. */
interface BareOpen {
  lag_p50_us: number;
  lag_p99_us: number;
  p50_us: number;
}

async function bareOpen({ endpoint, seconds }: Setting): Promise<BareOpen> {
  const command = bareCommand(endpoint, CONNS, 1, 32, seconds, RATE);
  return JSON.parse(await run(["env", EVENT_INTERVAL, ...command]));
}

async function compareOpen(setting: Setting): Promise<boolean> {
  const rows: { lag50: number; lag99: number; cLag99: number; more: number; missed: number }[] = [];
  for (let round = 0; round < setting.rounds; round++) {
    const c = await runLoad(setting.generator, setting.endpoint, [
      ...["paced", "--conns", `${CONNS}`, "--rate", `${RATE}`, "--size", "32", "--verify"],
      ...["--duration", `${setting.seconds}`, "--warmup", "0.5"],
    ]);
    const end = await loadWithTsecho(setting, "-c", `${CONNS}`, "-R", `${RATE}`, "-s", "31");
    const [lag50, lag99] = [end.send_lag!.p50 * 1e6, end.send_lag!.p99 * 1e6];
    const [own, other] = [end.response!.p50 * 1e6, c.p50_us!];
    const bare = await bareOpen(setting);
    rows.push({ lag50, lag99, cLag99: c.lag_p99_us!, more: own - other, missed: 1 - end.sent / end.planned });
    console.log(
      `open     send lag p50 ${lag50.toFixed(1)} µs, p99 ${lag99.toFixed(1)} µs ` +
        `(C ${c.lag_p50_us!.toFixed(1)}, ${c.lag_p99_us!.toFixed(1)}); response p50 ${own.toFixed(1)} µs ` +
        `(C ${other.toFixed(1)}); ${end.generator.verdict}; bare Deno with ${EVENT_INTERVAL} ` +
        `${bare.lag_p50_us.toFixed(1)}, ${bare.lag_p99_us.toFixed(1)}; ${bare.p50_us.toFixed(1)}`,
    );
  }
  const goals: [name: string, value: number, max: number, unit: string][] = [
    ["send lag p50", median(rows.map((it) => it.lag50)), MAX_LAG_P50_US, "µs"],
    ["send lag p99", median(rows.map((it) => it.lag99)), MAX_LAG_P99_US, "µs"],
    ["response p50 more than C", median(rows.map((it) => it.more)), MAX_RESPONSE_US, "µs"],
    ["not sent", 100 * median(rows.map((it) => it.missed)), 100 * MAX_MISSED, "%"],
  ];
  for (const [name, value, max, unit] of goals) {
    console.log(`open     ${name} ${value.toFixed(1)} ${unit}   ≤ ${max} ${unit}: ${verdict(value <= max)}`);
  }
  // Where a loop in C that does nothing else is late, the machine is: it has no core to spare.
  const machine = median(rows.map((it) => it.cLag99));
  console.log(
    `open     send lag p99 of the C generator ${machine.toFixed(1)} µs: what the machine itself adds`,
  );
  return goals.every(([, value, max]) => value <= max);
}

/** The most resident KiB of a run of so many lines. */
async function memory({ bin, endpoint }: Setting, lines: number): Promise<number> {
  const running = start(loadCommand(bin, endpoint, "-c", "50", "--depth", "32", "-n", `${lines}`));
  let most = 0;
  const timer = setInterval(async () => {
    most = Math.max(most, await residentKib(running.pid).catch(() => 0) || 0); // it may have ended
  }, 100);
  while (await running.line() !== null);
  const { success } = await running.end();
  clearInterval(timer);
  if (!success) throw new Error("load failed");
  return most;
}

async function compareMemory(setting: Setting): Promise<boolean> {
  const [few, many] = [await memory(setting, MEMORY_LINES[0]), await memory(setting, MEMORY_LINES[1])];
  const good = many - few <= MAX_GROWTH_KIB;
  console.log(
    `memory   ${few} KiB with ${MEMORY_LINES[0]} lines, ${many} KiB with ${MEMORY_LINES[1]}   ` +
      `≤ ${MAX_GROWTH_KIB} KiB more: ${verdict(good)}`,
  );
  return good;
}

async function bench(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "3" },
      bin: { type: "string" },
      only: { type: "string" },
    },
  });
  const directory = await Deno.makeTempDir({ prefix: "tsecho-bench-" });
  try {
    const generator = await compile("load.c", directory);
    const server = await startServer([await compile("peers/epoll.c", directory), "0"]);
    try {
      const setting: Setting = {
        generator,
        bin: values.bin,
        endpoint: server.endpoint,
        rounds: Number(values.rounds),
        seconds: Number(values.seconds),
      };
      const wanted = (name: string) => values.only === undefined || values.only.split(",").includes(name);
      let good = true;
      for (const it of CLOSED) if (wanted(it.name)) good = await compareClosed(setting, it) && good;
      if (wanted("open")) good = await compareOpen(setting) && good;
      if (wanted("memory")) good = await compareMemory(setting) && good;
      return good ? 0 : 1;
    } finally {
      await server.stop();
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

if (import.meta.main) await main("bench-load", bench);
