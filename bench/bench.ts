/**
 * Compares tsecho with servers and clients that people would use instead, on one machine in one run, and with another
 * checkout of itself.
 *
 *     deno task bench [--quick] [--rounds N] [--cases a,b] [--peers a,b] [--against PATH] [--json FILE] [--bin PATH]
 *
 * First every server must return every byte of a short load. Then each case runs every peer in turn, round after
 * round (A B C, C B A, A B C ...), each time with a fresh server. A cell is the median of the rounds; a
 * ratio is the median of the rounds' own ratios, so that a spell in which the machine is slow does not count.
 * stdout is Markdown.
 *
 * With --against each case runs tsecho beside the tsecho of PATH, called "before". Two copies of one commit differ by
 * up to 13% in a single round: take five rounds or more. A case that is slower is repeated, and counts only when it is
 * slower in three repetitions.
 */

import { parseArgs } from "node:util";
import { type Case, CASES, type Measurement, verify } from "./cases.ts";
import { build, type Path, PATH_NEEDS, type Peer, PEERS, type Setup } from "./peers.ts";
import {
  ATTEMPTS,
  type CaseResult,
  comparison,
  generatorReport,
  goals,
  judge,
  list,
  MIN_SPEED,
  speed,
  tables,
} from "./report.ts";
import { has, main, run } from "./tools.ts";

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

/** A name as it is typed: with hyphens for spaces. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[ :]/g, "-");
}

/** Reads a list of names from the command line; "tls" stands for all names that begin with that word. */
function select(what: string, text: string | undefined, known: string[]): string[] {
  if (text === undefined) return known;
  return text.split(",").flatMap((name) => {
    const same = known.filter((candidate) => plain(candidate) === plain(name));
    const found = same.length ? same : known.filter((one) => plain(one).startsWith(plain(name) + "-"));
    if (found.length === 0) throw new Error(`Cannot find ${what} "${name}": there are ${known.join(", ")}`);
    return found;
  });
}

const HELP = `usage: bench.ts [options]
  --quick         one short round, two minutes in total; too short for JIT compilers to be warm
  --rounds N      rounds of each case (default 5, and 20 of "start")
  --cases a,b     only these: ${CASES.map(({ name }) => plain(name)).join(", ")};
                  the first word stands for all that begin with it: tls, unix, first-reply
  --peers a,b     only these: ${PEERS.map(({ name }) => plain(name)).join(", ")}
  --against PATH  beside another tsecho, a checkout or a binary, and with --peers beside these too
  --bin PATH      the compiled tsecho (default: the sources, with the Deno that runs this)
  --json FILE     write everything measured to a file`;

interface Options {
  quick: boolean;
  rounds: number;
  /** Whether --rounds was given. */
  allRounds: boolean;
  cases: string[];
  peers: string[];
  against: string | undefined;
  bin: string | undefined;
  json: string | undefined;
}

function readOptions(): Options | null {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      cases: { type: "string" },
      peers: { type: "string" },
      against: { type: "string" },
      bin: { type: "string" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const { quick, against, bin, json } = values;
  const rounds = Number(values.rounds ?? (quick ? 1 : 5));
  if (!(Number.isInteger(rounds) && rounds >= 1)) throw new Error(`Cannot run "${values.rounds}" rounds`);
  const others = PEERS.map(({ name }) => name).filter((name) => name !== "before");
  const peers = against === undefined
    ? select("peer", values.peers, others)
    : ["tsecho", "before", ...select("peer", values.peers ?? "tsecho", others)];
  const cases = select("case", values.cases, CASES.map(({ name }) => name));
  return { quick, rounds, allRounds: values.rounds !== undefined, cases, peers, against, bin, json };
}

/** The cases and peers of which everything is installed, and what is left out, and why. */
interface Plan {
  cases: Case[];
  peers: Peer[];
  leftOut: string[];
}

async function makePlan(options: Options): Promise<Plan> {
  const leftOut: string[] = [];
  const isReady = async (name: string, needs: string[]): Promise<boolean> => {
    const missing: string[] = [];
    for (const program of needs) if (!await has(program)) missing.push(program);
    if (missing.length) leftOut.push(`${name}: ${missing.join(" and ")} is not installed`);
    return missing.length === 0;
  };
  const peers: Peer[] = [];
  for (const peer of PEERS) {
    if (options.peers.includes(peer.name) && await isReady(peer.name, peer.needs)) peers.push(peer);
  }
  const cases: Case[] = [];
  for (const one of CASES.filter(({ name }) => options.cases.includes(name))) {
    if (one.name === "start" && options.bin === undefined) {
      leftOut.push(`${one.name}: it needs the compiled tsecho, --bin PATH`);
    } else if (await isReady(one.name, PATH_NEEDS[one.path])) {
      cases.push(one);
    }
  }
  return { cases, peers, leftOut };
}

/** Peers that take part in a case; "before" does whatever tsecho does. */
function peersOf(one: Case, peers: Peer[]): Peer[] {
  return peers.filter(({ name }) => one.peers.includes(name === "before" ? "tsecho" : name));
}

/** Throws unless each server answers correctly on each path on which it will be measured. */
async function verifyAll({ cases, peers }: Plan, setup: Setup): Promise<void> {
  const broken: string[] = [];
  for (const peer of peers) {
    const paths = cases.filter((one) => peersOf(one, [peer]).length > 0).map((one) => one.path);
    for (const path of new Set<Path>(paths)) {
      if (!peer.server?.[path]) continue;
      await verify(peer, path, setup).catch((error) =>
        broken.push(`${peer.name}, ${path}: ${error.message}`)
      );
    }
  }
  if (broken.length) {
    throw new Error(`Cannot compare servers that do not answer rightly\n${broken.join("\n")}`);
  }
}

async function runRounds(result: CaseResult, peers: Peer[], setup: Setup, rounds: number): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    console.error(`${result.case.name}: round ${round} of ${rounds}`);
    for (const peer of round % 2 === 1 ? peers : peers.toReversed()) {
      const cell = result.cells.find((candidate) => candidate.peer === peer.name)!;
      let measured: Measurement | null = null;
      try {
        measured = await result.case.measure(peer, setup);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        console.error(`  ${peer.name} failed: ${reason}`);
        cell.errors.push(reason);
      }
      cell.rounds.push(measured);
    }
  }
}

