/** Text that a command writes to stdout and to files while it goes on. */
import { reasonOfFile } from "../net/errors.ts";
import { writeAll } from "../net/stream.ts";
import { UsageError } from "./args.ts";
import { Failure, standardIo } from "./text.ts";

/** Text waiting to be written, in characters, beyond which {@linkcode TextOutput.whenRoom} gives a promise. */
const MAX_WAITING = 1 << 20;

/** A file that is in use already, and the option that names it. */
export interface UsedFile {
  name: string;
  info: Deno.FileInfo;
}

/** Writes text to stdout or to a file, in order, without making its caller wait. */
export class TextOutput {
  readonly #sink: { write(bytes: Uint8Array): Promise<number> };
  readonly #name: string;
  readonly #file: Deno.FsFile | undefined;
  #waiting = "";
  #writing: Promise<void> | undefined;
  #failure: unknown;
  readonly #failed = Promise.withResolvers<void>();

  private constructor(name: string, file?: Deno.FsFile) {
    this.#name = name;
    this.#file = file;
    this.#sink = file ?? Deno.stdout;
  }

  static stdout(): TextOutput {
    return new TextOutput("standard output");
  }

  /**
   * Opens a file, or stdout for `-`.
   *
   * @param option that names the file.
   * @param used the files that other options name; this one is added to them.
   * @throws {UsageError} when one of them is this file; {@linkcode Failure} when it cannot be written.
   */
  static async open(path: string, option: string, used: UsedFile[]): Promise<TextOutput> {
    if (path === "-") return TextOutput.stdout();
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
      return new TextOutput(path, file);
    } catch (error) {
      file?.close();
      if (error instanceof UsageError) throw error;
      throw new Failure("write", path, reasonOfFile(error), { cause: error });
    }
  }

  write(text: string): void {
    this.#waiting += text;
    this.#writing ??= this.#write();
  }

  /** Resolves when no more can be written; {@linkcode flush} throws the reason. */
  get failed(): Promise<void> {
    return this.#failed.promise;
  }

  /** Undefined while there is room for more; else a promise to wait for. */
  whenRoom(): Promise<void> | undefined {
    return this.#waiting.length > MAX_WAITING ? this.#writing : undefined;
  }

  /** Resolves when all has been written. @throws the error of a write. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  close(): void {
    this.#file?.close();
  }

  async #write(): Promise<void> {
    await Promise.resolve(); // text of the same turn goes out with one write
    try {
      while (this.#waiting !== "") {
        const text = this.#waiting;
        this.#waiting = "";
        await standardIo("write", this.#name, writeAll(this.#sink, new TextEncoder().encode(text)));
      }
    } catch (error) {
      this.#failure ??= error;
      this.#waiting = "";
      this.#failed.resolve();
    }
    this.#writing = undefined;
  }
}

/** Whether two files are one, whatever their paths. */
function isSame(one: Deno.FileInfo, other: Deno.FileInfo): boolean {
  return one.ino !== null && one.ino === other.ino && one.dev === other.dev;
}
