/**
 * Compares tsecho with servers and clients that people would use instead, on one machine in one run.
 *
 *     deno task bench [--quick] [--rounds N] [--cases a,b] [--peers a,b] [--json FILE] [--bin PATH]
 *
 * At first every server must return every byte of a short load. Then, for each case, every peer is run in turn,
 * round after round (A B C A B C ...), each time with a fresh server. A cell is the median of the rounds; a ratio is
 * the median of the rounds' own ratios, so that a slow spell of the machine that covers a round does not count.
 */

import { parseArgs } from "node:util";
import {
  compile,
  type LoadResult,
  main,
  median,
  path,
  residentKib,
  run,
  runLoad,
  type Server,
  sleep,
  startServer,
  tsecho,
} from "./tools.ts";

// What is compared.

/** Where things are and how long they run; seconds. */
interface Setup {
  directory: string;
  load: string;
  bin: string | undefined;
  duration: number;
  warmup: number;
}

/** One figure in the case's unit, with what the load generator saw if it was used: µs, share of a core. */
interface Measurement {
  value: number;
  p50?: number | undefined;
  p99?: number | undefined;
  cpu?: number | undefined;
}

interface Peer {
  name: string;
  /** Programs without which it is left out. */
  needs: string[];
  /** The server; clients and bare programs have none. */
  server?: (setup: Setup, ...options: string[]) => string[];
  /** The client that copies stdin's lines to a server and the replies to stdout, until all replies are in. */
  client?: (setup: Setup, host: string, port: string) => string[];
  /** A program that starts and ends. */
  start?: (setup: Setup) => string[];
}

const PEERS: Peer[] = [
  {
    name: "tsecho",
    needs: [],
    server: ({ bin }, ...options) => tsecho(bin, "server", "tcp://127.0.0.1:0", "--quiet", ...options),
    client: ({ bin }, host, port) => tsecho(bin, "client", `tcp://${host}:${port}`),
    start: ({ bin }) => tsecho(bin, "--version"),
  },
  { name: "C", needs: ["gcc"], server: ({ directory }) => [`${directory}/epoll`, "0"] },
  { name: "Go", needs: ["go"], server: ({ directory }) => [`${directory}/server`, "0"] },
  {
    name: "Node",
    needs: ["node"],
    server: () => ["node", path("peers/node_net.mjs"), "0"],
    start: () => ["node", "-e", "0"],
  },
  {
    name: "Deno node:net",
    needs: [],
    server: () => [Deno.execPath(), "run", "--allow-net", path("peers/node_net.mjs"), "0"],
  },
  { name: "asyncio", needs: ["python3"], server: () => ["python3", path("peers/asyncio_server.py"), "0"] },
  {
    name: "ncat",
    needs: ["ncat", "ts"],
    server: () => [path("peers/ncat.sh"), "0"],
    // Ncat 7.93 half-closes at stdin's end and ends with the server's close. With --no-shutdown it would not
    // half-close, the server would wait for more, and ncat for ever.
    client: (_, host, port) => ["ncat", host, port],
  },
  {
    name: "socat",
    needs: ["socat", "ts"],
    server: () => [path("peers/socat.sh"), "0"],
    // It half-closes too, but then gives the replies half a second only, unless told otherwise.
    client: (_, host, port) => ["socat", "-t", "10", "-", `TCP:${host}:${port}`],
  },
];

const SERVERS = ["tsecho", "C", "Go", "Node", "Deno node:net", "asyncio"];

interface Case {
  name: string;
  load: string;
  unit: string;
  peers: string[];
  /** Where not the command line's. */
  rounds?: number;
  measure: (peer: Peer, setup: Setup) => Promise<Measurement>;
}