/** Runs a case's rounds, and, while it is slower than before, again. */
async function runCase(one: Case, all: Peer[], setup: Setup, rounds: number): Promise<CaseResult> {
  const peers = peersOf(one, all);
  const cells = peers.map(({ name }) => ({ peer: name, rounds: [], errors: [] }));
  const result: CaseResult = { case: one, cells, attempts: [] };
  do {
    await runRounds(result, peers, setup, rounds);
    if (setup.before === undefined) break;
    result.attempts.push(speed(result, result.attempts.length * rounds));
  } while (result.attempts.length < ATTEMPTS && result.attempts.at(-1)! < MIN_SPEED);
  return result;
}

function roundsOf(one: Case, { allRounds, quick, rounds }: Options): number {
  return one.rounds === undefined || allRounds ? rounds : quick ? 5 : one.rounds;
}

async function bench(): Promise<number> {
  const options = readOptions();
  if (!options) {
    console.log(HELP);
    return 0;
  }
  if (!await has("gcc")) throw new Error("Cannot build the load generator: gcc is missing");
  const info = await machine();
  const plan = await makePlan(options);
  const directory = await Deno.makeTempDir({ prefix: "tsecho-bench-" });
  try {
    await build(directory, { go: await has("go"), openssl: await has("openssl") });
    const setup: Setup = {
      directory,
      load: `${directory}/load`,
      tlsLoad: `${directory}/tls_load`,
      bin: options.bin,
      before: options.against,
      duration: options.quick ? 0.5 : 2,
      warmup: options.quick ? 0.3 : 1,
    };
    await verifyAll(plan, setup);
    const before = await cpuTicks();
    const results: CaseResult[] = [];
    for (const one of plan.cases) {
      if (peersOf(one, plan.peers).length === 0) continue;
      results.push(await runCase(one, plan.peers, setup, roundsOf(one, options)));
    }
    const { all, stolen } = await cpuTicks();
    const stolenPercent = 100 * (stolen - before.stolen) / (all - before.all);
    return await report(options, plan, results, info, stolenPercent);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Prints everything, and returns the exit code: 1 when a round failed, 3 when tsecho is slower than before. */
async function report(
  options: Options,
  { peers, leftOut }: Plan,
  results: CaseResult[],
  info: Record<string, string>,
  stolenPercent: number,
): Promise<number> {
  const tsechoIs = options.bin === undefined ? "run from its sources" : "compiled";
  const judged = judge(results);
  const failed = results.flatMap(({ case: { name }, cells }) =>
    cells.flatMap(({ peer, errors }) => errors.map((error) => `${name}, ${peer}: ${error}`))
  );
  const compared = options.against === undefined ? null : comparison(results);
  const parts = [
    Object.entries(info).map(([name, value]) => `${name}: ${value}`).join("; ") + ".\n",
    `tsecho ${tsechoIs}; medians of ${options.rounds} rounds; in brackets the ratio tsecho ÷ peer. ` +
    `Of the machine's CPU time during the run, ${stolenPercent.toFixed(1)} % went to other machines.\n`,
    tables(results, peers.map(({ name }) => name)) + "\n",
    compared?.text ?? "",
    list("The cases", results.map(({ case: { name, load } }) => `${name}: ${load}`)),
    goals(judged),
    list("\nCPU of the load generator, % of a core", generatorReport(results)),
    list("Left out", leftOut),
    list("Failed", failed),
  ];
  console.log(parts.filter((part) => part !== "").join("\n"));
  if (options.json !== undefined) {
    const cases = results.map(({ case: { name, load, unit }, cells, attempts }) => {
      return { name, load, unit, peers: cells, attempts };
    });
    const all = { machine: info, tsecho: tsechoIs, stolenPercent, cases, bounds: judged, leftOut };
    await Deno.writeTextFile(options.json, JSON.stringify(all, null, 2) + "\n");
  }
  return failed.length ? 1 : compared?.slower.length ? 3 : 0;
}

if (import.meta.main) await main("bench", bench);
