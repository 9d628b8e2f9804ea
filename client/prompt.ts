import type process from "node:process";
import type { PeerOutput } from "../cli/terminal.ts";
import { relayText } from "./conversation.ts";
import type { Dialogue } from "./dialogue.ts";

/**
 * The conversation on a terminal, with line editing and history. Ends when the user ends it.
 *
 * @throws {Failure} also when it is stopped from outside.
 */
export async function prompt(dialogue: Dialogue, output: PeerOutput, stop: AbortSignal): Promise<void> {
  const editor = await LineEditor.open();
  const onStop = () => editor.close();
  stop.addEventListener("abort", onStop);
  try {
    await converse(editor, dialogue, output);
  } finally {
    stop.removeEventListener("abort", onStop);
    editor.close();
    if (editor.prompting) await output.control("\n"); // what follows begins a line of its own
  }
  if (stop.aborted) throw dialogue.failure("interrupted");
}

async function converse(editor: LineEditor, dialogue: Dialogue, output: PeerOutput): Promise<void> {
  for (;;) {
    editor.prompt();
    while (!editor.hasLine) {
      const unasked = dialogue.takeUnasked();
      if (unasked.length > 0) {
        editor.clear();
        await output.write(unasked);
        editor.prompt();
      }
      const event = await Promise.race([editor.typed, editor.closed, dialogue.more()]);
      if (event === "closed") return;
      if (event === false) throw dialogue.gone();
    }
    const line = editor.takeLine();
    if (line === "" || !await relayText(dialogue, line, output, editor.closed)) return;
  }
}

type Readline = typeof import("node:readline");
type Process = typeof process;

/** Lines typed at a prompt. The terminal is in raw mode: Ctrl-C and Ctrl-Z are keys, not signals. */
class LineEditor {
  readonly closed: Promise<"closed">;
  /** Whether the cursor stands behind a prompt. */
  prompting = false;
  readonly #readline: Readline;
  readonly #process: Process;
  readonly #terminal: ReturnType<Readline["createInterface"]>;
  readonly #lines: string[] = [];
  #isClosed = false;
  #typed = Promise.withResolvers<"typed">();

  private constructor(readline: Readline, process: Process) {
    this.#readline = readline;
    this.#process = process;
    const { stdin: input, stdout: output } = process;
    const terminal = this.#terminal = readline.createInterface({ input, output, prompt: "> " });
    // As a key of its own, Ctrl-\ would be typed as an invisible character; it does nothing, as other unused keys.
    input.prependListener("keypress", (text: string | undefined, key: { name?: string; ctrl: boolean }) => {
      if (key.name === undefined && text !== undefined && text < " ") key.ctrl = true;
    });
    terminal.on("line", (line: string) => {
      this.#lines.push(line);
      this.#typed.resolve("typed");
    });
    terminal.on("SIGINT", () => terminal.close());
    terminal.on("SIGTSTP", () => this.#suspend());
    this.closed = new Promise((resolve) => {
      terminal.on("close", () => {
        this.#isClosed = true;
        resolve("closed");
      });
    });
  }

  /** Loads what it needs, which takes longer than all the rest of the client. */
  static async open(): Promise<LineEditor> {
    const [readline, { default: process }] = await Promise.all([
      import("node:readline"),
      import("node:process"),
    ]);
    return new LineEditor(readline, process);
  }

  /** Resolves when a line has been typed. */
  get typed(): Promise<"typed"> {
    return this.#typed.promise;
  }

  get hasLine(): boolean {
    return this.#lines.length > 0;
  }

  /** The oldest line that was typed; there must be one. */
  takeLine(): string {
    this.prompting = false;
    const line = this.#lines.shift()!;
    if (!this.hasLine) this.#typed = Promise.withResolvers();
    return line;
  }

  /** Shows the prompt, and what has been typed behind it; not when the user has ended the conversation meanwhile. */
  prompt(): void {
    if (this.#isClosed) return;
    this.prompting = true;
    this.#terminal.prompt(true);
  }

  /** Clears the line of the prompt, for something else. */
  clear(): void {
    this.#readline.cursorTo(this.#process.stdout, 0);
    this.#readline.clearLine(this.#process.stdout, 1);
  }

  close(): void {
    this.#terminal.close();
  }

  #suspend(): void {
    const resume = () => {
      this.#process.stdin.setRawMode(true);
      if (this.prompting) this.prompt();
    };
    this.#process.stdin.setRawMode(false);
    this.#process.once("SIGCONT", resume);
    try {
      this.#process.kill(this.#process.pid, "SIGTSTP");
    } catch {
      // Deno before 2.9 sends no signal without all permissions. The key is ignored then.
      this.#process.off("SIGCONT", resume);
      resume();
    }
  }
}
