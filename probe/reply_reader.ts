import { reasonOf } from "../failure.ts";
import { isPeerGone, TlsFailure } from "../net/errors.ts";
import { errorReason, LF, LineSplitter, MAX_PREFIX_LENGTH, serversWord } from "../protocol.ts";
import type { CorruptEvent, ReplyEvent } from "../stats/events.ts";
import { wallMicros } from "../time/clock.ts";
import type { Clock } from "../time/timers.ts";
import type { Channel } from "./channel.ts";
import type { Recorder } from "./recorder.ts";

/** Reads the replies that come over one channel. */
export class ReplyReader {
  /** Why no more comes from the peer, by the first cause that is known. */
  end: string | undefined;
  readonly #channel: Channel;
  readonly #recorder: Recorder;
  readonly #clock: Clock;
  readonly #lines: LineSplitter;
  readonly #events: (ReplyEvent | CorruptEvent)[] = [];

  constructor(channel: Channel, size: number, recorder: Recorder, clock: Clock) {
    this.#channel = channel;
    this.#recorder = recorder;
    this.#clock = clock;
    this.#lines = new LineSplitter(size + MAX_PREFIX_LENGTH + 1);
  }

  /** Waits for bytes, and matches the replies in them; {@linkcode tell} reports them. False once no more come. */
  async read(): Promise<boolean> {
    let bytes;
    try {
      bytes = await this.#channel.receive();
    } catch (error) {
      const reset = isPeerGone(error) && !(error instanceof TlsFailure);
      this.end ??= reset ? "the server reset the connection" : reasonOf(error);
      return false;
    }
    const now = this.#clock.now();
    const wall = wallMicros();
    if (bytes === null) {
      if (this.#lines.begun) this.#onRest(this.#lines.takeRest(), now);
      this.end ??= "the server closed the connection";
      return false;
    }
    if (this.#channel.datagrams) this.#events.push(this.#recorder.match(bytes, now, wall));
    else for (const part of this.#lines.split(bytes)) this.#onPart(part, now, wall);
    return true;
  }

  /** Reports what has been read to the observer. */
  tell(): void {
    for (const event of this.#events) this.#recorder.tell(event);
    this.#events.length = 0;
  }

  /** A line, or the first part of one that is longer than any reply; the rest of that is dropped. */
  #onPart(part: Uint8Array, now: number, wall: number): void {
    if (this.#lines.continued) return;
    if (part[part.length - 1] === LF) this.#onLine(part.subarray(0, -1), now, wall);
    else this.#events.push(this.#recorder.corrupt(now, part));
  }

  /** A last line without LF: the server's error, or no reply at all. */
  #onRest(rest: Uint8Array, now: number): void {
    if (!this.#endsWith(rest)) this.#events.push(this.#recorder.corrupt(now, rest));
  }

  /** Whether a line says why the server ends; then it is the reason. */
  #endsWith(line: Uint8Array): boolean {
    const reason = errorReason(line);
    if (reason === undefined) return false;
    this.end ??= serversWord(reason);
    return true;
  }

  /** A line of a stream; a datagram ends nothing, whatever it says. */
  #onLine(line: Uint8Array, now: number, wall: number): void {
    if (this.#endsWith(line)) return;
    const event = this.#recorder.match(line, now, wall);
    if (event.fate !== "corrupt" && this.end !== undefined) {
      // A reply after it: what looked like the server's last words was something else.
      this.end = undefined;
      this.#events.push(this.#recorder.corrupt(now));
    }
    this.#events.push(event);
  }
}
