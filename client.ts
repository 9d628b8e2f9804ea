/**
 * The client: connects, and then talks in one of three ways.
 *
 * The classic client of Python's chapter reads a line at a prompt, sends it, and prints what one `recv` gives. That is
 * the prompt here, too, but a reply is read until its end, which `recv` does not promise, and is held against what was
 * sent. `--message` does the same without a terminal. In a pipe it is a filter: waiting for each reply would cost a round
 * trip a line, so one task sends while another receives, and neither may run ahead of what memory holds.
 */
import { isInteractive, PeerOutput } from "./cli/terminal.ts";
import { sendMessages } from "./client/conversation.ts";
import { DatagramDialogue } from "./client/datagrams.ts";
import { ChunkDialogue } from "./client/chunk_dialogue.ts";
import type { Dialogue } from "./client/dialogue.ts";
import { DatagramFilter } from "./client/filter_datagrams.ts";
import { LineFilter } from "./client/filter_lines.ts";
import { filterMessages } from "./client/filter_messages.ts";
import { LineDialogue } from "./client/line_dialogue.ts";
import { prompt } from "./client/prompt.ts";
import { dialDatagrams, type DialOptions, dialStream } from "./net/dial.ts";
import { formatEndpoint } from "./net/endpoint.ts";
import { closeQuietly } from "./net/stream.ts";
import { transportOf } from "./net/transports.ts";
import type { Framing } from "./protocol.ts";

/** What `tsecho client` was asked for. Durations are in milliseconds, 0 for none. */
export interface ClientOptions extends DialOptions {
  /** The longest wait for a reply. */
  timeout: number;
  framing: Framing;
  /** Whether a reply must be what was sent, behind a stamp or alone. */
  verify: boolean;
  /** What to send and then end, instead of stdin. */
  messages: string[];
  /** The most datagrams that a filter sends a second; 0 for as many as are answered. */
  udpRate: number;
}

/** What the client does where nothing else is asked for. */
export const CLIENT_DEFAULTS = {
  timeout: 10_000,
  framing: "line",
  verify: true,
  // Half of what a server answers to one source by default: there may be two clients behind one address.
  udpRate: 500,
} as const satisfies Partial<ClientOptions>;

/**
 * Connects and talks: sends the messages given, or prompts where stdin and stdout are a terminal, or else filters.
 *
 * @param stop ends the input early: what is under way may still be answered, but not all was sent, which is a failure.
 * @throws {Failure} when not everything was answered, or the server went away from the prompt.
 */
export async function runClient(options: ClientOptions, stop: AbortSignal): Promise<void> {
  if (transportOf(options.endpoint).kind === "datagram") await talkInDatagrams(options, stop);
  else await talkOverStream(options, stop);
}

/** Over a connection, where one reply follows the other. */
async function talkOverStream(options: ClientOptions, stop: AbortSignal): Promise<void> {
  const server = formatEndpoint(options.endpoint);
  const { stream } = await dialStream(options, stop);
  try {
    const output = new PeerOutput();
    const inLines = options.framing === "line";
    const dialogue = new (inLines ? LineDialogue : ChunkDialogue)(stream, server, options);
    if (await converse(dialogue, options, output, stop)) return;
    if (!inLines) await filterMessages(dialogue, output, stop);
    else await new LineFilter(stream, server, options, output, stop).run();
  } finally {
    closeQuietly(stream);
  }
}

/** Over UDP, where a reply may be lost, late or out of order. */
async function talkInDatagrams(options: ClientOptions, stop: AbortSignal): Promise<void> {
  const server = formatEndpoint(options.endpoint);
  const peer = await dialDatagrams(options, stop);
  try {
    const output = new PeerOutput();
    const dialogue = new DatagramDialogue(peer, server, options.timeout);
    if (await converse(dialogue, options, output, stop)) return;
    await new DatagramFilter(peer, server, options, output, stop).run();
  } finally {
    closeQuietly(peer);
  }
}

/** Sends the messages given, or prompts on a terminal. @returns false where a filter is wanted instead. */
async function converse(
  dialogue: Dialogue,
  { messages }: ClientOptions,
  output: PeerOutput,
  stop: AbortSignal,
): Promise<boolean> {
  if (messages.length > 0) await sendMessages(dialogue, messages, output, stop);
  else if (isInteractive()) await prompt(dialogue, output, stop);
  else return false;
  await dialogue.end();
  return true;
}
