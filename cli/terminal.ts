import { escapeLines } from "../failure.ts";
import { writeStdout } from "./stdio.ts";

/** Whether a person sits at both ends of stdin and stdout. */
export function isInteractive(): boolean {
  return Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
}

/** Whether stdout is a terminal whose cursor may be moved: not with NO_COLOR, nor where TERM says that it cannot be. */
export function canMoveCursor(): boolean {
  const term = { name: "env", variable: "TERM" } as const;
  const isDumb = Deno.permissions.querySync(term).state === "granted" && Deno.env.get("TERM") === "dumb";
  return Deno.stdout.isTerminal() && !Deno.noColor && !isDumb;
}

/** The width of the terminal at stdout; 0 where it is unknown, as once the terminal has gone. */
export function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 0; // each version of Deno has another error for it
  }
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
