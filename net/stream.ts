import { isClosedHere } from "./errors.ts";

/** The bytes of a stream, one way: a connection, stdout or stderr. */
interface Sink {
  /** Takes some of the bytes, at least one, and says how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** A connection, whatever it runs over. Its calls throw as those of `Deno.Conn` do. */
export interface Stream extends Sink {
  /** Puts bytes into the buffer and says how many; null, or 0 of a lean stream, when the peer has ended its side in order. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Half-closes: the peer reads to an end, and may still write. */
  closeWrite(): Promise<void>;
  /** Closes both ways. A read that is waiting throws Interrupted, later ones BadResource. */
  close(): void;
}

/** Writes all of `bytes`, which one `write` need not do. One at a time per sink: a second call's bytes would mix in. */
export async function writeAll(sink: Sink, bytes: Uint8Array): Promise<void> {
  let written = await sink.write(bytes);
  while (written < bytes.length) written += await sink.write(bytes.subarray(written));
}

/** The size of a client's reads from a connection. */
export const READ_SIZE = 64 * 1024;

/** Closes what may be closed already. */
export function closeQuietly(closable: { close(): void }): void {
  try {
    closable.close();
  } catch (error) {
    if (!isClosedHere(error)) throw error;
  }
}

/** A stream whose first bytes have been read already: they come first. */
export function withEarly(stream: Stream, early: Uint8Array): Stream {
  if (early.length === 0) return stream;
  return {
    read(buffer) {
      if (early.length === 0) return stream.read(buffer);
      const n = Math.min(early.length, buffer.length);
      buffer.set(early.subarray(0, n));
      early = early.subarray(n);
      return Promise.resolve(n);
    },
    write: (bytes) => stream.write(bytes),
    closeWrite: () => stream.closeWrite(),
    close: () => stream.close(),
  };
}

/** Resolves when a signal is aborted, or at once if it has been. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
