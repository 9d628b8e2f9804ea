/** Where runs of ping and load, and what compares them, are written to: text for people on stdout, or data, and files. */
import { TextOutput, type UsedFile } from "../cli/output.ts";
import type { OutputKind } from "../cli/output_file.ts";
import { UsageError } from "../cli/parser.ts";
import { parseInputPath, parseOutputPath, parseTime, STDERR, STDOUT } from "../cli/values.ts";
import { Failure } from "../failure.ts";
import type { Sink } from "../report/exporter.ts";
import type { OnAgain, Steps } from "./command.ts";

/** --json and --lenient. */
export const JSON_FILE = {
  group: "Output",
  value: "FILE",
  read: parseOutputPath,
  help: "write the run as one JSON document; - for stdout",
};
/** --html. */
export const HTML_FILE = {
  group: "Output",
  value: "FILE",
  read: parseOutputPath,
  help: "write the run as one self-contained HTML report; - for stdout",
};
/** --from. */
export const FROM_FILE = {
  group: "Summary",
  value: "FILE",
  read: parseInputPath,
  help: "summarise a run that --json or --json-stream saved, instead of a new one; - for stdin",
};
export const LENIENT = "let a run pass if a --fail-if condition cannot be decided";

/** -W. */
export const TIMEOUT = {
  group: "Lines",
  short: "W",
  value: "TIME",
  read: (text: string): number => parseTime(text, 1),
  help: "longest wait for a reply, with --reconnect for connection and reply; a later reply counts as lost",
};

/** Files by the option that names each, by `parseOutputPath`. */
export type OutputFiles = Record<string, string | undefined>;

/** @throws {UsageError} where more than one output is to go to one stream. */
export function checkStreams(files: OutputFiles, jsonStream: boolean): void {
  for (const [stream, name] of [[STDOUT, "stdout"], [STDERR, "stderr"]] as const) {
    const outputs = Object.values(files).filter((it) => it === stream).length;
    if (outputs + (jsonStream && stream === STDOUT ? 1 : 0) < 2) continue;
    throw new UsageError("write to", stream, `more than one output is to go to ${name}`);
  }
}

/** @throws {UsageError} where no endpoint is named and a file may be meant for it: `ping --json web`. */
export function checkFileNames(files: OutputFiles): void {
  for (const [option, file = STDOUT] of Object.entries(files)) {
    if (/[./]/.test(file) || file === STDOUT) continue;
    throw new UsageError(`use --${option}`, file, `is ${file} the endpoint? for a file, ./${file}`);
  }
}

/** The exporters of a run, and what they write to. */
export class Outputs<Exporter> {
  #exporters: Exporter[] = [];
  /** Those that write to files. */
  readonly #ofFiles = new Set<Exporter>();
  readonly #outputs: TextOutput[] = [];
  readonly #used: UsedFile[];
  readonly #stop: AbortSignal | undefined;
  readonly #onAgain: OnAgain | undefined;
  /** Those that are being flushed. */
  readonly #flushing = new Map<TextOutput, Promise<void>>();
  /** What files are to get once it is worth more than what they hold; undefined from then on. */
  #held: (() => void)[] | undefined;
  /** Whether files stay as they were. */
  #isLeft = false;

  /**
   * @param sources the files that the command reads.
   * @param stop gives up the opening of files, and may end a run that has nothing to tell: with it, files stay as they
   * are until {@linkcode writeFiles} or the first flush.
   * @param onAgain gets what ends a flush: first the wait for all but ordinary files, then that for these.
   */
  constructor({ sources = [], stop, onAgain }: { sources?: UsedFile[] } & Partial<Steps> = {}) {
    this.#used = [...sources];
    this.#stop = stop;
    this.#onAgain = onAgain;
    this.#held = stop && [];
  }

  add(exporter: Exporter): void {
    this.#exporters.push(exporter);
  }

  stdout(): Sink {
    return this.#keep(TextOutput.stdout());
  }

