/** Text that a command writes to stdout and to files while it goes on. */
import { Failure, reasonOfFile } from "../failure.ts";
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
  readonly #file: Deno.FsFile | undefined;

  private constructor(sink: typeof Deno.stdout | Deno.FsFile, name: string) {
    super(sink, name, MAX_WAITING);
    if (sink instanceof Deno.FsFile) this.#file = sink;
  }

  static stdout(): TextOutput {
    return new TextOutput(Deno.stdout, "standard output");
  }

  /**
   * Opens what {@linkcode parseOutputPath} has read.
   *
   * @param option that names the file.
   * @param used the files that other options name; this one is added to them.
   * @throws {UsageError} when one of them is this file; {@linkcode Failure} when it cannot be written.
   */
  static async open(path: string, option: string, used: UsedFile[]): Promise<TextOutput> {
    if (path === STDOUT) return TextOutput.stdout();
    if (path === STDERR) return new TextOutput(Deno.stderr, "standard error");
    let file;
    try {
      // Its contents stay until it is known that no other option names it.
      file = await Deno.open(path, { write: true, create: true });
      const info = await file.stat();
      const other = used.find((it) => info.isFile && isSame(it.info, info));
      if (other !== undefined) {
        throw new UsageError(`use ${option}`, path, `it is the file that ${other.name} names`);
      }
      used.push({ name: option, info });
      if (info.isFile) await file.truncate();
      return new TextOutput(file, path);
    } catch (error) {
      file?.close();
      if (error instanceof UsageError) throw error;
      throw new Failure("write", path, reasonOfFile(error), { cause: error });
    }
  }

  close(): void {
    this.#file?.close();
  }
}

/** Whether two files are one, whatever their paths. */
function isSame(one: Deno.FileInfo, other: Deno.FileInfo): boolean {
  return one.ino !== null && one.ino === other.ino && one.dev === other.dev;
}
