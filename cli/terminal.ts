import { escapeLines } from "../failure.ts";
import { writeStdout } from "./stdio.ts";

/** Whether a person sits at both ends of stdin and stdout. */
export function isInteractive(): boolean {
  return Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
}

/** Writes a peer's bytes to stdout: byte for byte, but onto a terminal with control characters escaped. */
export class PeerOutput {
  readonly #decoder = Deno.stdout.isTerminal() ? new TextDecoder() : undefined;

  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    await writeStdout(this.#decoder === undefined ? bytes : this.#escape(bytes));
  }

  /** Writes the program's own text as it is: what moves the cursor, or ends a line. */
  async control(text: string): Promise<void> {
    await writeStdout(new TextEncoder().encode(text));
  }

  #escape(bytes: Uint8Array): Uint8Array {
    return new TextEncoder().encode(escapeLines(this.#decoder!.decode(bytes, { stream: true })));
  }
}