  /**
   * Opens a file, if the user named one. If that fails, all files are closed, and get nothing any more.
   *
   * @param option that names it.
   * @param kind a document replaces what the file held, once it is whole: one that is written at the end of a run.
   * @param make makes the exporter that writes to it.
   * @throws {UsageError} when another option names it too; {@linkcode Failure} when it cannot be written.
   */
  async file(
    path: string | undefined,
    option: string,
    kind: OutputKind,
    make: (sink: Sink) => Exporter,
  ): Promise<void> {
    if (path === undefined) return;
    try {
      const output = this.#keep(await TextOutput.open(path, option, kind, this.#used, this.#stop));
      const isFile = path !== STDOUT && path !== STDERR;
      const exporter = make(isFile ? this.#holding(output) : output);
      this.add(exporter);
      if (isFile) this.#ofFiles.add(exporter);
    } catch (error) {
      this.#dropFiles();
      await this.close(); // the run does not begin: files that were opened before are left as they were
      throw error;
    }
  }

  /** Writes to files what was held back, and everything from now on: something was measured. */
  writeFiles(): void {
    this.#held?.forEach((write) => write());
    this.#held = undefined;
  }

  /**
   * Writes no file: nothing was measured, and what the files hold is worth more. To be called instead of
   * {@linkcode writeFiles}.
   *
   * @param failure why nothing was measured. @returns it, saying so where there are files.
   */
  leaveFiles(failure: Failure): Failure {
    this.#held = undefined;
    this.#dropFiles();
    this.#isLeft = this.#ofFiles.size > 0;
    if (!this.#isLeft) return failure;
    const { action, value, reason } = failure;
    return new Failure(action, value, `${reason}; no file was written`, { cause: failure });
  }

  /** Resolves when an output can be written no more. */
  get failed(): Promise<void> {
    return Promise.race(this.#outputs.map((it) => it.failed));
  }

  /** Whether an output can be written no more. */
  get hasFailed(): boolean {
    return this.#outputs.some((it) => it.hasFailed);
  }

  each(use: (exporter: Exporter) => void): void {
    this.#exporters.forEach(use);
  }

  /** Undefined while there is room for more output; else a promise to wait for: its reader sets the pace then. */
  whenRoom(): Promise<void> | undefined {
    for (const output of this.#outputs) {
      if (!output.hasRoom) return output.whenRoom();
    }
    return undefined;
  }

  /** Resolves when all has been written. @throws the error of a write; it says so where files stay as they were. */
  async flush(): Promise<void> {
    this.writeFiles();
    // Each by itself: a reader that takes nothing holds up no other output, and an error spoils no other file.
    const flushes = this.#outputs.map((it) => this.#flush(it));
    this.#onAgain?.(() => this.#finishFiles());
    try {
      await Promise.all(flushes);
    } finally {
      await Promise.allSettled(flushes);
    }
  }

  #flush(output: TextOutput): Promise<void> {
    const flushed = output.flush().catch((error) => this.#rethrow(error, output))
      .finally(() => this.#flushing.delete(output));
    this.#flushing.set(output, flushed);
    return flushed;
  }

  /** Flushes what goes to ordinary files, and gives up the rest. @returns whether there is such a file. */
  #finishFiles(): boolean {
    const ofFiles = [...this.#flushing].filter(([it]) => it.isFile).map(([, flushed]) => flushed);
    if (ofFiles.length === 0) return false;
    this.#onAgain?.(() => this.#giveUp());
    void Promise.allSettled(ofFiles).then(() => this.#giveUp());
    return true;
  }

  #giveUp(): boolean {
    for (const output of this.#flushing.keys()) output.giveUp();
    return true;
  }

  #rethrow(error: unknown, { name }: TextOutput): never {
    if (!this.#isLeft) throw error;
    const reason = error instanceof Failure ? error.reason : "its reader has gone";
    throw new Failure("write", name, `${reason}; no file was written`, { cause: error });
  }

  /** Closes all outputs. What is still held back is not written, and documents that were not flushed are lost. */
  async close(): Promise<void> {
    await Promise.all(this.#outputs.map((it) => it.close()));
  }

  #dropFiles(): void {
    this.#exporters = this.#exporters.filter((it) => !this.#ofFiles.has(it));
  }

  /** Writes to a file, once that is written to. */
  #holding(output: TextOutput): Sink {
    const write = (text: string) => {
      if (this.#held === undefined) output.write(text);
      else this.#held.push(() => output.write(text));
    };
    return { write };
  }

  #keep(output: TextOutput): TextOutput {
    this.#outputs.push(output);
    return output;
  }
}
