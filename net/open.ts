/** Opening files of which some wait: a FIFO is open only once its other end is. */
import { unlessAborted } from "../time/timers.ts";

type OpenOptions = { read: true } | { write: true };

/** Whether the runtime waits for a FIFO in a thread: older ones stop the event loop meanwhile, and signals with it. */
const WAITS_APART = (() => {
  const [major = 0, minor = 0] = Deno.version.deno.split(".").map((it) => Number.parseInt(it));
  return major > 2 || (major === 2 && minor >= 9);
})();

/** Opens a file, holds it until it is told that others have it, and says why it could not. */
const OPENER = `
onmessage = ({ data: { path, options } }) => {
  try {
    const file = Deno.openSync(path, options);
    onmessage = () => file.close();
    postMessage(null);
  } catch ({ name, message, code }) {
    postMessage({ name, message, code });
  }
};`;

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
): Promise<Deno.FsFile> {
  const { isFifo } = await Deno.stat(path);
  if (!isFifo) return await Deno.open(path, options);
  const opening = waitsApart ? Deno.open(path, options) : openApart(path, options, stop);
  try {
    return await unlessAborted(opening, stop);
  } catch (error) {
    if (stop?.aborted) opening.then((it) => it.close(), () => {});
    throw error;
  }
}

/** Opens a FIFO once a thread of its own has: then nothing waits any more. */
async function openApart(path: string, options: OpenOptions, stop?: AbortSignal): Promise<Deno.FsFile> {
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(OPENER)}`, { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  worker.onmessage = ({ data: failure }) => {
    if (failure === null) resolve();
    else reject(failureOf(failure));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(event.message));
  };
  worker.postMessage({ path, options });
  try {
    await unlessAborted(promise, stop);
    return await openAtOnce(path, options);
  } finally {
    worker.terminate();
  }
}

/** The other end may have gone again: this file's own takes its place while it is opened. */
async function openAtOnce(path: string, options: OpenOptions): Promise<Deno.FsFile> {
  const both = await Deno.open(path, { read: true, write: true }).catch(() => undefined); // it may not be allowed
  try {
    return await Deno.open(path, options);
  } finally {
    both?.close();
  }
}

/** Deno's error again, of the class that it had. */
function failureOf({ name, message, code }: { name: string; message: string; code?: string }): Error {
  const made = (Deno.errors as Record<string, new (message: string) => Error>)[name];
  return Object.assign(made === undefined ? new Error(message) : new made(message), { code });
}
