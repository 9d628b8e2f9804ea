/**
 * Compares `tsecho ping -i 0` with a C client that does the same exchange, in alternation against one tsecho server on
 * this machine, and watches ping's memory over a long run.
 *
 *     deno task bench-ping [--rounds N] [--count N] [--memory N] [--against PATH] [--bin PATH]
 *
 * A round is one run of each; a difference or ratio is the median of the rounds' own, so that a spell in which the
 * machine is slow does not count. With --against the ping of another tsecho, a checkout or a binary, takes
 * its turn in each round, with the same server.
 */
import { parseArgs } from "node:util";
import { MIN_SPEED } from "./report.ts";
import { compile, main, median, residentKib, run, start, startServer, tsecho } from "./tools.ts";

const SIZE = 56;
/** The goals. */
const MIN_RATE = 0.8;
const MAX_P50_US = 20;
const MAX_GROWTH_KIB = 20 * 1024;
/**
 * Before that V8 may not have collected all of its heap once: each read of a connection leaves 120 bytes of Deno's own
 * there, which only such a collection clears away.
 */
const MEMORY_FROM = 200_000;

/** Exchanges per second, round trips in µs. */
interface Figures {
  rate: number;
  p50: number;
  p99: number;
}

async function exchangeInC(program: string, endpoint: string, count: number): Promise<Figures> {
  const { rate, p50_us, p99_us } = JSON.parse(await run([program, endpoint, String(count), String(SIZE)]));
  return { rate, p50: p50_us, p99: p99_us };
}

function pingCommand(
  bin: string | undefined,
  endpoint: string,
  count: number,
  ...options: string[]
): string[] {
  return tsecho(bin, "ping", endpoint, "-i", "0", "-q", "-c", String(count), "-s", String(SIZE), ...options);
}

async function exchangeWithPing(bin: string | undefined, endpoint: string, count: number): Promise<Figures> {
  const stream = await run(pingCommand(bin, endpoint, count, "--json-stream"));
  // Older pings may write another interval after the end, so the end is not always the last line.
  const end = stream.trimEnd().split("\n").find((line) => line.startsWith('{"type":"end"'));
  if (end === undefined) throw new Error(`ping ended without a summary: ${stream}`);
  const { received, duration, rtt } = JSON.parse(end);
  if (received !== count) throw new Error(`${received} of ${count} lines came back: ${end}`);
  return { rate: received / duration, p50: rtt.p50 * 1e6, p99: rtt.p99 * 1e6 };
}

/** Resident KiB after `from` exchanges and at the end. */
async function memory(
  bin: string | undefined,
  endpoint: string,
  from: number,
  count: number,
): Promise<[number, number]> {
  const running = start(pingCommand(bin, endpoint, count, "--json-stream"));
  let [early, latest, seen] = [0, 0, 0];
  for (let line; (line = await running.line()) !== null;) {
    const { type, sent } = JSON.parse(line);
    if (type !== "interval") continue;
    seen += sent;
    if (seen < from) continue;
    latest = await residentKib(running.pid).catch(() => latest); // it may have ended
    early ||= latest;
  }
  if (!(await running.end()).success) throw new Error("ping failed");
  return [early, latest];
}

function report(name: string, figures: Figures): string {
  const { rate, p50, p99 } = figures;
  return `${name.padEnd(6)} ${rate.toFixed(0).padStart(7)}/s  p50 ${p50.toFixed(1)} µs  p99 ${
    p99.toFixed(1)
  } µs`;
}

/** The figures of one round. */
interface Round {
  c: Figures;
  ping: Figures;
  before?: Figures;
}

function verdict(good: boolean): string {
  return good ? "reached" : "NOT reached";
}

function compare(rounds: Round[]): void {
  const rate = median(rounds.map(({ c, ping }) => ping.rate / c.rate));
  const p50 = median(rounds.map(({ c, ping }) => ping.p50 - c.p50));
  const p99 = median(rounds.map(({ c, ping }) => ping.p99 - c.p99));
  console.log("medians of the rounds, tsecho against C:");
  console.log(`  exchanges per second ${rate.toFixed(2)}×   ≥ ${MIN_RATE}: ${verdict(rate >= MIN_RATE)}`);
  console.log(`  p50 ${p50.toFixed(1)} µs more   < ${MAX_P50_US} µs: ${verdict(p50 < MAX_P50_US)}`);
  console.log(`  p99 ${p99.toFixed(1)} µs more`);
}

function compareWithBefore(rounds: Round[]): void {
  const pairs = rounds.flatMap(({ ping, before }) => before ? [{ ping, before }] : []);
  if (pairs.length === 0) return;
  const rate = median(pairs.map(({ ping, before }) => ping.rate / before.rate));
  const p50 = median(pairs.map(({ ping, before }) => ping.p50 - before.p50));
  console.log("medians of the rounds, tsecho against before:");
  console.log(
    `  exchanges per second ${rate.toFixed(2)}×   ≥ ${MIN_SPEED}: ${verdict(rate >= MIN_SPEED)}`,
  );
  console.log(`  p50 ${p50.toFixed(1)} µs more`);
}

async function measure(
  program: string,
  bin: string | undefined,
  against: string | undefined,
  endpoint: string,
  rounds: number,
  count: number,
): Promise<void> {
  const all: Round[] = [];
  await exchangeInC(program, endpoint, count); // warms the server up
  for (let number = 1; number <= rounds; number++) {
    const c = await exchangeInC(program, endpoint, count);
    const early = number % 2 === 0 && against ? await exchangeWithPing(against, endpoint, count) : null;
    const ping = await exchangeWithPing(bin, endpoint, count);
    const before = early ?? (against ? await exchangeWithPing(against, endpoint, count) : null);
    const round: Round = before ? { c, ping, before } : { c, ping };
    console.log(`round ${number}\n  ${report("C", c)}\n  ${report("tsecho", ping)}`);
    if (before) console.log(`  ${report("before", before)}`);
    all.push(round);
  }
  if (all.length > 0) compare(all);
  compareWithBefore(all);
}

async function bench(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "7" },
      count: { type: "string", default: "100000" },
      memory: { type: "string", default: "1000000" },
      against: { type: "string" },
      bin: { type: "string" },
    },
  });
  const { bin, against } = values;
  const directory = await Deno.makeTempDir({ prefix: "tsecho-bench-" });
  try {
    const program = await compile("exchange.c", directory);
    const server = await startServer(tsecho(bin, "server", "tcp://127.0.0.1:0", "--quiet"));
    try {
      const { endpoint } = server;
      await measure(program, bin, against, endpoint, Number(values.rounds), Number(values.count));
      const exchanges = Number(values.memory);
      if (exchanges === 0) return 0;
      const from = Math.min(MEMORY_FROM, exchanges / 2);
      const [early, late] = await memory(bin, endpoint, from, exchanges);
      console.log(
        `resident memory ${early} KiB after ${from} exchanges, ${late} KiB after ${exchanges}` +
          `   < ${MAX_GROWTH_KIB} KiB more: ${verdict(late - early < MAX_GROWTH_KIB)}`,
      );
      return 0;
    } finally {
      await server.stop();
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

if (import.meta.main) await main("bench-ping", bench);
