import { stdinReader, STDIO_READ_SIZE } from "../cli/stdio.ts";
import type { PeerOutput } from "../cli/terminal.ts";
import { Failure } from "../failure.ts";
import { isClosedHere, isPeerGone } from "../net/errors.ts";
import { closeQuietly, type Stream, writeAll } from "../net/stream.ts";
import {
  acquireSlot,
  HUGE_SLOT,
  LF,
  MAX_HELD,
  ReplyScanner,
  type ReplyStream,
  ReplyVerifier,
  serversWord,
} from "../protocol.ts";
import { durationText } from "../time/duration.ts";
import { CLOSE_WAIT_MS, howServerWent, noEcho, notAnswered } from "./dialogue.ts";

/** How often the filter looks whether the reply that it waits for is late. */
const WATCH_MS = 100;

interface FilterOptions {
  /** The longest wait for a reply, in milliseconds; 0 for none. */
  timeout: number;
  /** Whether a reply must be its line. */
  verify: boolean;
}

/**
 * The filter in line framing: lines go out as fast as the server takes them, replies come in as fast as stdout takes
 * them, and neither waits for the other. What is in flight is in the sockets' buffers, and what replies are verified
 * with in a buffer of its own: when that is full, lines wait for replies, so that memory stays bounded.
 */
export class LineFilter {
  readonly #conn: Stream;
  readonly #server: string;
  readonly #timeout: number;
  readonly #output: PeerOutput;
  readonly #stop: AbortSignal;
  readonly #replies: ReplyStream;
  #progress = Promise.withResolvers<void>();
  /** What stdin is at: between two lines, within one, or at its end. */
  #input: "between lines" | "within a line" | "ended" = "between lines";
  #writing = false;
  #printing = false;
  /** When the wait for the server began that is going on, or when it last brought a reply. */
  #waitingSince = 0;
  #end = "the server closed the connection";
  /** Whether a TLS stream has ended without its own end: what came may not be all. */
  #truncated = false;
  /** An error of stdin, or of this program. */
  #fault: unknown;

  constructor(conn: Stream, server: string, options: FilterOptions, output: PeerOutput, stop: AbortSignal) {
    this.#conn = conn;
    this.#server = server;
    this.#timeout = options.timeout;
    this.#replies = options.verify ? new ReplyVerifier() : new ReplyScanner();
    this.#output = output;
    this.#stop = stop;
  }

  /** Sends stdin and prints the replies. @throws {Failure} when not every line was answered. */
  async run(): Promise<void> {
    this.#send().catch((error) => {
      if (isPeerGone(error)) return; // the receiving side learns it too, after the replies that are still to come
      this.#fault = error;
      closeQuietly(this.#conn);
    });
    const watch = setInterval(() => this.#watch(), WATCH_MS);
    try {
      await this.#receive();
    } finally {
      clearInterval(watch);
    }
    if (this.#fault !== undefined) throw this.#fault;
    await this.#output.write(this.#replies.ended());
    this.#checkAnswered();
  }

  async #send(): Promise<void> {
    const read = stdinReader(this.#stop);
    for (;;) {
      // stdin is read to where it is sent from and kept for the replies: it is not copied.
      const room = await this.#room();
      const n = await read(room);
      if (n === null) break;
      const bytes = room.subarray(0, n);
      if (!this.#replies.isWaiting) this.#waitingSince = performance.now();
      this.#replies.sending(n);
      this.#input = bytes.at(-1) === LF ? "between lines" : "within a line";
      this.#writing = true;
      await writeAll(this.#conn, bytes);
      this.#writing = false;
    }
    this.#replies.endInput(this.#input === "within a line");
    this.#input = "ended";
    this.#waitingSince = performance.now();
    await this.#conn.closeWrite();
  }

  /** Where stdin is read to, once there is room. @throws {Failure} for a line that is too long to be verified. */
  async #room(): Promise<Uint8Array<ArrayBuffer>> {
    try {
      for (;;) {
        const room = this.#replies.room(STDIO_READ_SIZE);
        if (room !== undefined) return room;
        await this.#progress.promise;
        this.#progress = Promise.withResolvers();
      }
    } catch (error) {
      const reason = `${(error as Error).message}; --no-verify sends it`;
      throw new Failure("talk to", this.#server, reason, { cause: error });
    }
  }

  async #receive(): Promise<void> {
    // One buffer is read into while the other is written out. Where the kernel verifies, it needs no copy of them.
    const buffers = acquireSlot(HUGE_SLOT);
    let [reading, printing] = [1, 2].map((i) =>
      buffers.subarray(i * (MAX_HELD + STDIO_READ_SIZE) - STDIO_READ_SIZE, i * (MAX_HELD + STDIO_READ_SIZE))
    );
    let printed: Promise<void> = Promise.resolve();
    for (let n; (n = await this.#read(reading!)) !== null;) {
      const { isWaiting, answered } = this.#replies;
      const bytes = this.#replies.arrived(reading!.subarray(0, n), MAX_HELD);
      await printed;
      this.#printing = true;
      printed = this.#output.write(bytes).finally(() => this.#printing = false);
      // stdout is gone: there is nothing left to read for.
      printed.catch(() => closeQuietly(this.#conn));
      [reading, printing] = [printing, reading];
      this.#progress.resolve();
      if (this.#replies.fault !== undefined) closeQuietly(this.#conn);
      // What is no answer to a line of ours, a drop of one or a line too many, does not prolong the wait.
      if (isWaiting && this.#replies.answered > answered) this.#waitingSince = performance.now();
    }
    await printed;
  }

  async #read(buffer: Uint8Array): Promise<number | null> {
    try {
      return await this.#conn.read(buffer);
    } catch (error) {
      if (!isPeerGone(error)) throw error;
      if (!isClosedHere(error)) this.#end = howServerWent(error);
      this.#truncated = error instanceof Deno.errors.UnexpectedEof;
      return null;
    }
  }

  /** Closes the connection when the server has kept us waiting for too long. */
  #watch(): void {
    const waited = performance.now() - this.#waitingSince;
    if (this.#replies.isWaiting || this.#writing) {
      const patience = this.#stop.aborted ? CLOSE_WAIT_MS : this.#timeout;
      if (this.#printing || patience === 0 || waited <= patience) return;
      this.#end = `no reply in ${durationText(this.#timeout)}`;
    } else if (this.#input !== "ended" || waited <= CLOSE_WAIT_MS) {
      return;
    }
    closeQuietly(this.#conn);
  }

  /** @throws {Failure} unless all input was sent, and every line answered. */
  #checkAnswered(): void {
    const { answered, error, fault } = this.#replies;
    if (fault !== undefined) {
      throw new Failure("talk to", this.#server, noEcho(`line ${answered + 1} was answered by`, fault));
    }
    const whole = this.#input === "ended" && !this.#truncated && error === undefined && !this.#stop.aborted;
    const sentWhole = this.#replies.sent;
    if (whole && answered >= sentWhole) return;
    const sent = sentWhole + (this.#input === "within a line" ? 1 : 0);
    const interrupted = this.#stop.aborted ? "interrupted" : undefined;
    const why = error !== undefined ? serversWord(error) : interrupted ?? this.#end;
    const missing = sent - answered;
    // With all answered so far, it is what stdin still holds that gets no reply.
    if (missing <= 0) throw new Failure("talk to", this.#server, why);
    throw new Failure("get every line answered by", this.#server, `${why}; ${notAnswered(missing, sent)}`);
  }
}
