import { isClosedHere } from "./errors.ts";

/** The bytes of a stream, one way: a connection, stdout or stderr. */
interface Sink {
  write(bytes: Uint8Array): Promise<number>;
}

/** Writes all of `bytes`, which one `write` need not do. One at a time per sink: a second call's bytes would mix in. */
export async function writeAll(sink: Sink, bytes: Uint8Array): Promise<void> {
  let written = await sink.write(bytes);
  while (written < bytes.length) written += await sink.write(bytes.subarray(written));
}

/** Closes a connection that may be closed already. */
export function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch (error) {
    if (!isClosedHere(error)) throw error;
  }
}

/** Resolves when a signal is aborted, or at once if it has been. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
