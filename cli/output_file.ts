/** A file that a command writes to, and what becomes of what it held. */
import { basename, dirname } from "node:path";

/**
 * How a file is written: as `lines`, each of which it has at once and keeps, or as a `document`, which is worth nothing
 * in part: what the file held stays until all of it is written.
 */
export type OutputKind = "lines" | "document";

/** A file that is open to be written. Until the first write it is as it was. */
export class OutputFile {
  readonly #file: Deno.FsFile;
  readonly #path: string;
  readonly #kind: OutputKind;
  /** Whether it was not there before. */
  readonly #isNew: boolean;
  #state: "untouched" | "begun" | "finished" = "untouched";
  /** What is to take its place, if it is not written itself. */
  #beside: { file: Deno.FsFile; path: string } | undefined;

  private constructor(file: Deno.FsFile, path: string, kind: OutputKind, isNew: boolean) {
    this.#file = file;
    this.#path = path;
    this.#kind = kind;
    this.#isNew = isNew;
  }

  static async open(path: string, kind: OutputKind): Promise<OutputFile> {
    try {
      return new OutputFile(await Deno.open(path, { write: true, createNew: true }), path, kind, true);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      return new OutputFile(await Deno.open(path, { write: true, create: true }), path, kind, false);
    }
  }

  stat(): Promise<Deno.FileInfo> {
    return this.#file.stat();
  }

  /** Writes some of the bytes. A FIFO whose reader has gone is an error: only stdout ends quietly. */
  async write(bytes: Uint8Array): Promise<number> {
    if (this.#state === "untouched") await this.#begin();
    try {
      return await (this.#beside?.file ?? this.#file).write(bytes);
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) throw new Error("its reader has gone", { cause: error });
      throw error;
    }
  }

  /** All is written: a document takes the place of what the file held. */
  async finish(): Promise<void> {
    if (this.#state !== "begun") return;
    if (this.#beside !== undefined) {
      const { file, path } = this.#beside;
      await file.syncData(); // some systems find only now that there is no room
      await Deno.rename(path, await Deno.realPath(this.#path));
    }
    this.#state = "finished";
  }

  /** Closes the file. Nothing is left of a document that is not finished. */
  async close(): Promise<void> {
    const isLost = this.#state === "begun" && this.#kind === "document";
    const beside = this.#beside;
    beside?.file.close();
    if (isLost) {
      // Somebody else may have removed it.
      await (beside === undefined ? this.#empty() : Deno.remove(beside.path)).catch(() => {});
    }
    this.#file.close();
    if (this.#isNew && (isLost || this.#state === "untouched")) await Deno.remove(this.#path).catch(() => {});
  }

  async #begin(): Promise<void> {
    this.#state = "begun";
    if (this.#kind === "document") this.#beside = await this.#openBeside();
    if (this.#beside === undefined) await this.#empty();
  }

  /** Empties the file, if it is one: nothing else can be emptied. */
  async #empty(): Promise<void> {
    if ((await this.#file.stat()).isFile) await this.#file.truncate();
  }

  /**
   * Opens a file that can take the place of this one. Undefined where that cannot be, as in a folder in which nobody may
   * make files, and where it would not be the same: one that has several names or another owner, what is no file, and
   * what /dev and /proc have.
   */
  async #openBeside(): Promise<{ file: Deno.FsFile; path: string } | undefined> {
    const { isFile, nlink, mode, uid, gid } = await this.#file.stat();
    if (!isFile || (nlink ?? 1) > 1 || /^\/(?:dev|proc)\//.test(this.#path)) return undefined;
    let path;
    try {
      const real = await Deno.realPath(this.#path);
      path = await Deno.makeTempFile({ dir: dirname(real), prefix: `.${basename(real)}.` });
      const made = await Deno.stat(path);
      if (made.uid !== uid || made.gid !== gid) throw new Error("it would have another owner");
      if (mode !== null) await Deno.chmod(path, mode & 0o7777);
      return { file: await Deno.open(path, { write: true }), path };
    } catch {
      if (path !== undefined) await Deno.remove(path).catch(() => {});
      return undefined;
    }
  }
}
