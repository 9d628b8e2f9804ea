/** What the benchmark measures, and its goals. */

import type { Path, Peer, Setup } from "./peers.ts";
import {
  cpuSeconds,
  type LoadResult,
  residentKib,
  run,
  runLoad,
  type Server,
  sleep,
  startServer,
} from "./tools.ts";

/** One figure in the case's unit, with what the load generator saw if it was used: µs, share of a core. */
export interface Measurement {
  value: number;
  p50?: number | undefined;
  p99?: number | undefined;
  cpu?: number | undefined;
  /** What `value` counts, for each second of a core that the server takes. */
  perCpu?: number | undefined;
}

export interface Case {
  name: string;
  load: string;
  unit: string;
  /** The table that shows it. */
  group: "TCP" | "TLS" | "Unix sockets, UDP, PROXY" | "Connect and first reply" | "Programs";
  /** What the servers listen on. */
  path: Path;
  peers: string[];
  lowerIsBetter?: true;
  /** What is compared with an earlier tsecho, where the value itself differs too much from run to run. */
  compared?: "p50";
  /** Where not the command line's. */
  rounds?: number;
  measure: (peer: Peer, setup: Setup) => Promise<Measurement>;
}

const SERVERS = ["tsecho", "C", "Go", "Node", "Deno node:net", "asyncio"];
const WITH_C = ["tsecho", "C", "Go"];
const WITH_GO = ["tsecho", "Go"];
const WITH_HANDLE = ["tsecho", "Go", "Deno TLS"];

const HANDSHAKES = "connect, full handshake, one line, close";

export const CASES: Case[] = [
  steady("one line at a time", "tcp", SERVERS, 1, 1, 32),
  steady("ping-pong", "tcp", [...SERVERS, "ncat", "socat"], 50, 1, 32),
  steady("pipelined", "tcp", SERVERS, 50, 32, 32),
  steady("bulk", "tcp", SERVERS, 10, 256, 32),
  steady("long lines", "tcp", SERVERS, 4, 16, 4096),
  idle("idle memory", "tcp", SERVERS, 10_000),
  {
    name: "connect storm",
    load: "10,000 connects at once, one line each",
    unit: "ms",
    group: "TCP",
    path: "tcp",
    peers: SERVERS,
    lowerIsBetter: true,
    measure: connectStorm,
  },
  churn("churn", "tcp", SERVERS, "connect, one line, close"),

  steady("tls ping-pong", "tls", WITH_HANDLE, 50, 1, 64),
  steady("tls pipelined", "tls", WITH_HANDLE, 50, 32, 64),
  steady("tls bulk", "tls", WITH_HANDLE, 10, 256, 64),
  steady("tls long lines", "tls", WITH_HANDLE, 4, 16, 4096),
  idle("tls idle memory", "tls", WITH_HANDLE, 1000),
  churn("tls churn", "tls", WITH_GO, HANDSHAKES),

  steady("unix ping-pong", "unix", WITH_C, 50, 1, 32),
  steady("unix pipelined", "unix", WITH_C, 50, 32, 32),
  steady("udp ping-pong", "udp", WITH_GO, 50, 1, 32),
  steady("proxy ping-pong", "proxy", WITH_GO, 50, 1, 32),
  churn("proxy churn", "proxy", WITH_GO, "connect, PROXY header (version 1, 2 in turn), one line, close"),

  firstReply("tcp", WITH_C, "connect, one line, close"),
  firstReply("tls", WITH_GO, HANDSHAKES),
  firstReply("unix", WITH_C, "connect, one line, close"),

  {
    name: "piped client",
    load: "1,000,000 lines of 64 B from a file through the client to the C server and back",
    unit: "lines/s",
    group: "Programs",
    path: "tcp",
    peers: ["tsecho", "ncat", "socat"],
    measure: pipedClient,
  },
  {
    name: "start",
    load: "tsecho --version, compiled, against node -e 0",
    unit: "ms",
    group: "Programs",
    path: "tcp",
    peers: ["tsecho", "Node"],
    lowerIsBetter: true,
    rounds: 20,
    measure: startTime,
  },
];

/** A goal: the ratio tsecho ÷ peer, or, where the peer is tsecho itself, its own figure. */
export interface Bound {
  case: string;
  peer: string;
  least?: number;
  most?: number;
}

/** µs: a first reply that Nagle's algorithm held back would take 40 ms. */
const MAX_FIRST_REPLY = 20_000;

export const BOUNDS: Bound[] = [
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
  { case: "tls ping-pong", peer: "Go", least: 0.5 },
  { case: "tls pipelined", peer: "Go", least: 0.7 },
  { case: "tls bulk", peer: "Go", least: 0.8 },
  { case: "tls long lines", peer: "Go", least: 0.45 },
  { case: "tls idle memory", peer: "tsecho", most: 40 },
  { case: "tls churn", peer: "Go", least: 0.5 },
  { case: "first reply tcp", peer: "tsecho", most: MAX_FIRST_REPLY },
  { case: "first reply tls", peer: "tsecho", most: MAX_FIRST_REPLY },
  { case: "first reply tls", peer: "Go", most: 3 },
  { case: "first reply unix", peer: "tsecho", most: MAX_FIRST_REPLY },
  { case: "piped client", peer: "ncat", least: 1.0 },
  { case: "piped client", peer: "socat", least: 1.0 },
  { case: "start", peer: "Node", most: 1.2 },
];

// The kinds of cases.

function groupOf(path: Path): Case["group"] {
  return path === "tcp" ? "TCP" : path === "tls" ? "TLS" : "Unix sockets, UDP, PROXY";
}

