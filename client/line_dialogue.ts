import { concat } from "@std/bytes/concat";
import { errorReason, isEcho, LineSplitter, MAX_ERROR_LENGTH } from "../protocol.ts";
import { MAX_EXTRA, StreamDialogue } from "./dialogue.ts";

const NOTHING = new Uint8Array();

/** A dialogue in line framing: a reply ends with its LF. */
export class LineDialogue extends StreamDialogue {
  readonly framing = "line";
  readonly #splitter = new LineSplitter(Infinity);
  /** Lines that have arrived and were not taken. */
  readonly #lines: Uint8Array[] = [];

  protected override keep(bytes: Uint8Array): void {
    for (const line of this.#splitter.split(bytes)) this.#lines.push(line.slice());
  }

  protected override async reply(message: Uint8Array): Promise<Uint8Array> {
    while (this.#lines.length === 0) {
      if (this.#splitter.length > message.length + MAX_EXTRA) {
        throw this.failure("what it sends is no reply to the message");
      }
      if (!await this.more()) throw this.gone();
    }
    const reply = this.#lines.shift()!;
    const refusal = isEcho(reply, message) ? undefined : this.refusal(reply, message);
    if (refusal !== undefined) throw refusal;
    return reply;
  }

  /** The line that says why the server is about to close is left for {@linkcode gone}. */
  override takeUnasked(): Uint8Array {
    if (errorReason(this.lastWords()) === undefined) {
      return concat([...this.#lines.splice(0), this.#splitter.takeRest()]);
    }
    return concat(this.#lines.splice(0, this.#lines.length - (this.#splitter.length > 0 ? 0 : 1)));
  }

  protected override lastWords(): Uint8Array {
    const { rest } = this.#splitter;
    if (rest.length === 0) return this.#lines.at(-1) ?? NOTHING;
    return rest.length <= MAX_ERROR_LENGTH ? rest : NOTHING;
  }
}
