/** Opening files of which some wait: a FIFO is open only once its other end is. */
import { unlessAborted } from "../time/timers.ts";

type OpenOptions = { read: true } | { write: true };

/** A file that is open to be read or to be written. */
export type OpenedFile = Pick<
  Deno.FsFile,
  "readable" | "write" | "stat" | "truncate" | "close" | typeof Symbol.dispose
>;

/** Whether the runtime waits for a FIFO in a thread: older ones stop the event loop meanwhile, and signals with it. */
const WAITS_APART = (() => {
  const [major = 0, minor = 0] = Deno.version.deno.split(".").map((it) => Number.parseInt(it));
  return major > 2 || (major === 2 && minor >= 9);
})();

/**
 * Opens a file that is there.
 *
 * @param stop gives up the wait for a FIFO's other end; other files are opened nevertheless.
 * @param waitsApart whether `Deno.open` may wait; tests set it.
 * @throws Deno's errors; the signal's reason.
 */
export async function openWaiting(
  path: string,
  options: OpenOptions,
  stop?: AbortSignal,
  waitsApart = WAITS_APART,
): Promise<OpenedFile> {
  const info = await Deno.stat(path);
  if (!info.isFifo) return await Deno.open(path, options);
  if (!waitsApart) return await FifoOfThread.open(path, options, info, stop);
  const opening = Deno.open(path, options);
  try {
    return await unlessAborted(opening, stop);
  } catch (error) {
    if (stop?.aborted) opening.then((it) => it.close(), () => {});
    throw error;
  }
}

/** The thread's side: it does a step at a time, and tells what it gave or why it failed. */
const THREAD = `
let file;
const steps = {
  open: ({ path, options }) => {
    file = Deno.openSync(path, options);
  },
  read: (size) => {
    const buffer = new Uint8Array(size);
    const length = file.readSync(buffer);
    return length === null ? null : buffer.slice(0, length);
  },
  write: (bytes) => file.writeSync(bytes),
};
onmessage = ({ data: [step, argument] }) => {
  try {
    postMessage({ value: steps[step](argument) });
  } catch ({ name, message, code }) {
    postMessage({ failure: { name, message, code } });
  }
};`;

/** The size of reads. */
const READ_SIZE = 64 * 1024;

/**
 * A FIFO that a thread of its own opens and uses. Opened once more in this one, it might wait: its other end may have
 * gone again by then.
 */
class FifoOfThread implements OpenedFile {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #info: Deno.FileInfo;
  readonly #worker = new Worker(`data:text/javascript,${encodeURIComponent(THREAD)}`, { type: "module" });

  private constructor(info: Deno.FileInfo) {
    this.#info = info;
    this.readable = new ReadableStream({
      pull: async (controller) => {
        const bytes = await this.#do<Uint8Array<ArrayBuffer> | null>("read", READ_SIZE);
        if (bytes !== null) return controller.enqueue(bytes);
        this.close();
        controller.close();
      },
      cancel: () => this.close(),
    }, { highWaterMark: 0 }); // nothing is read before somebody asks for it
  }

  static async open(
    path: string,
    options: OpenOptions,
    info: Deno.FileInfo,
    stop?: AbortSignal,
  ): Promise<OpenedFile> {
    const fifo = new FifoOfThread(info);
    try {
      await unlessAborted(fifo.#do("open", { path, options }), stop);
      return fifo;
    } catch (error) {
      fifo.close();
      throw error;
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#do("write", bytes);
  }

  stat(): Promise<Deno.FileInfo> {
    return Promise.resolve(this.#info);
  }

  /** Does nothing: a FIFO has no length. */
  truncate(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.#worker.terminate();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Does a step in the thread; one at a time. */
  #do<Value>(step: string, argument: unknown): Promise<Value> {
    const { promise, resolve, reject } = Promise.withResolvers<Value>();
    this.#worker.onmessage = ({ data: { value, failure } }) => {
      if (failure === undefined) resolve(value);
      else reject(failureOf(failure));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    this.#worker.postMessage([step, argument]);
    return promise;
  }
}

/** Deno's error again, of the class that it had. */
function failureOf({ name, message, code }: { name: string; message: string; code?: string }): Error {
  const made = (Deno.errors as Record<string, new (message: string) => Error>)[name];
  return Object.assign(made === undefined ? new Error(message) : new made(message), { code });
}
