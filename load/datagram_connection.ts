import { reasonOf } from "../failure.ts";
import type { DatagramPeer } from "../net/transport.ts";
import { closeQuietly } from "../net/stream.ts";
import type { Clock } from "../time/timers.ts";
import type { ConnectionEvents, LoadConnection } from "./connection.ts";
import { type ConnectionSignal, type ConnectionState, nextState, OPEN } from "./connection_state.ts";
import type { OutgoingLines } from "./outgoing_lines.ts";
import type { PendingLines } from "./pending_lines.ts";

/** A socket whose datagrams are lines. What is lost on the way is lost when its time-out has passed. */
export class DatagramConnection implements LoadConnection {
  readonly lines: PendingLines;
  readonly #peer: DatagramPeer;
  readonly #clock: Clock;
  readonly #events: ConnectionEvents;
  #state: ConnectionState = OPEN;
  #isWriting = false;

  /** @param lines those of this socket, of which none is sent. */
  constructor(peer: DatagramPeer, lines: PendingLines, clock: Clock, events: ConnectionEvents) {
    this.#peer = peer;
    this.lines = lines;
    this.#clock = clock;
    this.#events = events;
  }

  get isOpen(): boolean {
    return this.#state.phase === "open";
  }

  get outgoing(): OutgoingLines {
    return this.lines.outgoing;
  }

  flush(): void {
    if (!this.#isWriting && this.isOpen && this.lines.outgoing.count > 0) void this.#write();
  }

  close(): void {
    this.#apply({ type: "close" });
    closeQuietly(this.#peer);
  }

  async #write(): Promise<void> {
    const { outgoing } = this.lines;
    this.#isWriting = true;
    try {
      for (let line; this.isOpen && (line = outgoing.write(this.#clock.now())) !== undefined;) {
        await this.#peer.send(line.subarray(0, -1));
      }
    } catch (error) {
      this.#end(error);
    }
    this.#isWriting = false;
  }

  async read(): Promise<void> {
    try {
      while (this.isOpen) {
        const reply = await this.#peer.receive();
        if (this.isOpen) this.#onReply(reply);
      }
    } catch (error) {
      this.#end(error);
    }
    if (this.#state.phase !== "ended") return;
    const { reason } = this.#state;
    this.#events.onEnd(this, this.lines.fail(reason), reason);
  }

  #onReply(reply: Uint8Array): void {
    const before = this.lines.waiting;
    const now = this.#clock.now();
    this.lines.receiveDatagram(reply, now);
    const freed = before - this.lines.waiting;
    if (freed > 0) this.#events.onFreed(this, freed, now);
  }

  #end(error: unknown): void {
    this.#apply({ type: "end", reason: reasonOf(error) });
    closeQuietly(this.#peer);
  }

  #apply(signal: ConnectionSignal): void {
    this.#state = nextState(this.#state, signal);
  }
}
