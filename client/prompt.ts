import { CLEAR_LINE, type PeerOutput } from "../cli/terminal.ts";
import { relayText } from "./conversation.ts";
import type { Dialogue } from "./dialogue.ts";

/** The conversation on a terminal, with line editing and history. Ends when the user ends it. @throws {Failure} */
export async function prompt(dialogue: Dialogue, output: PeerOutput, stop: AbortSignal): Promise<void> {
  // Loaded here because it takes longer to load than all of the rest.
  const [readline, { default: process }] = await Promise.all([
    import("node:readline"),
    import("node:process"),
  ]);
  const terminal = readline.createInterface({ input: process.stdin, output: process.stdout, prompt: "> " });
  const lines: string[] = [];
  let typed = Promise.withResolvers<"typed">();
  terminal.on("line", (line: string) => {
    lines.push(line);
    typed.resolve("typed");
  });
  const closed = new Promise<"closed">((resolve) => terminal.on("close", () => resolve("closed")));
  terminal.on("SIGINT", () => terminal.close()); // in raw mode Ctrl-C is a key, not a signal
  const onStop = () => terminal.close();
  stop.addEventListener("abort", onStop);
  let behindPrompt = true;
  try {
    for (;;) {
      terminal.prompt(true);
      behindPrompt = true;
      while (lines.length === 0) {
        const unasked = dialogue.takeUnasked();
        if (unasked.length > 0) {
          await output.control(CLEAR_LINE);
          await output.write(unasked);
          terminal.prompt(true);
        }
        const event = await Promise.race([typed.promise, closed, dialogue.more()]);
        if (event === "closed") return;
        if (event === false) throw dialogue.gone();
      }
      behindPrompt = false;
      const line = lines.shift()!;
      if (lines.length === 0) typed = Promise.withResolvers();
      if (line === "") return;
      if (!await relayText(dialogue, line, output, closed)) return;
    }
  } finally {
    stop.removeEventListener("abort", onStop);
    terminal.close();
    if (behindPrompt) await output.control("\n"); // what follows begins a line of its own
  }
}
