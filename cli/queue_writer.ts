import { writeAll } from "../net/stream.ts";
import { standardIo } from "./stdio.ts";

/** Where text goes: stdout, stderr or a file. */
interface Sink {
  /** Takes some of the bytes, at least one, and says how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Writes text to a sink, in order. `write` never waits: a caller that writes a lot checks `hasRoom`. */
export class QueueWriter {
  readonly #sink: Sink;
  readonly #name: string;
  readonly #maxWaiting: number;
  #waiting = "";
  #writing: Promise<void> | undefined;
  /** Resolved when there is room again. */
  #room: PromiseWithResolvers<void> | undefined;
  #failure: unknown;
  readonly #failed = Promise.withResolvers<void>();

  /**
   * @param name of the sink, for messages.
   * @param maxWaiting how many characters may wait before there is no room for more.
   */
  constructor(sink: Sink, name: string, maxWaiting: number) {
    this.#sink = sink;
    this.#name = name;
    this.#maxWaiting = maxWaiting;
  }

  /** Queues a text, even when there is no room. */
  write(text: string): void {
    this.#waiting += text;
    this.#writing ??= this.#write();
  }

  /** Whether no more than the limit waits. */
  get hasRoom(): boolean {
    return this.#waiting.length <= this.#maxWaiting;
  }

  /** Resolves when there is room: once the sink has taken the write that is under way. */
  whenRoom(): Promise<void> {
    if (this.hasRoom) return Promise.resolve();
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** Resolves at the first write that fails; {@linkcode flush} says why. */
  get failed(): Promise<void> {
    return this.#failed.promise;
  }

  /** Whether a write has failed. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Resolves when all is written. @throws the first error of a write; what waited behind it was dropped. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #write(): Promise<void> {
    await Promise.resolve(); // what is written in the same turn goes out at once
    try {
      while (this.#waiting !== "") {
        const bytes = new TextEncoder().encode(this.#waiting);
        this.#waiting = "";
        await standardIo("write", this.#name, writeAll(this.#sink, bytes));
        this.#giveRoom();
      }
    } catch (error) {
      this.#failure ??= error;
      this.#waiting = "";
      this.#failed.resolve();
      this.#giveRoom();
    }
    this.#writing = undefined;
  }

  #giveRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
