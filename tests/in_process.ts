/**
 * A command of tsecho in the process of the tests: what proves nothing about a process (its signals, terminal, memory,
 * permissions) costs a tenth of one there. It is the same command from its arguments to its exit code.
 */
import { EXIT_CODES, exitCodeOf, type Signals } from "../commands/command.ts";
import { COMMANDS } from "../commands/tsecho.ts";
import { escapeText, Failure } from "../failure.ts";

/** What takes the place of a stream that a command writes to. */
class Sink {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  #controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;

  constructor() {
    this.readable = new ReadableStream({ start: (controller) => void (this.#controller = controller) });
  }

  write(bytes: Uint8Array): Promise<number> {
    this.#controller.enqueue(bytes.slice());
    return Promise.resolve(bytes.length);
  }

  isTerminal(): boolean {
    return false;
  }

  end(): void {
    this.#controller.close();
  }
}

/** What takes the place of stdin. Nobody waits for a command that reads nothing. */
class Source {
  readonly writable: WritableStream<Uint8Array<ArrayBufferLike>>;
  readonly readable: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #rest = new Uint8Array();

  constructor() {
    this.readable = new ReadableStream({ start: (controller) => void (this.#controller = controller) });
    this.writable = new WritableStream({
      write: (bytes) => this.#controller.enqueue(bytes),
      close: () => this.#controller.close(),
    });
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    this.#reader ??= this.readable.getReader();
    while (this.#rest.length === 0) {
      const { done, value } = await this.#reader.read();
      if (done) return null;
      this.#rest = value.slice();
    }
    const taken = this.#rest.subarray(0, buffer.length);
    buffer.set(taken);
    this.#rest = this.#rest.subarray(taken.length);
    return taken.length;
  }

  isTerminal(): boolean {
    return false;
  }
}

type Child = Pick<Deno.ChildProcess, "stdin" | "stdout" | "stderr" | "status" | "kill" | "pid">;

/** A command that runs in this process, by the interface of one that does not. */
export class InProcess implements Child {
  static #hasStreams: InProcess | undefined;
  readonly stdin: Deno.ChildProcess["stdin"];
  readonly stdout: Deno.ChildProcess["stdout"];
  readonly stderr: Deno.ChildProcess["stderr"];
  readonly status: Promise<Deno.CommandStatus>;
  readonly #stop = new AbortController();
  #again = () => false;
  readonly #listeners = new Map<string, () => void>();
  readonly #streams = { stdin: Deno.stdin, stdout: Deno.stdout, stderr: Deno.stderr };

  private constructor(args: string[]) {
    const [stdin, stdout, stderr] = [new Source(), new Sink(), new Sink()];
    this.stdin = stdin.writable as Deno.ChildProcess["stdin"];
    this.stdout = stdout.readable as Deno.ChildProcess["stdout"];
    this.stderr = stderr.readable as Deno.ChildProcess["stderr"];
    InProcess.#hasStreams = this;
    Object.assign(Deno, { stdin, stdout, stderr });
    this.status = this.#run(args, stderr).finally(() => {
      this.release();
      stdout.end();
      stderr.end();
    }).then((code) => ({ success: code === 0, code, signal: null }));
  }

  /** Begins a command; undefined while another has this process's streams. */
  static start(args: string[]): InProcess | undefined {
    return InProcess.#hasStreams === undefined ? new InProcess(args) : undefined;
  }

  /** Gives the process its streams back. Those that the command has got hold of by now stay its own. */
  release(): void {
    if (InProcess.#hasStreams !== this) return;
    InProcess.#hasStreams = undefined;
    Object.assign(Deno, this.#streams);
  }

  get pid(): number {
    throw new Error("it has no process of its own");
  }

  /** Does what the signal does to a process; for one that cannot be caught, what ends it soonest. */
  kill(signal: Deno.Signal = "SIGTERM"): void {
    const listener = this.#listeners.get(signal);
    if (listener !== undefined) listener();
    else if (["SIGINT", "SIGKILL", "SIGTERM"].includes(signal)) this.#stop.abort();
    else throw new Error(`${signal} is not caught`);
  }

  /** What a second SIGINT does; false where it ends the process. */
  again(): boolean {
    return this.#again();
  }

  async #run([name = "", ...args]: string[], stderr: Sink): Promise<number> {
    const signals: Signals = {
      stop: (_hangup, again) => {
        this.#again = again ?? (() => false);
        return this.#stop.signal;
      },
      on: (signal, listener) => void this.#listeners.set(signal, listener),
    };
    try {
      const command = await COMMANDS[name]!();
      return EXIT_CODES[await command.run(args, signals)];
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      await stderr.write(new TextEncoder().encode(`tsecho: ${escapeText(error.message)}\n`));
      return exitCodeOf(error);
    }
  }
}
