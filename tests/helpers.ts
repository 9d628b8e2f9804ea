/** What the tests share: processes with a deadline on each wait, and the command under test. */
import { assert, assertEquals } from "@std/assert";
import { existsSync } from "node:fs";
import config from "../deno.json" with { type: "json" };
import { parsePort } from "../net/endpoint.ts";
import { COMMANDS } from "../commands/tsecho.ts";
import { granted, LONG } from "./harness.ts";
import { InProcess } from "./in_process.ts";

export const ROOT = new URL("..", import.meta.url).pathname;
export const TESTDATA = new URL("testdata/", import.meta.url).pathname;

const binary = granted("env") && granted("read") ? Deno.env.get("TSECHO_BIN") : undefined;
const bundle = granted("env") && granted("read") ? Deno.env.get("TSECHO_MAIN") : undefined;
const main = ROOT + (bundle !== undefined && existsSync(ROOT + bundle) ? bundle : "main.ts");
/**
 * The command under test: the binary that TSECHO_BIN names, or else what `deno task tsecho` runs. Of the sources
 * `deno task test` makes a bundle, which TSECHO_MAIN names: it starts in half the time.
 */
export const TSECHO: string[] = binary !== undefined
  ? [Deno.realPathSync(binary)]
  : [Deno.execPath(), ...config.tasks.tsecho.command.split(" ").slice(1, -1), main];

/** No wait of a test is longer; the slowest step takes a tenth of it. */
const DEADLINE_MS = 60_000;

/** The promise's value, or an error that says what did not happen in time. */
export async function within<T>(promise: Promise<T>, what: string | (() => string)): Promise<T> {
  let timer;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`waited ${DEADLINE_MS} ms for ${typeof what === "string" ? what : what()}`)),
      DEADLINE_MS,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until `condition` holds, looking again and again. */
