/** Text that a command writes to stdout and to files while it goes on. */
import { Failure, reasonOfFile } from "../failure.ts";
import { UsageError } from "./parser.ts";
import { isSame, OutputFile, type OutputKind } from "./output_file.ts";
import { QueueWriter } from "./queue_writer.ts";
import { standardIo } from "./stdio.ts";
import { STDERR, STDOUT } from "./values.ts";
import { unlessAborted } from "../time/timers.ts";

/** Text waiting to be written, in characters, beyond which there is no room for more. */
const MAX_WAITING = 1 << 20;

/** A file that is in use already, and the option that names it. */
export interface UsedFile {
  name: string;
  info: Deno.FileInfo;
}

/** Writes text to stdout or to a file, in order, without making its caller wait. */
export class TextOutput extends QueueWriter {
  /** For messages. */
  readonly name: string;
  /** Whether it is an ordinary file, for which nobody has to read it. */
  readonly isFile: boolean;
  #file: OutputFile | undefined;
  readonly #givenUp: AbortController;

  private constructor(sink: TextSink, name: string, file?: OutputFile, isFile = false) {
    const givenUp = new AbortController();
    super({ write: (bytes) => unlessGivenUp(() => sink.write(bytes), givenUp.signal) }, name, MAX_WAITING);
    this.name = name;
    this.isFile = isFile;
    this.#file = file;
    this.#givenUp = givenUp;
  }

  static stdout(): TextOutput {
    return new TextOutput(Deno.stdout, "standard output");
  }

  /**
   * Opens what {@linkcode parseOutputPath} has read. A file keeps its contents until the first write, or as its kind is.
   *
   * @param option that names the file.
   * @param used the files that other options name; this one is added to them.
   * @param stop gives up what may wait for long: a FIFO is open only once it has a reader.
   * @throws {UsageError} when one of them is this file; {@linkcode Failure} when it cannot be written.
   */
  static async open(
    path: string,
    option: string,
    kind: OutputKind,
    used: UsedFile[],
    stop?: AbortSignal,
  ): Promise<TextOutput> {
    if (path === STDOUT) return TextOutput.stdout();
    if (path === STDERR) return new TextOutput(Deno.stderr, "standard error");
    let file: OutputFile | undefined;
    try {
      file = await OutputFile.open(path, kind, stop);
      const info = await file.stat();
      const other = used.find((it) => info.isFile && isSame(it.info, info));
      if (other !== undefined) {
        throw new UsageError(`use ${option}`, path, `it is the file that ${other.name} names`);
      }
      used.push({ name: option, info });
      return new TextOutput(file, path, file, info.isFile);
    } catch (error) {
      await file?.close();
      if (error instanceof UsageError) throw error;
      throw new Failure("write", path, reasonOfFile(error), { cause: error });
    }
  }

  /** Resolves when all is written: what is not, is lost of a document. @throws the first error. */
  override async flush(): Promise<void> {
    await super.flush();
    const file = this.#file;
    if (file === undefined) return;
    await standardIo("write", this.name, unlessGivenUp(() => file.finish(), this.#givenUp.signal));
  }

  /** Waits for no write any more: what is not written is lost, and {@linkcode flush} throws. */
  giveUp(): void {
    this.#givenUp.abort(new Error("interrupted"));
  }

  /**
   * Writes what waits, and closes the file: a document that was not flushed is lost, and where nothing was written, the
   * file is as it was before it was opened. Closed again, it stays closed.
   */
  async close(): Promise<void> {
    await super.flush().catch(() => {}); // its error was thrown before, or a worse one was
    const file = this.#file;
    this.#file = undefined;
    // A FIFO is closed only once its reader has taken what was written: the end of the process does it.
    if (this.isFile || !this.#givenUp.signal.aborted) await file?.close();
  }
}

/** Does I/O until it is given up. @throws the signal's reason, before it begins or meanwhile. */
async function unlessGivenUp<T>(io: () => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return await unlessAborted(io(), signal);
}

/** Where bytes go. */
type TextSink = ConstructorParameters<typeof QueueWriter>[0];
