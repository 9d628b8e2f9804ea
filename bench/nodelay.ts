/**
 * Checks that every TCP socket which tsecho opens or accepts gets TCP_NODELAY: server, client and ping, over TCP and TLS.
 *
 *     deno task check-nodelay [--bin PATH]
 *
 * strace records the system calls; a connection whose setsockopt is missing is named, and the exit code is 1. Without
 * strace the check is skipped and says so.
 */
import { parseArgs } from "node:util";
import { makeCertificate } from "./peers.ts";
import { has, main, run, sleep, startServer, tsecho } from "./tools.ts";

/** A system call of a trace; `at` is its beginning in seconds, `result` what it returned. */
interface Call {
  at: number;
  name: string;
  args: string;
  result: string;
}

/** A connected or accepted TCP socket. */
interface Socket {
  how: string;
  hasNoDelay: boolean;
}

/** The command under strace, which runs beside it: the process started is the command, and signals reach it. */
function traced(trace: string, command: string[]): string[] {
  const calls = "trace=socket,connect,accept,accept4,setsockopt,close";
  return ["strace", "-D", "-ff", "-ttt", "-e", calls, "-o", trace, ...command];
}

/** Reads the traces of a process's threads (strace writes a file each), ordered by time, once its end is in them. */
async function readCalls(directory: string, trace: string): Promise<Call[]> {
  for (let tries = 0; tries < 100; tries++) {
    const names = Array.from(Deno.readDirSync(directory), ({ name }) => name);
    const files = names.filter((name) => name.startsWith(`${trace}.`));
    const texts = await Promise.all(files.map((name) => Deno.readTextFile(`${directory}/${name}`)));
    if (texts.length === 0 || !texts.every((text) => /\+\+\+ (exited|killed)/.test(text))) {
      await sleep(100); // strace is still writing
      continue;
    }
    return texts.flatMap((text) => text.split("\n")).flatMap((line) => {
      const [, at, name, args, result] = line.match(/^(\S+) (\w+)\((.*)\)\s+= (.*)$/) ?? [];
      return at && name && args !== undefined && result ? [{ at: Number(at), name, args, result }] : [];
    }).sort((a, b) => a.at - b.at);
  }
  throw new Error(`Cannot read the trace of ${trace}: strace did not finish it`);
}

/** Every TCP socket that was connected or accepted. */
function tcpSockets(calls: Call[]): Socket[] {
  const all: Socket[] = [];
  const open = new Map<number, Socket>(); // by descriptor
  const datagrams = new Set<number>();
  const noDelay = new Set<number>(); // it may be set before the connect
  const add = (fd: number, how: string) => {
    const socket = { how, hasNoDelay: noDelay.has(fd) };
    open.set(fd, socket);
    all.push(socket);
  };
  for (const { name, args, result } of calls) {
    const fd = parseInt(args);
    if (name === "close") {
      open.delete(fd);
      datagrams.delete(fd);
      noDelay.delete(fd);
    } else if (name === "socket" && args.includes("SOCK_DGRAM")) {
      datagrams.add(parseInt(result));
    } else if (name.startsWith("accept") && /^\d/.test(result) && args.includes("sa_family=AF_INET")) {
      add(parseInt(result), `accept(${args})`);
    } else if (name === "connect" && args.includes("sa_family=AF_INET") && !datagrams.has(fd)) {
      if (result.startsWith("0") || result.includes("EINPROGRESS")) add(fd, `connect(${args})`);
    } else if (name === "setsockopt" && /TCP_NODELAY, \[1\]/.test(args) && result.startsWith("0")) {
      noDelay.add(fd);
      const socket = open.get(fd);
      if (socket) socket.hasNoDelay = true;
    }
  }
  return all;
}

/** What was checked, a line for each program, and whether each of its sockets was in order. */
async function check(directory: string, bin: string | undefined, scheme: "tcp" | "tls"): Promise<boolean> {
  const [cert, key] = [`${directory}/cert.pem`, `${directory}/key.pem`];
  const own = scheme === "tls" ? ["--cert", cert, "--key", key] : [];
  const trust = scheme === "tls" ? ["--ca", cert] : [];
  const trace = (program: string) => `${directory}/${scheme}-${program}`;
  const server = await startServer(
    traced(trace("server"), tsecho(bin, "server", `${scheme}://127.0.0.1:0`, "--quiet", ...own)),
  );
  try {
    const { endpoint } = server;
    await run(traced(trace("client"), tsecho(bin, "client", endpoint, "--message", "hi", ...trust)));
    const often = ["-c", "3", "-i", "0.01", "--reconnect"];
    await run(traced(trace("ping"), tsecho(bin, "ping", endpoint, ...often, ...trust)));
  } finally {
    await server.stop();
  }
  let isGood = true;
  for (const program of ["server", "client", "ping"]) {
    const sockets = tcpSockets(await readCalls(directory, `${scheme}-${program}`));
    const lacking = sockets.filter(({ hasNoDelay }) => !hasNoDelay);
    const isRight = sockets.length > 0 && lacking.length === 0;
    console.log(
      `${isRight ? "ok    " : "FAILED"} ${scheme} ${program}: ${sockets.length - lacking.length} of ` +
        `${sockets.length} sockets have TCP_NODELAY`,
    );
    for (const { how } of lacking) console.log(`         without: ${how}`);
    isGood &&= isRight;
  }
  return isGood;
}

async function checkAll(): Promise<number> {
  const { values } = parseArgs({ options: { bin: { type: "string" } } });
  for (const program of ["strace", "openssl"]) {
    if (await has(program)) continue;
    console.log(`SKIPPED: whether sockets have TCP_NODELAY, because ${program} is not installed`);
    return 0;
  }
  const directory = await Deno.makeTempDir({ prefix: "tsecho-nodelay-" });
  try {
    await makeCertificate(directory);
    let isGood = true;
    for (const scheme of ["tcp", "tls"] as const) {
      if (!await check(directory, values.bin, scheme)) isGood = false;
    }
    return isGood ? 0 : 1;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

if (import.meta.main) await main("check-nodelay", checkAll);
