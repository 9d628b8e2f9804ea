/**
 * Looks for kinks: measures tsecho at every length of line, on every path.
 *
 *     deno task bench-sweep [--parts a,b] [--json FILE] [--svg FILE] [--against CHECKOUT]
 *
 * Half a second of tsecho alternates with half a second of the C server, three times a point; a ratio is the median of
 * the rounds' own. Where there is no C server, a length is compared with its neighbours. A point that fails is
 * measured again, five times. These parts together take less than 12 minutes.
 *
 * The part "connections" takes another minute: up to 5,000 connections that are busy at once.
 */

import { parseArgs } from "node:util";
import { connections } from "./connections.ts";
import { build, type Path, PEERS, type Setup } from "./peers.ts";
import { type Part, picture, type Point, table } from "./sweep_report.ts";
import { main, median, run, runLoad, startServer, tsecho } from "./tools.ts";

/** The lowest rate, as a share of the C server's. */
const MIN_RATIO = 0.55;
/** The lowest bytes a second, as a share of a neighbour's. */
const MIN_OF_NEIGHBOUR = 0.5;
const ROUNDS = 3;
const ROUNDS_AGAIN = 5;
/** What the client's filter sends, whatever the length of its lines. */
const FILTERED_BYTES = 64 << 20;

/** Powers of two and the lengths beside them, from 8 bytes on the wire (LF included). */
function lengthsUpTo(max: number): number[] {
  const lengths: number[] = [];
  for (let power = 8; power <= max; power *= 2) lengths.push(power - 1, power, power + 1);
  return lengths.filter((length) => length >= 8 && length <= max);
}

/** Measures any length of line, until it is closed. */
interface Rig {
  /** tsecho's lines a second, and the C server's where there is one. */
  measure(length: number): Promise<{ rate: number; peer?: number }>;
  close(): Promise<void>;
}

interface PartPlan {
  name: Part;
  lengths: number[];
  open(setup: Setup): Promise<Rig>;
}

const PLANS: PartPlan[] = [
  { name: "depth 1", lengths: lengthsUpTo(16_384), open: besideC(1) },
  { name: "depth 16", lengths: lengthsUpTo(16_384), open: besideC(16) },
  { name: "depth 256", lengths: lengthsUpTo(4096), open: besideC(256) },
  { name: "chunk", lengths: lengthsUpTo(1024), open: besideC(1, "--framing", "chunk") },
  { name: "unix", lengths: lengthsUpTo(16_384), open: alone("unix", 16) },
  { name: "tls", lengths: lengthsUpTo(16_384), open: alone("tls", 16) },
  { name: "filter", lengths: lengthsUpTo(16_384), open: filter },
];

/** Starts tsecho's server or another's on a path, and says how fast it is at a depth. */
async function underLoad(peer: string, on: Path, setup: Setup, depth: number, ...options: string[]) {
  const command = PEERS.find(({ name }) => name === peer)?.server?.[on]?.(setup) ?? [];
  const server = await startServer([...command, ...options]);
  const load = on === "tls" ? setup.tlsLoad : setup.load;
  const window = ["--duration", String(setup.duration), "--warmup", String(setup.warmup)];
  const rate = async (length: number) => {
    const args = ["--conns", "10", "--inflight", String(depth), "--size", String(length)];
    return (await runLoad(load, server.endpoint, ["steady", ...args, ...window])).rate;
  };
  for (let i = 0; i < 4; i++) await rate(32); // until the JIT compiler has seen it
  return { rate, stop: () => server.stop() };
}

/** tsecho over TCP and the server in C, which take turns under the same load. */
function besideC(depth: number, ...options: string[]) {
  return async (setup: Setup): Promise<Rig> => {
    const own = await underLoad("tsecho", "tcp", setup, depth, ...options);
    const peer = await underLoad("C", "tcp", setup, depth);
    return {
      measure: async (length) => ({ rate: await own.rate(length), peer: await peer.rate(length) }),
      close: async () => {
        await own.stop();
        await peer.stop();
      },
    };
  };
}

function alone(on: Path, depth: number) {
  return async (setup: Setup): Promise<Rig> => {
    const { rate, stop } = await underLoad("tsecho", on, setup, depth);
    return { measure: async (length) => ({ rate: await rate(length) }), close: stop };
  };
}

/** The client between a file and the C server; its start is not counted. */
async function filter({ directory }: Setup): Promise<Rig> {
  const input = `${directory}/filter.in`;
  const server = await startServer([`${directory}/epoll`, "0"]);
  const seconds = async () => {
    const begin = performance.now();
    // It fails unless every line is answered.
    await run(["sh", "-c", 'in=$1; shift; exec "$@" <"$in" >/dev/null', "sh", input, ...client]);
    return (performance.now() - begin) / 1000;
  };
  const client = tsecho(undefined, "client", server.endpoint);
  await Deno.writeFile(input, new Uint8Array());
  await seconds();
  const start = median([await seconds(), await seconds(), await seconds()]);
  let written = 0;
  return {
    async measure(length) {
      const lines = Math.floor(FILTERED_BYTES / length);
      if (written !== length) {
        const text = new TextEncoder().encode(
          ("x".repeat(length - 1) + "\n").repeat(Math.ceil(65536 / length)),
        );
        using file = await Deno.open(input, { write: true, create: true, truncate: true });
        for (let left = lines * length; left > 0;) left -= await file.write(text.subarray(0, left));
        written = length;
      }
      return { rate: lines / (await seconds() - start) };
    },
    close: () => server.stop(),
  };
}

