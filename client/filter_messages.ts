import { readStdin } from "../cli/stdio.ts";
import type { PeerOutput } from "../cli/terminal.ts";
import { CHUNK_SIZE, LineSplitter } from "../protocol.ts";
import { interruption, relay } from "./conversation.ts";
import type { Dialogue } from "./dialogue.ts";

/**
 * The filter in chunk framing: a line of stdin is a message, its LF included, and the next waits for its reply. A
 * message is never more than a chunk, so the rest of a longer line need not have come.
 *
 * @throws {Failure} when a message gets no reply.
 */
export async function filterMessages(
  dialogue: Dialogue,
  output: PeerOutput,
  stop: AbortSignal,
): Promise<void> {
  const interrupted = interruption(dialogue, stop);
  const splitter = new LineSplitter(CHUNK_SIZE);
  for await (const bytes of readStdin(stop)) {
    for (const message of splitter.split(bytes)) await relay(dialogue, message, output, interrupted);
  }
  if (stop.aborted) await interrupted;
  await relay(dialogue, splitter.takeRest(), output, interrupted);
}