const CASES: Case[] = [
  {
    name: "one line at a time",
    load: "1 connection, 32 B",
    unit: "lines/s",
    peers: SERVERS,
    measure: rate("steady --conns 1 --inflight 1 --size 32"),
  },
  {
    name: "ping-pong",
    load: "50 connections, 1 line in flight each, 32 B",
    unit: "lines/s",
    peers: [...SERVERS, "ncat", "socat"],
    measure: rate("steady --conns 50 --inflight 1 --size 32"),
  },
  {
    name: "pipelined",
    load: "50 connections, 32 lines in flight each, 32 B",
    unit: "lines/s",
    peers: SERVERS,
    measure: rate("steady --conns 50 --inflight 32 --size 32"),
  },
  {
    name: "bulk",
    load: "10 connections, 256 lines in flight each, 32 B",
    unit: "lines/s",
    peers: SERVERS,
    measure: rate("steady --conns 10 --inflight 256 --size 32"),
  },
  {
    name: "long lines",
    load: "4 connections, 16 lines in flight each, 4 KiB",
    unit: "lines/s",
    peers: SERVERS,
    measure: rate("steady --conns 4 --inflight 16 --size 4096"),
  },
  {
    name: "idle memory",
    load: "10,000 connections, one line exchanged on each",
    unit: "KiB resident each",
    peers: SERVERS,
    measure: idleMemory,
  },
  {
    name: "connect storm",
    load: "10,000 connects at once, one line each",
    unit: "ms",
    peers: SERVERS,
    measure: connectStorm,
  },
  {
    name: "churn",
    load: "connect, one line, close, 50 at a time",
    unit: "connections/s",
    peers: SERVERS,
    measure: rate("churn --conns 50 --size 32"),
  },
  {
    name: "piped client",
    load: "1,000,000 lines of 64 B from a file through the client to the C server and back",
    unit: "lines/s",
    peers: ["tsecho", "ncat", "socat"],
    measure: pipedClient,
  },
  {
    name: "start",
    load: "tsecho --version, compiled, against node -e 0",
    unit: "ms",
    peers: ["tsecho", "Node"],
    rounds: 20,
    measure: startTime,
  },
];

/** What is to be reached: the ratio tsecho ÷ peer, or, where the peer is tsecho itself, its own figure. */
interface Bound {
  case: string;
  peer: string;
  least?: number;
  most?: number;
}

const BOUNDS: Bound[] = [
  { case: "one line at a time", peer: "Node", least: 1.0 },
  { case: "ping-pong", peer: "Node", least: 1.2 },
  { case: "ping-pong", peer: "Go", least: 1.1 },
  { case: "ping-pong", peer: "C", least: 0.7 },
  { case: "pipelined", peer: "Node", least: 1.6 },
  { case: "pipelined", peer: "Go", least: 1.6 },
  { case: "pipelined", peer: "C", least: 0.7 },
  { case: "bulk", peer: "Node", least: 3.5 },
  { case: "bulk", peer: "Go", least: 3.5 },
  { case: "bulk", peer: "C", least: 0.75 },
  { case: "long lines", peer: "Node", least: 1.4 },
  { case: "long lines", peer: "Go", least: 1.2 },
  { case: "long lines", peer: "C", least: 0.55 },
  { case: "idle memory", peer: "tsecho", most: 10 },
  { case: "idle memory", peer: "C", most: 2.5 },
  { case: "connect storm", peer: "C", most: 1.3 },
  { case: "churn", peer: "Node", least: 1.2 },
  { case: "piped client", peer: "ncat", least: 1.0 },
  { case: "piped client", peer: "socat", least: 1.0 },
  { case: "start", peer: "Node", most: 1.2 },
];

// How it is measured.