/** Each round takes all lengths in turn, so that a slow spell of the machine spoils one round of a point, not three. */
async function measure(rig: Rig, part: Part, lengths: number[], rounds: number): Promise<Point[]> {
  const results = lengths.map((length) => ({ length, rates: [] as number[], ratios: [] as number[] }));
  for (let round = 1; round <= rounds; round++) {
    console.error(`${part}: round ${round} of ${rounds}, ${lengths.length} lengths`);
    for (const { length, rates, ratios } of results) {
      const { rate, peer } = await rig.measure(length);
      rates.push(rate);
      if (peer !== undefined) ratios.push(rate / peer);
    }
  }
  return results.map(({ length, rates, ratios }) => ({
    part,
    length,
    rate: median(rates),
    ...(ratios.length > 0 && { ratio: median(ratios) }),
  }));
}

/** Why a point is a kink; undefined if it is none. Longer lines may move fewer lines a second, not fewer bytes. */
function kink(point: Point, points: Point[]): string | undefined {
  const { part, length, rate, ratio } = point;
  if (ratio !== undefined) {
    return ratio < MIN_RATIO ? `${ratio.toFixed(2)} × C, the limit is ${MIN_RATIO}` : undefined;
  }
  const same = points.filter((it) => it.part === part);
  const before = same.findLast((it) => it.length < length);
  const beside = same.find((it) => it.length === length + 1);
  for (const other of [before, beside]) {
    if (other === undefined) continue;
    const share = rate * length / (other.rate * other.length);
    if (share < MIN_OF_NEIGHBOUR) return `${share.toFixed(2)} × the bytes a second of ${other.length} B`;
  }
  return undefined;
}

async function sweepPart({ name, lengths, open }: PartPlan, setup: Setup): Promise<Point[]> {
  const rig = await open(setup);
  try {
    const points = await measure(rig, name, lengths, ROUNDS);
    const doubtful = points.filter((point) => kink(point, points) !== undefined).map(({ length }) => length);
    if (doubtful.length === 0) return points;
    const again = await measure(rig, name, doubtful, ROUNDS_AGAIN);
    return points.map((point) => again.find(({ length }) => length === point.length) ?? point);
  } finally {
    await rig.close();
  }
}

/** The part that is no PartPlan: its loads differ in more than the length of a line. */
const CONNECTIONS = "connections";

const HELP = `usage: sweep.ts [options]
  --parts a,b      only these: ${
  [...PLANS.map(({ name }) => name.replaceAll(" ", "-")), CONNECTIONS].join(", ")
}
  --json FILE      keep the points by length in a file; those of parts that are not run stay in it, and count
  --svg FILE       draw the ratios tsecho ÷ C by length
  --against OTHER  in ${CONNECTIONS}, measure another checkout's server too`;

async function sweep(): Promise<number> {
  const { values: options } = parseArgs({
    args: Deno.args,
    options: {
      parts: { type: "string" },
      json: { type: "string" },
      svg: { type: "string" },
      against: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const { plans, hasConnections } = chooseParts(options.parts?.split(","));
  const kept = options.json === undefined ? [] : await readPoints(options.json);
  const directory = await Deno.makeTempDir({ prefix: "tsecho-sweep-" });
  try {
    const needsTls = plans.some(({ name }) => name === "tls");
    await build(directory, { go: needsTls, openssl: needsTls });
    const setup: Setup = {
      directory,
      load: `${directory}/load`,
      tlsLoad: `${directory}/tls_load`,
      bin: undefined,
      before: options.against,
      duration: 0.5,
      warmup: 0.1,
    };
    let points = kept.filter(({ part }) => !plans.some(({ name }) => name === part));
    for (const plan of plans) points = [...points, ...await sweepPart(plan, setup)];
    if (points.length > 0) console.log(table(points));
    const busy = hasConnections ? await connections(setup) : { table: "", kinks: [] };
    if (hasConnections) console.log(`${points.length > 0 ? "\n" : ""}${busy.table}`);
    if (options.json !== undefined) {
      await Deno.writeTextFile(options.json, JSON.stringify(points, null, 1) + "\n");
    }
    if (options.svg !== undefined) await Deno.writeTextFile(options.svg, picture(points, MIN_RATIO));
    const kinks = points.flatMap((point) => {
      const why = kink(point, points);
      return why === undefined ? [] : [`${point.part}, ${point.length} B: ${why}`];
    }).concat(busy.kinks);
    if (kinks.length > 0) console.log(`\nKinks:\n  ${kinks.join("\n  ")}`);
    return kinks.length > 0 ? 1 : 0;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The parts of these names, or all. */
function chooseParts(names: string[] | undefined): { plans: PartPlan[]; hasConnections: boolean } {
  if (names === undefined) return { plans: PLANS, hasConnections: true };
  const plans = names.filter((name) => name !== CONNECTIONS).map((name) => {
    const plan = PLANS.find((it) => it.name === name.replaceAll("-", " "));
    if (plan === undefined) throw new Error(`Cannot find part "${name}": ${HELP.match(/only these.*/)?.[0]}`);
    return plan;
  });
  return { plans, hasConnections: names.includes(CONNECTIONS) };
}

async function readPoints(file: string): Promise<Point[]> {
  try {
    return JSON.parse(await Deno.readTextFile(file));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

if (import.meta.main) await main("sweep", sweep);
