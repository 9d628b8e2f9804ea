/** A file that a command writes to, and what becomes of what it held. */
import { basename, dirname, resolve } from "node:path";
import { type OpenedFile, openWaiting } from "../net/open.ts";

/**
 * How a file is written: as `lines`, each of which it has at once and keeps, or as a `document`, which is worth nothing
 * in part: what the file held stays until all of it is written.
 */
export type OutputKind = "lines" | "document";

/** A file that is open to be written. Until the first write it is as it was. */
export class OutputFile {
  #file: OpenedFile;
  #path: string;
  readonly #kind: OutputKind;
  /** Whether it was not there before. */
  #isNew: boolean;
  #state: "untouched" | "begun" | "finished" = "untouched";
  #beginning: Promise<void> | undefined;
  #finishing: Promise<void> | undefined;
  /** What is to take its place, if it is not written itself. */
  #beside: { file: Deno.FsFile; path: string } | undefined;

  private constructor(file: OpenedFile, path: string, kind: OutputKind, isNew: boolean) {
    this.#file = file;
    this.#path = path;
    this.#kind = kind;
    this.#isNew = isNew;
  }

  /** @param stop gives up the wait for a FIFO's reader. */
  static async open(path: string, kind: OutputKind, stop?: AbortSignal): Promise<OutputFile> {
    try {
      return new OutputFile(await Deno.open(path, { write: true, createNew: true }), path, kind, true);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
    try {
      return new OutputFile(await openWaiting(path, { write: true }, stop), path, kind, false);
    } catch (error) {
      // A link to nothing, for which some versions of Deno have the error of a circle: what it leads to is made.
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.FilesystemLoop)) {
        throw error;
      }
      const target = await targetOf(path);
      if (target === path) throw error;
      return await OutputFile.open(target, kind, stop);
    }
  }

  stat(): Promise<Deno.FileInfo> {
    return this.#file.stat();
  }

  /** Writes some of the bytes. A FIFO whose reader has gone is an error: only stdout ends quietly. */
  async write(bytes: Uint8Array): Promise<number> {
    if (this.#state === "untouched") await (this.#beginning = this.#begin());
    try {
      return await (this.#beside?.file ?? this.#file).write(bytes);
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) throw new Error("its reader has gone", { cause: error });
      throw error;
    }
  }

  /** All is written: a document takes the place of what the file held. @throws where it is not under its name. */
  finish(): Promise<void> {
    return this.#finishing ??= this.#finish();
  }

  async #finish(): Promise<void> {
    if (this.#state !== "begun") return;
    if (this.#beside !== undefined) {
      const { file, path } = this.#beside;
      await file.syncData(); // some systems find only now that there is no room
      await Deno.rename(path, await targetOf(this.#path));
    } else if (!await this.#isInPlace()) {
      throw new Error("it was moved or removed while it was written");
    }
    this.#state = "finished";
  }

  /** Closes the file. Nothing is left of a document that is not finished, nor of a new file that holds nothing. */
  async close(): Promise<void> {
    await this.#beginning?.catch(() => {}); // a write that was given up may not have begun yet
    const isLost = this.#state === "begun" && this.#kind === "document";
    const beside = this.#beside;
    beside?.file.close();
    if (isLost) {
      // Somebody else may have removed it.
      await (beside === undefined ? this.#empty() : Deno.remove(beside.path)).catch(() => {});
    }
    const isUnused = this.#isNew && (await this.#file.stat()).size === 0 && await this.#isInPlace();
    this.#file.close();
    if (isUnused) await Deno.remove(this.#path).catch(() => {});
  }

  async #begin(): Promise<void> {
    if (!await this.#isInPlace()) await this.#reopen();
    this.#state = "begun";
    if (this.#kind === "document") this.#beside = await this.#openBeside();
    if (this.#beside === undefined) await this.#empty();
  }

  /** Whether its path still leads to it: somebody may have moved it away. What is no file needs no name any more. */
  async #isInPlace(): Promise<boolean> {
    const info = await this.#file.stat();
    try {
      return !info.isFile || isSame(await Deno.stat(this.#path), info);
    } catch (error) {
      return error instanceof Deno.errors.PermissionDenied; // nobody can tell
    }
  }

  /** Opens what the path leads to now. What was opened before stays as it is, wherever it is. */
  async #reopen(): Promise<void> {
    const now = await OutputFile.open(this.#path, this.#kind);
    this.#file.close();
    [this.#file, this.#path, this.#isNew] = [now.#file, now.#path, now.#isNew];
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
      const real = await targetOf(this.#path);
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

/** Whether two files are one, whatever their paths. */
export function isSame(one: Deno.FileInfo, other: Deno.FileInfo): boolean {
  return one.ino !== null && one.ino === other.ino && one.dev === other.dev;
}

/** Where a path leads once its links are followed, even to nothing. @throws where they lead in a circle. */
async function targetOf(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const link = await Deno.readLink(path).catch(() => undefined);
    return link === undefined ? path : await targetOf(resolve(await Deno.realPath(dirname(path)), link));
  }
}
