/** What the tests share: processes with a deadline on each wait, and the command under test. */
import { assert } from "@std/assert";
import { parsePort } from "../net/endpoint.ts";

export const ROOT = new URL("..", import.meta.url).pathname;
export const TESTDATA = new URL("testdata/", import.meta.url).pathname;

const binary = Deno.env.get("TSECHO_BIN");
/** The command under test: the binary that TSECHO_BIN names, or else `deno run` with the binary's permissions. */
export const TSECHO: string[] = binary !== undefined ? [await Deno.realPath(binary)] : [
  Deno.execPath(),
  "run",
  "--no-prompt",
  "--unstable-net",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-run=/usr/bin/getconf",
  `${ROOT}main.ts`,
];

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

/** A process with pipes. At the end of its scope it is killed if it has not ended by itself. */
export class Running implements AsyncDisposable {
  readonly stdout: Collected;
  readonly stderr: Collected;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #ended = false;

  constructor(command: string[], env: Record<string, string> = {}) {
    this.#child = new Deno.Command(command[0]!, {
      args: command.slice(1),
      env: { NO_COLOR: "1", ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
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
export async function run(command: string[], input = "", env: Record<string, string> = {}): Promise<Outcome> {
  await using process = new Running(command, env);
  await process.write(input);
  await process.closeInput();
  const code = await process.code();
  return { code, stdout: process.stdout.text, stderr: process.stderr.text };
}

/** Runs tsecho to its end. */
export function tsecho(args: string[], input = "", env: Record<string, string> = {}): Promise<Outcome> {
  return run([...TSECHO, ...args], input, env);
}

/** Runs one of the Python programs in testdata to its end, which must be a good one. */
export async function python(script: string, ...args: (string | number)[]): Promise<Outcome> {
  const outcome = await run(["python3", `${TESTDATA}${script}.py`, ...args.map(String)]);
  assert(outcome.code === 0, `${script} failed: ${outcome.stderr}`);
  return outcome;
}

/** A tsecho server that listens on 127.0.0.1, or on what `args` name, on a free port. */
export class ServerProcess extends Running {
  port = 0;

  /** @param wrap a command line to put in front of tsecho's. */
  static async start(args: string[] = [], wrap: string[] = []): Promise<ServerProcess> {
    const named = args.some((arg) => arg === "--port" || arg === "--host" || arg.includes("://"));
    const command = [...wrap, ...TSECHO, "server", ...(named ? [] : ["tcp://127.0.0.1:0"]), ...args];
    const server = new ServerProcess(command);
    const [, port] = await server.stdout.until(/^listening on \S+:(\d+)\n/m);
    server.port = parsePort(port!);
    return server;
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

/** Test options for a test that needs a program: left out, and said aloud, where it is missing. */
export async function needs(...programs: string[]): Promise<{ ignore: boolean }> {
  for (const program of programs) {
    const { code } = await run(["sh", "-c", `command -v ${program}`]);
    if (code !== 0) {
      console.log(`skipped: tests that need ${program}, which is not installed`);
      return { ignore: true };
    }
  }
  return { ignore: false };
}
