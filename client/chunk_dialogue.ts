import { concat } from "@std/bytes/concat";
import { echoOfChunk, errorReason, LF } from "../protocol.ts";
import { TIMED_OUT, withTimeout } from "../time/timers.ts";
import { MAX_EXTRA, StreamDialogue } from "./dialogue.ts";

/** Nothing marks a reply's end: one that is not the echo of its message ends with a silence of this length. */
const QUIET_MS = 200;

/** A dialogue in chunk framing: a reply ends when the message has come back, in one piece or in several. */
export class ChunkDialogue extends StreamDialogue {
  readonly framing = "chunk";
  /** Bytes that have arrived and were not taken. */
  #rest = new Uint8Array();

  protected override keep(bytes: Uint8Array): void {
    this.#rest = concat([this.#rest, bytes]);
  }

  protected override async reply(message: Uint8Array): Promise<Uint8Array> {
    let quiet = false;
    for (;;) {
      const echo = echoOfChunk(this.#rest, message);
      if (echo === "whole") return this.#takeAll();
      if (this.#rest.length > message.length + MAX_EXTRA) {
        throw this.failure("what it sends is no reply to the message");
      }
      if (quiet && (echo === "no echo" || !this.verify)) {
        const reply = this.#takeAll();
        const refusal = this.refusal(reply, message);
        if (refusal !== undefined) throw refusal;
        return reply;
      }
      // A part of the echo may be followed by the rest at any time.
      const begun = this.#rest.length === 0 || (this.verify && echo === "part");
      const event = begun ? await this.more() : await withTimeout(this.more(), QUIET_MS);
      if (event === false && begun) throw this.gone();
      quiet = event === TIMED_OUT || event === false;
    }
  }

  /** The line that says why the server is about to close is left for {@linkcode gone}. */
  override takeUnasked(): Uint8Array {
    return errorReason(this.#rest) === undefined ? this.#takeAll() : new Uint8Array();
  }

  protected override lastWords(): Uint8Array {
    return this.#rest.subarray(0, this.#rest.indexOf(LF) + 1);
  }

  #takeAll(): Uint8Array {
    const taken = this.#rest;
    this.#rest = new Uint8Array();
    return taken;
  }
}
