/** Text that a command writes to stdout and to files while it goes on. */
import { Failure, reasonOfFile } from "../failure.ts";
import { unlessAborted } from "../time/timers.ts";
import { UsageError } from "./parser.ts";
import { QueueWriter } from "./queue_writer.ts";
import { STDERR, STDOUT } from "./values.ts";

/** Text waiting to be written, in characters, beyond which there is no room for more. */
const MAX_WAITING = 1 << 20;

/** A file that is in use already, and the option that names it. */
export interface UsedFile {
  name: string;
  info: Deno.FileInfo;
}

/** Writes text to stdout or to a file, in order, without making its caller wait. */
export class TextOutput extends QueueWriter {
  readonly #file: OpenFile | undefined;
  #begun = false;

  private constructor(sink: TextSink, name: string, file?: OpenFile) {
    super(sink, name, MAX_WAITING);
    this.#file = file;
  }

  static stdout(): TextOutput {
    return new TextOutput(Deno.stdout, "standard output");
  }

  /**
   * Opens what {@linkcode parseOutputPath} has read. A file keeps its contents until the first write.
   *
   * @param option that names the file.
   * @param used the files that other options name; this one is added to them.
   * @param stop gives up: a FIFO is open only once it has a reader.
   * @throws {UsageError} when one of them is this file; {@linkcode Failure} when it cannot be written.
   */
  static async open(
    path: string,
    option: string,
    used: UsedFile[],
    stop?: AbortSignal,
  ): Promise<TextOutput> {
    if (path === STDOUT) return TextOutput.stdout();
    if (path === STDERR) return new TextOutput(Deno.stderr, "standard error");
    let opened: OpenFile | undefined;
    try {
      opened = await unlessAborted(openToWrite(path), stop);
      const info = await opened.file.stat();
      const other = used.find((it) => info.isFile && isSame(it.info, info));
      if (other !== undefined) {
        throw new UsageError(`use ${option}`, path, `it is the file that ${other.name} names`);
      }
      used.push({ name: option, info });
      const { file } = opened;
      const output: TextOutput = new TextOutput(
        {
          write: async (bytes) => {
            await output.#empty();
            return await writeFile(file, bytes);
          },
        },
        path,
        opened,
      );
      return output;
    } catch (error) {
      if (opened !== undefined) await leave(opened);
      if (error instanceof UsageError) throw error;
      throw new Failure("write", path, reasonOfFile(error), { cause: error });
    }
  }

  /** Before the first write: what the file held is lost from here on. */
  async #empty(): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    const { file } = this.#file!;
    if ((await file.stat()).isFile) await file.truncate();
  }

  /** Closes the file; where nothing was written, it is as it was before it was opened. */
  async close(): Promise<void> {
    if (this.#file === undefined) return;
    if (this.#begun) this.#file.file.close();
    else await leave(this.#file);
  }
}

interface OpenFile {
  file: Deno.FsFile;
  path: string;
  /** Whether it was not there before. */
  isNew: boolean;
}

/** Where bytes go. */
type TextSink = ConstructorParameters<typeof QueueWriter>[0];

/** Writes to a file. A FIFO whose reader has gone is an error: only stdout ends quietly. */
async function writeFile(file: Deno.FsFile, bytes: Uint8Array): Promise<number> {
  try {
    return await file.write(bytes);
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw new Error("its reader has gone", { cause: error });
    throw error;
  }
}

async function openToWrite(path: string): Promise<OpenFile> {
  try {
    return { file: await Deno.open(path, { write: true, createNew: true }), path, isNew: true };
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    return { file: await Deno.open(path, { write: true, create: true }), path, isNew: false };
  }
}

/** Closes a file to which nothing was written, and removes it if it was not there before. */
async function leave({ file, path, isNew }: OpenFile): Promise<void> {
  file.close();
  if (isNew) await Deno.remove(path).catch(() => {}); // somebody else may have
}

/** Whether two files are one, whatever their paths. */
function isSame(one: Deno.FileInfo, other: Deno.FileInfo): boolean {
  return one.ino !== null && one.ino === other.ino && one.dev === other.dev;
}