export async function eventually(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  while (!await condition()) {
    assert(performance.now() < end, `waited ${DEADLINE_MS} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What a stream has brought so far, as text. */
export class Collected {
  text = "";
  readonly done: Promise<void>;
  #changed = Promise.withResolvers<void>();

  constructor(stream: ReadableStream<Uint8Array>) {
    this.done = this.#collect(stream);
  }

  /** Waits until the text matches, from `from` on. */
  async until(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    let ended = false;
    this.done.then(() => ended = true);
    for (;;) {
      const match = pattern.exec(this.text.slice(from));
      if (match !== null) return match;
      const unseen = () => `${pattern} in ${JSON.stringify(this.text.slice(from).slice(-2000))}`;
      assert(!ended, `the stream ended without ${unseen()}`);
      await within(Promise.race([this.#changed.promise, this.done]), unseen);
    }
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      this.text += decoder.decode(bytes, { stream: true });
      const changed = this.#changed;
      this.#changed = Promise.withResolvers();
      changed.resolve();
    }
  }
}

/**
 * A command line whose program is Python, by its own path: `python3` may be a shim, whose search for it costs more than
 * the script that it runs. The environment holds the path for all files of a run. None of the scripts needs what `site`
 * loads, which costs as much again.
 */
function withPython(command: string[]): string[] {
  let path = Deno.env.get("TSECHO_PYTHON");
  if (path === undefined) {
    const args = ["-c", "import sys; print(sys.executable)"];
    const { success, stdout } = new Deno.Command("python3", { args, stderr: "inherit" }).outputSync();
    assert(success, "python3 does not run");
    path = new TextDecoder().decode(stdout).trim();
    Deno.env.set("TSECHO_PYTHON", path);
  }
  return [path, "-S", ...command.slice(1)];
}

/**
 * What each process has in its environment. Half a second after its start `deno run` looks for a newer release wherever
 * that was not done today: it resolves a name, which a test may take for its own, and works while others measure.
 */
const OWN_ENV = { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };

function spawn(command: string[], env: Record<string, string>): Deno.ChildProcess {
  const [program, ...args] = command[0] === "python3" ? withPython(command) : command;
  const pipes = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  return new Deno.Command(program!, { args, env: { ...OWN_ENV, ...env }, ...pipes }).spawn();
}

/**
 * A process with pipes, or a command that runs in this one. At the end of its scope it is killed if it has not ended by
 * itself.
 */
export class Running implements AsyncDisposable {
  readonly stdout: Collected;
  readonly stderr: Collected;
  readonly #child: InProcess | Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #ended = false;

  constructor(command: string[] | InProcess, env: Record<string, string> = {}) {
    this.#child = command instanceof InProcess ? command : spawn(command, env);
    this.stdout = new Collected(this.#child.stdout);
    this.stderr = new Collected(this.#child.stderr);
    this.#input = this.#child.stdin.getWriter();
    this.#input.closed.catch(() => {}); // a process may end before it has read all
  }

  get pid(): number {
    return this.#child.pid;
  }

  async write(text: string): Promise<void> {
    await within(
      this.#input.write(new TextEncoder().encode(text)).catch(() => {}),
      "the process to read its stdin",
    );
  }

  async closeInput(): Promise<void> {
    await this.#input.close().catch(() => {});
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** The exit code; all output has arrived by then. */
  async code(): Promise<number> {
    const { code } = await within(
      this.#child.status,
      () => `the process to end; stderr: ${this.stderr.text}`,
    );
    this.#ended = true;
    await within(Promise.all([this.stdout.done, this.stderr.done]), "the end of stdout and stderr");
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeInput();
    if (!this.#ended) {
      try {
        this.#child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
    await this.code();
  }
}

/** How a finished process ended. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end with `input` as its stdin. */
export async function run(
  command: string[] | InProcess,
  input = "",
  env: Record<string, string> = {},
): Promise<Outcome> {
  await using process = new Running(command, env);
  await process.write(input);
  await process.closeInput();
  const code = await process.code();
  return { code, stdout: process.stdout.text, stderr: process.stderr.text };
}

/** A command that has begun in this process; its command line where it needs one of its own. */
function begun(args: string[]): InProcess | string[] {
  const here = LONG || binary !== undefined ? undefined : InProcess.start(args);
  return here ?? [...TSECHO, ...args];
}

/**
 * Runs tsecho to its end: in this process where that shows the same, or else, with variables for its environment, against a
 * binary and in `deno task test-long`, in one of its own. A load has its own because it changes its environment for good.
 */
export function tsecho(args: string[], input = "", env?: Record<string, string>): Promise<Outcome> {
  const isLoad = args[0] === "load" && !args.includes("--from");
  const isHere = env === undefined && Object.hasOwn(COMMANDS, args[0] ?? "") && !isLoad;
  return run(isHere ? begun(args) : [...TSECHO, ...args], input, env);
}

/** Runs a command line of any command that cannot be: a table of many such cases needs no process for each. */
export function failing(args: string[]): Promise<Outcome> {
  return run(begun(args));
}

/** Runs one of the Python programs in testdata to its end, which must be a good one. */
export async function python(script: string, ...args: (string | number)[]): Promise<Outcome> {
  const outcome = await run(["python3", `${TESTDATA}${script}.py`, ...args.map(String)]);
  assert(outcome.code === 0, `${script} failed: ${outcome.stderr}`);
  return outcome;
}

/** What `tsecho server` is told, and what it prints once it listens. */
function serverCommand(args: string[]): [args: string[], printed: RegExp] {
  const endpoints = args.filter((arg) => /^(?:\w+:\/\/|unix:)/.test(arg));
  const named = endpoints.length > 0 || args.some((arg) => arg === "--port" || arg === "--host");
  const listening = `(?:listening on .*\n){${Math.max(1, endpoints.length)}}`;
  return [["server", ...(named ? [] : ["tcp://127.0.0.1:0"]), ...args], new RegExp(listening)];
}

/**
 * A tsecho server that listens on 127.0.0.1, or on what `args` name, on a free port; for tests of what talks to it, so that
 * it needs no process of its own.
 */
export class ServerPeer extends Running {
  port = 0;

  static async start(args: string[] = []): Promise<ServerPeer> {
    const [command, printed] = serverCommand(args);
    const here = begun(command);
    const server = new ServerPeer(here);
    await server.listening(printed);
    if (here instanceof InProcess) here.release();
    return server;
  }

  protected async listening(printed: RegExp): Promise<void> {
    await this.stdout.until(printed);
    this.port = this.endpoints().find((it) => it.port > 0)?.port ?? 0;
  }

  /** What it listens on, in the order in which it was named; the port is 0 for a Unix socket. */
  endpoints(): { url: string; port: number }[] {
    return [...this.stdout.text.matchAll(/^listening on (.*?(?::(\d+))?)$/gm)]
      .map(([, url, port]) => ({ url: url!, port: port === undefined ? 0 : parsePort(port, 1) }));
  }

  /** The endpoint of a scheme, as a client on this machine names it; the first if there are several. */
  url(scheme: string): string {
    const found = this.endpoints().find(({ url }) => url.startsWith(`${scheme}:`));
    assert(found !== undefined, `no ${scheme} in ${this.stdout.text}`);
    return found.url.replace("[::]", "localhost").replace("0.0.0.0", "127.0.0.1");
  }

  /** The port of the endpoint of a scheme. */
  portOf(scheme: string): number {
    return Number(/\d+$/.exec(this.url(scheme))![0]);
  }

  /** Connects from within the test. */
  connect(hostname = "127.0.0.1"): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname, port: this.port });
  }

  /** Asks it to end, and waits until it has. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    this.kill(signal);
    return await this.code();
  }
}

/** The same in a process of its own, in any case. */
export class ServerProcess extends ServerPeer {
  /** @param wrap a command line to put in front of tsecho's. */
  static override async start(args: string[] = [], wrap: string[] = []): Promise<ServerProcess> {
    const [command, printed] = serverCommand(args);
    const server = new ServerProcess([...wrap, ...TSECHO, ...command]);
    await server.listening(printed);
    return server;
  }
}

/** A tsecho client, or another command, on a pseudo-terminal. */
export class Terminal extends Running {
  #seen = 0;

  constructor(command: string[]) {
    super(["python3", `${TESTDATA}on_terminal.py`, ...command]);
  }

  /** Waits for what the terminal is to show next, cursor movements left out of sight of the pattern. */
  async shows(pattern: string | RegExp): Promise<void> {
    const source = typeof pattern === "string"
      ? pattern.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
      : pattern.source;
    const match = await this.stdout.until(new RegExp(source), this.#seen);
    this.#seen += match.index + match[0].length;
  }
}

/** An address where nobody listens: a port that was free a moment ago may be another test's by now. */
export const REFUSING = "127.0.0.1:1";

/**
 * A free port, for what cannot pick one and say which, or has to have it again after a restart. It is below those that
 * the kernel gives to other tests meanwhile.
 */
export function freePort(hostname = "127.0.0.1", transport: "tcp" | "udp" = "tcp"): number {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 15_000);
    try {
      const socket = transport === "udp"
        ? Deno.listenDatagram({ transport, hostname, port })
        : Deno.listen({ hostname, port });
      socket.close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** Reads to the end of a connection, which stays open for writing; the deadline is on each read. */
export async function readAll(conn: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(65536);
  const decoder = new TextDecoder();
  let text = "";
  for (let n; (n = await within(conn.read(buffer), "the end of the connection")) !== null;) {
    text += decoder.decode(buffer.subarray(0, n), { stream: true });
  }
  return text;
}

/** Reads one line, and no byte more, one at a time: for few and short replies. */
export async function readLine(conn: Deno.Conn): Promise<string> {
  const byte = new Uint8Array(1);
  let line = "";
  while (!line.endsWith("\n")) {
    if (await within(conn.read(byte), `a line; so far ${JSON.stringify(line)}`) === null) break;
    line += String.fromCharCode(byte[0]!);
  }
  return line;
}

/** Asserts that a line is answered; by then the server has read what came before on other connections, too. */
export async function assertServes(conn: Deno.Conn, text = "are you there?\n"): Promise<void> {
  await send(conn, text);
  assertEquals(unstamped(await readLine(conn)), text);
}

export async function send(conn: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) {
    sent += await within(conn.write(bytes.subarray(sent)), "the peer to read");
  }
}

/** A reply's text without its iso stamp; fails if there is none. */
export function unstamped(reply: string): string {
  const match = /^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\] /.exec(reply);
  assert(match !== null, `no stamp in ${JSON.stringify(reply)}`);
  return reply.slice(match[0].length);
}

/** Resident memory of a process in KiB, from the kernel; `VmHWM` is its peak. */
export async function residentKiB(pid: number, field: "VmRSS" | "VmHWM" = "VmRSS"): Promise<number> {
  // Deno lets a program read /proc only with all permissions; cat needs none.
  const { stdout } = await run(["cat", `/proc/${pid}/status`]);
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(stdout)![1]);
}

/** Processor time that a process has used, in seconds, to a hundredth. */
export async function cpuSeconds(pid: number): Promise<number> {
  const { stdout } = await run(["cat", `/proc/${pid}/stat`]);
  const fields = stdout.slice(stdout.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The bytes of an ASCII text. */
export function ascii(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text).slice();
}

/** A PROXY protocol header, version 2: by default from 1.1.1.1:257 over TCP and IPv4. */
export function proxyV2(
  { command = 0x21, family = 0x11, addresses = Array(12).fill(1), tlvs = 0 }: {
    command?: number;
    family?: number;
    addresses?: number[];
    tlvs?: number;
  },
): Uint8Array<ArrayBuffer> {
  const length = addresses.length + tlvs;
  const fixed = [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, command, family];
  return Uint8Array.from([...fixed, length >> 8, length & 255, ...addresses, ...Array(tlvs).fill(4)]);
}

/** A folder of its own for a test; it goes at the end of the scope. */
export class Folder implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async make(): Promise<Folder> {
    return new Folder(await Deno.makeTempDir({ prefix: "tsecho-" }));
  }

  /** The path of a file in it. */
  file(name: string): string {
    return `${this.path}/${name}`;
  }

  /** The names of all that is in it, sorted. */
  async names(): Promise<string[]> {
    const entries = await Array.fromAsync(Deno.readDir(this.path));
    return entries.map(({ name }) => name).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** Whether there is something of this name; a link may lead to nothing. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** Puts the certificates of testdata into a folder; see make.sh there. */
export async function copyCertificates(folder: Folder): Promise<void> {
  for await (const { name } of Deno.readDir(`${TESTDATA}certificates`)) {
    if (!/\.(?:pem|key)$/.test(name)) continue;
    await Deno.writeFile(folder.file(name), await Deno.readFile(`${TESTDATA}certificates/${name}`), {
      mode: 0o600,
    });
  }
}

/** Open descriptors of a process. */
export async function descriptors(pid: number): Promise<number> {
  const { stdout } = await run(["ls", `/proc/${pid}/fd`]);
  return stdout.trim().split("\n").length;
}

/** Binds a free port, says which, and becomes HAProxy: a port that was free a moment ago may be another test's by then. */
const HAPROXY = `import os, socket, sys
front = socket.create_server(("127.0.0.1", 0), backlog=128)
front.set_inheritable(True)
os.environ["FRONT"] = "fd@%d" % front.fileno()
print(front.getsockname()[1], flush=True)
os.execvp("haproxy", ["haproxy", "-db", "-f", sys.argv[1]])`;

/** HAProxy with a config, on a free port in place of the one that the config names; connections wait until it is up. */
export async function startHaproxy(
  config: string,
  file: string,
): Promise<{ process: Running; port: number }> {
  await Deno.writeTextFile(file, `${config.replace(/(?<=bind )\S*:\d+/, '"${FRONT}"')}\n`);
  const process = new Running(["python3", "-c", HAPROXY, file]);
  const [, port] = await process.stdout.until(/^(\d+)\n/);
  return { process, port: Number(port) };
}