/**
 * `conns` connections that keep `inflight` lines of `size` bytes, LF included, under way; over TLS they send these at
 * once and wait for all replies.
 */
function steady(
  name: string,
  path: Path,
  peers: string[],
  conns: number,
  inflight: number,
  size: number,
): Case {
  const [what, unit] = path === "udp" ? ["datagram", "datagrams/s"] : ["line", "lines/s"];
  const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  const how = path === "tls" && inflight > 1 ? "at once" : "in flight";
  return {
    name,
    load: `${plural(conns, "connection")}, ${plural(inflight, what)} ${how} each, ${size} B`,
    unit,
    group: groupOf(path),
    path,
    peers,
    measure: rate(path, `steady --conns ${conns} --inflight ${inflight} --size ${size}`),
  };
}

function churn(name: string, path: Path, peers: string[], cycle: string): Case {
  return {
    name,
    load: `${cycle}, 50 at a time`,
    unit: "connections/s",
    group: groupOf(path),
    path,
    peers,
    measure: rate(path, "churn --conns 50 --size 32"),
  };
}

/** A user's first reply without other load: p99 from connect to reply, one connection at a time. */
function firstReply(path: Path, peers: string[], cycle: string): Case {
  const connects = rate(path, "churn --conns 1 --size 32");
  return {
    name: `first reply ${path}`,
    load: `${cycle}, one at a time; p99 from connect to reply`,
    unit: "µs",
    group: "Connect and first reply",
    path,
    peers,
    lowerIsBetter: true,
    compared: "p50",
    measure: async (peer, setup) => {
      const { p50, p99 = NaN, cpu } = await connects(peer, setup);
      return { value: p99, p50, p99, cpu };
    },
  };
}

function idle(name: string, path: Path, peers: string[], conns: number): Case {
  return {
    name,
    load: `${conns.toLocaleString("en")} connections, one line exchanged on each`,
    unit: "KiB resident each",
    group: groupOf(path),
    path,
    peers,
    lowerIsBetter: true,
    measure: (peer, setup) => idleMemory(peer, setup, path, conns),
  };
}

// How they are measured.

async function withServer<T>(command: string[], use: (server: Server) => Promise<T>): Promise<T> {
  const server = await startServer(command);
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

function serverOf(peer: Peer, setup: Setup, path: Path): string[] {
  const command = peer.server?.[path];
  if (!command) throw new Error(`${peer.name} has no server for ${path}`);
  return command(setup);
}

/** tsecho's default limit leaves no room beyond 10,000 connections. */
export function withRoom(peer: Peer, command: string[]): string[] {
  return peer.name === "tsecho" || peer.name === "before" ? [...command, "--max-conns", "12000"] : command;
}

function loadFor(path: Path, setup: Setup): string {
  return path === "tls" ? setup.tlsLoad : setup.load;
}

function seen(value: number, { p50_us, p99_us, cpu }: LoadResult): Measurement {
  return { value, p50: p50_us, p99: p99_us, cpu };
}

function rate(path: Path, load: string) {
  return (peer: Peer, setup: Setup): Promise<Measurement> => {
    const { duration, warmup } = setup;
    const options = ["--duration", String(duration), "--warmup", String(warmup)];
    if (path === "proxy") options.push("--proxy");
    return withServer(serverOf(peer, setup, path), async ({ endpoint, pid }) => {
      const loading = runLoad(loadFor(path, setup), endpoint, [...load.split(" "), ...options]);
      if (path !== "tls" || load.startsWith("churn")) return seen((await loading).rate, await loading);
      // Other work takes both from a rate, the time of a core and the load; from this it takes only the caches.
      const cores = coresOf(pid, warmup + duration / 4, duration / 2);
      const result = await loading;
      return { ...seen(result.rate, result), perCpu: result.rate / await cores };
    });
  };
}

/** How many cores a process takes in a while; all in seconds. */
async function coresOf(pid: number, delay: number, seconds: number): Promise<number> {
  await sleep(delay * 1000);
  const [begin, before] = [performance.now(), await cpuSeconds(pid)];
  await sleep(seconds * 1000);
  return (await cpuSeconds(pid) - before) / ((performance.now() - begin) / 1000);
}

/** Throws unless the server stamps and returns every byte of what it gets. */
export async function verify(peer: Peer, path: Path, setup: Setup): Promise<void> {
  const load = "steady --conns 4 --size 300 --duration 0.2 --warmup 0 --verify".split(" ");
  if (path !== "udp") load.push("--inflight", "16");
  if (path === "proxy") load.push("--proxy");
  await withServer(serverOf(peer, setup, path), ({ endpoint }) => {
    return runLoad(loadFor(path, setup), endpoint, load);
  });
}

function idleMemory(peer: Peer, setup: Setup, path: Path, conns: number): Promise<Measurement> {
  return withServer(withRoom(peer, serverOf(peer, setup, path)), async ({ endpoint, pid }) => {
    await sleep(300); // let it finish starting
    const before = await residentKib(pid);
    let after = NaN;
    const hold = async () => {
      await sleep(1000); // let a garbage collector have its turn
      after = await residentKib(pid);
    };
    const result = await runLoad(loadFor(path, setup), endpoint, ["idle", "--conns", String(conns)], hold);
    return seen((after - before) / conns, result);
  });
}

function connectStorm(peer: Peer, setup: Setup): Promise<Measurement> {
  return withServer(withRoom(peer, serverOf(peer, setup, "tcp")), async ({ endpoint }) => {
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
