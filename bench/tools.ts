/** What the benchmark and the soak test share: building, starting servers, generating load, sampling memory. */

import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));

/** A path in this folder. */
export function path(name: string): string {
  return here + name;
}

/** How tsecho is run from a checkout that is older than the task that says it. */
const BEFORE_THE_TASK =
  "deno run --no-prompt --allow-net --allow-read --allow-write --allow-env=TERM --allow-run=/usr/bin/getconf main.ts";

/**
 * The command that runs tsecho: a binary, or the sources of a checkout under the Deno that runs this (those around this
 * folder, unless `from` names another).
 */
export function tsecho(from: string | undefined, ...args: string[]): string[] {
  const isCheckout = from === undefined || Deno.statSync(from).isDirectory;
  if (!isCheckout) return [from, ...args];
  const folder = from ?? path("..");
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${folder}/deno.json`));
  // Each as it is run from its folder, with its own permissions and flags.
  const [, ...options] = (tasks.tsecho?.command ?? BEFORE_THE_TASK).split(" ").slice(0, -1);
  return [Deno.execPath(), ...options, `${folder}/main.ts`, ...args];
}

/** Runs a command to its end and returns its stdout; throws with its stderr when it fails. */
export async function run(command: string[], stdin: "null" | "inherit" = "null"): Promise<string> {
  const [program = "", ...args] = command;
  const { success, stdout, stderr } = await new Deno.Command(program, { args, stdin }).output();
  if (!success) throw new Error(decode(stderr).trim() || `Cannot run "${command.join(" ")}": it failed`);
  return decode(stdout);
}

/** Whether a program is installed. */
export async function has(program: string): Promise<boolean> {
  const command = new Deno.Command("sh", { args: ["-c", 'command -v "$0"', program], stdout: "null" });
  return (await command.output()).success;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Compiles a C program into `directory` and returns its path. */
export async function compile(source: string, directory: string): Promise<string> {
  const output = `${directory}/${source.replaceAll(/.*\/|\.c$/g, "")}`;
  await run(["gcc", "-O2", "-Wall", "-Wextra", "-o", output, path(source)]);
  return output;
}

/** A process whose stdout is read line by line. */
export interface Running {
  pid: number;
  /** The next line of stdout without its LF, or null at its end. */
  line(): Promise<string | null>;
  closeStdin(): Promise<void>;
  /** Sends SIGTERM, and SIGKILL when that has not helped for five seconds. */
  stop(): Promise<void>;
  /** Waits for the process to end and returns whether it succeeded, and its stderr if that is piped. */
  end(): Promise<{ success: boolean; error: string }>;
}

/** Starts a command with as many descriptors as the hard limit allows: 10,000 connections need them. */
export function start(command: string[], stderr: "inherit" | "piped" = "inherit"): Running {
  const child = new Deno.Command("sh", {
    args: ["-c", 'ulimit -n "$(ulimit -H -n)"; exec "$@"', "sh", ...command],
    stdin: "piped",
    stdout: "piped",
    stderr,
  }).spawn();
  const stdin = child.stdin.getWriter();
  const lines = readLines(child.stdout);
  const error = stderr === "piped" ? new Response(child.stderr).text() : Promise.resolve("");
  return {
    pid: child.pid,
    line: async () => (await lines.next()).value ?? null,
    closeStdin: () => stdin.close().catch(() => {}), // it may have ended by itself
    async stop() {
      const kill = (signal: Deno.Signal) => {
        try {
          child.kill(signal);
        } catch {
          // It has ended.
        }
      };
      kill("SIGTERM");
      const timer = setTimeout(() => kill("SIGKILL"), 5000);
      await child.status;
      clearTimeout(timer);
      await lines.return(undefined);
      await stdin.close().catch(() => {});
    },
    async end() {
      const { success } = await child.status;
      return { success, error: (await error).trim() };
    },
  };
}

async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

/** A server and where it listens. */
export interface Server extends Running {
  endpoint: string;
}

/** Starts a server and waits until it says where it listens. */
export async function startServer(command: string[]): Promise<Server> {
  const running = start(command);
  const line = await running.line();
  const endpoint = line?.match(/^listening on ((?:tcp|tls|udp):\/\/\S+|unix:\S+)$/)?.[1];
  if (endpoint === undefined) {
    await running.stop();
    throw new Error(`Cannot start "${command.join(" ")}": it said ${JSON.stringify(line)}`);
  }
  return { ...running, endpoint };
}

/** What the load generator reports; times in µs, `rate` per second, `cpu` in seconds for each second. */
export interface LoadResult {
  mode: string;
  seconds: number;
  count: number;
  rate: number;
  cpu: number;
  p50_us?: number;
  p99_us?: number;
  /** The generator's own lateness, of an open loop. */
  lag_p50_us?: number;
  lag_p99_us?: number;
  /** Until every connection had its first reply; seconds. Of steady and paced. */
  all_answered?: number;
  /** The server's CPU time in the measured part, where its process was named; seconds. */
  server_cpu?: number;
}

/** Runs the load generator, or a command that runs it, to its end. `whileHeld` runs while an idle load holds its connections. */
export async function runLoad(
  load: string | string[],
  endpoint: string,
  args: string[],
  whileHeld?: () => Promise<void>,
): Promise<LoadResult> {
  const [mode = "", ...options] = args;
  const running = start([...[load].flat(), mode, endpoint, ...options], "piped");
  let line = await running.line();
  if (line === "ready") {
    await whileHeld?.();
    await running.closeStdin();
    line = await running.line();
  }
  const { success, error } = await running.end();
  if (!success || line === null) throw new Error(error || "The load generator said nothing");
  return JSON.parse(line);
}

/** Resident memory of a process in KiB. */
export async function residentKib(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(status.match(/^VmRSS:\s+(\d+) kB$/m)?.[1]);
}

/** The CPU time that all threads of a process have taken; seconds. */
export async function cpuSeconds(pid: number): Promise<number> {
  let nanos = 0;
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    const times = await Deno.readTextFile(`/proc/${pid}/task/${name}/schedstat`).catch(() => "0");
    nanos += Number(times.split(" ")[0]);
  }
  return nanos / 1e9;
}

/** The middle value, or the mean of the two in the middle; NaN of nothing. */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? NaN;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
}

/** Ends the process with the exit code that `body` gives, or with 1 and one line when it throws. */
export async function main(name: string, body: () => Promise<number>): Promise<never> {
  try {
    Deno.exit(await body());
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
