import type { PeerOutput } from "../cli/terminal.ts";
import { aborted } from "../net/stream.ts";
import { CHUNK_SIZE } from "../protocol.ts";
import type { Dialogue } from "./dialogue.ts";

/** Sends each message when the one before is answered, and prints the replies. @throws {Failure} */
export async function sendMessages(
  dialogue: Dialogue,
  messages: string[],
  output: PeerOutput,
  stop: AbortSignal,
): Promise<void> {
  const interrupted = interruption(dialogue, stop);
  for (const message of messages) await relayText(dialogue, message, output, interrupted);
}

/** Rejects when the user stops the client. */
export function interruption(dialogue: Dialogue, stop: AbortSignal): Promise<never> {
  const interrupted = aborted(stop).then(() => {
    throw dialogue.failure("interrupted");
  });
  interrupted.catch(() => {}); // nothing may be waiting for it
  return interrupted;
}

/**
 * Asks and prints the reply; in chunk framing with no more at a time than a classic server reads at once.
 *
 * @returns false if `end` came first.
 */
export async function relay(
  dialogue: Dialogue,
  message: Uint8Array,
  output: PeerOutput,
  end: Promise<unknown>,
): Promise<boolean> {
  const size = dialogue.framing === "line" ? message.length : CHUNK_SIZE;
  for (let at = 0; at < message.length; at += size) {
    const reply = await Promise.race([dialogue.ask(message.subarray(at, at + size)), end]);
    if (!(reply instanceof Uint8Array)) return false;
    await output.write(reply);
  }
  return true;
}

/** Relays a text that is a line, or in chunk framing a message without LF, whose reply is printed as a line. */
export async function relayText(
  dialogue: Dialogue,
  text: string,
  output: PeerOutput,
  end: Promise<unknown>,
): Promise<boolean> {
  const lines = dialogue.framing === "line";
  if (!await relay(dialogue, new TextEncoder().encode(lines ? `${text}\n` : text), output, end)) return false;
  if (!lines) await output.control("\n");
  return true;
}