async function withServer<T>(command: string[], use: (server: Server) => Promise<T>): Promise<T> {
  const server = await startServer(command);
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

function serverOf(peer: Peer, setup: Setup, ...tsechoOptions: string[]): string[] {
  return peer.server?.(setup, ...tsechoOptions) ?? [];
}

/** tsecho's own limit on connections stands below 10,000. */
const TEN_THOUSAND = ["--max-conns", "12000"];

function seen(value: number, { p50_us, p99_us, cpu }: LoadResult): Measurement {
  return { value, p50: p50_us, p99: p99_us, cpu };
}

function rate(load: string) {
  return (peer: Peer, setup: Setup): Promise<Measurement> => {
    const times = ["--duration", String(setup.duration), "--warmup", String(setup.warmup)];
    return withServer(serverOf(peer, setup), async ({ endpoint }) => {
      const result = await runLoad(setup.load, endpoint, [...load.split(" "), ...times]);
      return seen(result.rate, result);
    });
  };
}

/** Throws unless the server stamps and returns every byte of what it gets. */
async function verify(peer: Peer, setup: Setup): Promise<void> {
  const load = "steady --conns 4 --inflight 16 --size 300 --duration 0.2 --warmup 0 --verify";
  await withServer(serverOf(peer, setup), ({ endpoint }) => runLoad(setup.load, endpoint, load.split(" ")));
}

function idleMemory(peer: Peer, setup: Setup): Promise<Measurement> {
  return withServer(serverOf(peer, setup, ...TEN_THOUSAND), async ({ endpoint, pid }) => {
    await sleep(300); // let it finish starting
    const before = await residentKib(pid);
    let after = NaN;
    const result = await runLoad(setup.load, endpoint, ["idle", "--conns", "10000"], async () => {
      await sleep(1000); // let a garbage collector have its turn
      after = await residentKib(pid);
    });
    return seen((after - before) / 10_000, result);
  });
}

function connectStorm(peer: Peer, setup: Setup): Promise<Measurement> {
  return withServer(serverOf(peer, setup, ...TEN_THOUSAND), async ({ endpoint }) => {
    const result = await runLoad(setup.load, endpoint, ["storm", "--conns", "10000"]);
    return seen(result.seconds * 1000, result);
  });
}

const PIPED_LINES = 1_000_000;
const PIPED_LINE_BYTES = 64; // on the wire, LF included

function pipedLine(number: number): string {
  return String(number).padEnd(PIPED_LINE_BYTES - 1, ".") + "\n";
}

async function pipedClient(peer: Peer, setup: Setup): Promise<Measurement> {
  const input = `${setup.directory}/piped.in`;
  const output = `${setup.directory}/piped.out`;
  await Deno.writeTextFile(input, Array.from({ length: PIPED_LINES }, (_, i) => pipedLine(i)).join(""));
  return await withServer([`${setup.directory}/epoll`, "0"], async ({ endpoint }) => {
    const { hostname, port } = new URL(endpoint.replace("tcp:", "http:")); // URL parses ports of known schemes only
    const client = peer.client?.(setup, hostname, port) ?? [];
    const begin = performance.now();
    await run([
      "sh",
      "-c",
      'in=$1 out=$2; shift 2; exec "$@" <"$in" >"$out"',
      "sh",
      input,
      output,
      ...client,
    ]);
    const seconds = (performance.now() - begin) / 1000;
    checkPiped(await Deno.readFile(output));
    return { value: PIPED_LINES / seconds };
  });
}

/** Every line must have come back once, in order, behind a stamp. */
function checkPiped(bytes: Uint8Array): void {
  const text = new TextDecoder("latin1").decode(bytes);
  const stampBytes = 30;
  const replyBytes = stampBytes + PIPED_LINE_BYTES;
  for (let i = 0; i < PIPED_LINES; i++) {
    const at = i * replyBytes;
    if (text[at] !== "[" || text.slice(at + stampBytes, at + replyBytes) !== pipedLine(i)) {
      throw new Error(
        `Line ${i} of ${PIPED_LINES} was lost or changed: ${JSON.stringify(text.slice(at, at + 100))}`,
      );
    }
  }
  if (text.length !== PIPED_LINES * replyBytes) throw new Error("More came back than was sent");
}

async function startTime(peer: Peer, setup: Setup): Promise<Measurement> {
  const command = peer.start?.(setup) ?? [];
  const begin = performance.now();
  await run(command);
  return { value: performance.now() - begin };
}

// How it is reported.

/** The rounds of one peer in one case; `null` is a round that failed. */
interface Cell {
  peer: string;
  rounds: (Measurement | null)[];
  errors: string[];
}

interface CaseResult {
  case: Case;
  cells: Cell[];
}

function medianOf(cell: Cell, key: keyof Measurement): number {
  return median(cell.rounds.flatMap((round) => round?.[key] ?? []));
}

/** The median of the rounds' ratios tsecho ÷ peer; NaN when there is none. */
function ratio(result: CaseResult, peer: string): number {
  const rounds = (name: string) => result.cells.find((cell) => cell.peer === name)?.rounds ?? [];
  const theirs = rounds(peer);
  return median(
    rounds("tsecho").flatMap((own, i) => {
      const other = theirs[i];
      return own && other ? own.value / other.value : [];
    }),
  );
}

/** Three digits: 0.123, 12.3, 123, 12.3 k, 1.23 M. */
function short(value: number): string {
  for (const [unit, size] of [[" M", 1e6], [" k", 1e4]] as const) {
    if (value >= size) return short(value / (unit === " k" ? 1000 : size)) + unit;
  }
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** The table, in Markdown: rows the cases, columns the peers. */
function table(results: CaseResult[], peers: string[]): string {
  const rows = [["case", ...peers], ["-", ...peers.map(() => "-")]];
  for (const result of results) {
    const columns = peers.map((peer) => result.cells.find((cell) => cell.peer === peer));
    rows.push([
      `${result.case.name}, ${result.case.unit}`,
      ...columns.map((cell) => {
        if (!cell) return "";
        if (cell.rounds.every((round) => round === null)) return "failed";
        const own = ratio(result, cell.peer);
        const shown = cell.peer === "tsecho" || isNaN(own) ? "" : ` (${own.toFixed(2)}×)`;
        return short(medianOf(cell, "value")) + shown;
      }),
    ]);
    if (!result.cells.some((cell) => medianOf(cell, "p50") >= 0)) continue;
    rows.push([
      "  round trip p50 / p99, µs",
      ...columns.map((cell) => {
        const p50 = cell ? medianOf(cell, "p50") : NaN;
        return cell && p50 >= 0 ? `${short(p50)} / ${short(medianOf(cell, "p99"))}` : "";
      }),
    ]);
  }
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  return rows.map((row, r) =>
    "| " + row.map((cell, i) =>
      r === 1 ? "-".repeat(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)
    ).join(" | ") + " |"
  ).join("\n");
}

/** Whether the generator had time to spare: its share of a core, in %. */
function generatorReport(results: CaseResult[]): string {
  return results.flatMap(({ case: { name }, cells }) => {
    const shares = cells.filter((cell) => medianOf(cell, "cpu") >= 0)
      .map((cell) => `${cell.peer} ${(medianOf(cell, "cpu") * 100).toFixed(0)}`);
    return shares.length ? [`  ${name}: ${shares.join(", ")}`] : [];
  }).join("\n");
}

interface Judged extends Bound {
  value: number;
  reached: boolean | null;
}

function judge(results: CaseResult[]): Judged[] {
  return BOUNDS.flatMap((bound) => {
    const result = results.find((candidate) => candidate.case.name === bound.case);
    if (!result) return [];
    const own = result.cells.find((cell) => cell.peer === "tsecho");
    const value = bound.peer !== "tsecho" ? ratio(result, bound.peer) : own ? medianOf(own, "value") : NaN;
    const reached = isNaN(value)
      ? null
      : value >= (bound.least ?? -Infinity) && value <= (bound.most ?? Infinity);
    return [{ ...bound, value, reached }];
  });
}

function describe(judged: Judged): string {
  const verdict = judged.reached === null ? "not measured" : judged.reached ? "reached" : "NOT reached";
  const limit = judged.least === undefined ? `≤ ${judged.most}` : `≥ ${judged.least}`;
  const unit = CASES.find(({ name }) => name === judged.case)?.unit;
  const what = judged.peer === "tsecho" ? unit : `× ${judged.peer}`;
  const value = judged.reached === null ? "" : judged.value.toFixed(2);
  return `  ${verdict.padEnd(12)}  ${judged.case.padEnd(18)}  ${value.padStart(6)}  ${limit} ${what}`;
}

// The run.

async function has(program: string): Promise<boolean> {
  const command = new Deno.Command("sh", { args: ["-c", 'command -v "$0"', program], stdout: "null" });
  return (await command.output()).success;
}

async function machine(): Promise<Record<string, string>> {
  const tools = { node: "--version", go: "version", gcc: "--version", python3: "--version" };
  const versions: Record<string, string> = {
    cores: String(navigator.hardwareConcurrency),
    kernel: (await run(["uname", "-srm"])).trim(),
    deno: Deno.version.deno,
  };
  for (const [tool, option] of Object.entries(tools)) {
    versions[tool] = await has(tool) ? (await run([tool, option])).split("\n")[0] ?? "" : "missing";
  }
  return versions;
}

/** CPU time of the whole machine since its boot in ticks: all of it, and what a hypervisor gave to others. */
async function cpuTicks(): Promise<{ all: number; stolen: number }> {
  const line = (await Deno.readTextFile("/proc/stat")).split("\n")[0] ?? "";
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0, stolen = 0] = line
    .split(/\s+/).slice(1).map(Number);
  return { all: user + nice + system + idle + wait + irq + softirq + stolen, stolen };
}

/** Reads a list of names from the command line; spaces may be written as hyphens. */
function select(what: string, list: string | undefined, known: string[]): string[] {
  if (list === undefined) return known;
  const plain = (name: string) => name.toLowerCase().replaceAll(/[ :]/g, "-");
  return list.split(",").map((name) => {
    const found = known.find((candidate) => plain(candidate) === plain(name));
    if (found === undefined) throw new Error(`Cannot find ${what} "${name}": there are ${known.join(", ")}`);
    return found;
  });
}

const HELP = `usage: bench.ts [options]
  --quick         one short round, a minute in total; too short for JIT compilers to be warm
  --rounds N      rounds of each case (default 5, and 20 of "start")
  --cases a,b     only these: ${CASES.map(({ name }) => name.replaceAll(" ", "-")).join(", ")}
  --peers a,b     only these: ${PEERS.map(({ name }) => name.replaceAll(/[ :]/g, "-")).join(", ")}
  --bin PATH      the compiled tsecho (default: the sources, with the Deno that runs this)
  --json FILE     write everything measured to a file`;

async function bench(): Promise<number> {
  const { values: options } = parseArgs({
    args: Deno.args,
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      cases: { type: "string" },
      peers: { type: "string" },
      bin: { type: "string" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const rounds = Number(options.rounds ?? (options.quick ? 1 : 5));
  if (!(Number.isInteger(rounds) && rounds >= 1)) throw new Error(`Cannot run "${options.rounds}" rounds`);
  const cases = select("case", options.cases, CASES.map(({ name }) => name));
  const wanted = select("peer", options.peers, PEERS.map(({ name }) => name));

  const info = await machine();
  console.log(Object.entries(info).map(([name, value]) => `${name}: ${value}`).join("\n") + "\n");
  if (!await has("gcc")) throw new Error("Cannot build the load generator: gcc is missing");

  const leftOut: string[] = [];
  const peers: Peer[] = [];
  for (const peer of PEERS.filter(({ name }) => wanted.includes(name))) {
    const missing: string[] = [];
    for (const program of peer.needs) if (!await has(program)) missing.push(program);
    if (missing.length) leftOut.push(`${peer.name}: ${missing.join(" and ")} is not installed`);
    else peers.push(peer);
  }

  const directory = await Deno.makeTempDir({ prefix: "tsecho-bench-" });
  try {
    const setup: Setup = {
      directory,
      load: await compile("load.c", directory),
      bin: options.bin,
      duration: options.quick ? 0.5 : 2,
      warmup: options.quick ? 0.3 : 1,
    };
    await compile("peers/epoll.c", directory);
    if (peers.some(({ name }) => name === "Go")) {
      await run(["go", "build", "-o", `${directory}/server`, path("peers/server.go"), path("peers/echo.go")]);
    }

    const broken: string[] = [];
    for (const peer of peers) {
      await verify(peer, setup).catch((error) => broken.push(`${peer.name}: ${error.message}`));
    }
    if (broken.length) {
      throw new Error(`Cannot compare servers that do not answer rightly\n${broken.join("\n")}`);
    }

    const results: CaseResult[] = [];
    const ticks = await cpuTicks();
    for (const one of CASES.filter(({ name }) => cases.includes(name))) {
      if (one.name === "start" && setup.bin === undefined) {
        leftOut.push(`${one.name}: it needs the compiled tsecho, --bin PATH`);
        continue;
      }
      const result: CaseResult = { case: one, cells: [] };
      result.cells = peers.filter(({ name }) => one.peers.includes(name))
        .map(({ name }) => ({ peer: name, rounds: [], errors: [] }));
      if (result.cells.length) results.push(result);
      const times = one.rounds === undefined || options.rounds !== undefined
        ? rounds
        : options.quick
        ? 5
        : one.rounds;
      for (let round = 1; round <= times; round++) {
        console.error(`${one.name}: round ${round} of ${times}`);
        for (const cell of result.cells) {
          const peer = peers.find(({ name }) => name === cell.peer)!;
          try {
            cell.rounds.push(await one.measure(peer, setup));
          } catch (error) {
            const reason = error instanceof Error ? error.message : String(error);
            console.error(`  ${peer.name} failed: ${reason}`);
            cell.rounds.push(null);
            cell.errors.push(reason);
          }
        }
      }
    }

    const { all, stolen } = await cpuTicks();
    const stolenPercent = 100 * (stolen - ticks.stolen) / (all - ticks.all);
    const judged = judge(results);
    const tsechoIs = setup.bin === undefined ? "run from its sources" : "compiled";
    console.log(`tsecho ${tsechoIs}; medians of ${rounds} rounds; in brackets the ratio tsecho ÷ peer`);
    console.log(
      `Of the machine's CPU time during the run, ${stolenPercent.toFixed(1)} % went to other machines\n`,
    );
    console.log(table(results, peers.map(({ name }) => name)) + "\n");
    console.log(
      "The cases:\n" + results.map(({ case: { name, load } }) => `  ${name}: ${load}`).join("\n") + "\n",
    );
    const generator = generatorReport(results);
    if (generator) console.log(`CPU of the load generator, % of a core:\n${generator}\n`);
    if (leftOut.length) console.log("Left out:\n" + leftOut.map((line) => `  ${line}`).join("\n") + "\n");
    const failed = results.flatMap(({ case: { name }, cells }) =>
      cells.flatMap(({ peer, errors }) => errors.map((error) => `  ${name}, ${peer}: ${error}`))
    );
    if (failed.length) console.log("Failed:\n" + failed.join("\n") + "\n");
    if (judged.length) console.log("To be reached:\n" + judged.map(describe).join("\n"));
    if (options.json !== undefined) {
      const report = {
        machine: info,
        tsecho: tsechoIs,
        stolenPercent,
        cases: results.map(({ case: { name, load, unit }, cells }) => ({ name, load, unit, peers: cells })),
        bounds: judged,
        leftOut,
      };
      await Deno.writeTextFile(options.json, JSON.stringify(report, null, 2) + "\n");
    }
    return failed.length ? 1 : 0;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

if (import.meta.main) await main("bench", bench);
