import { dialDatagrams, type DialOptions, dialStream } from "./cli/dial.ts";
import { escapeLines, Failure, formatMillis, note, standardIo } from "./cli/text.ts";
import { countLf } from "./kernel/kernel.ts";
import { formatEndpoint } from "./net/endpoint.ts";
import { isClosedHere, isPeerGone, reasonOf, TlsFailure } from "./net/errors.ts";
import { aborted, closeQuietly, type Stream, writeAll } from "./net/stream.ts";
import type { DatagramPeer } from "./net/transport.ts";
import { transportOf } from "./net/transports.ts";
import { CHUNK_SIZE, concat, DatagramReplies, errorReason, type Framing, LF, Replies } from "./protocol.ts";

/** What `tsecho client` was asked for. Durations are in milliseconds, 0 for none. */
export interface ClientOptions extends DialOptions {
  /** The longest wait for a reply. */
  timeout: number;
  framing: Framing;
  /** What to send and then end, instead of stdin. */
  messages: string[];
  /** The most datagrams that a filter sends a second; 0 for as many as are answered. */
  udpRate: number;
}

const READ_SIZE = 64 * 1024;
/** The filter's reads: standard I/O is done by other threads, and each handover costs more than many bytes. */
const FILTER_READ_SIZE = 512 * 1024;
/** In chunk framing nothing marks a reply's end: one that does not end as the message did ends with such a silence. */
const CHUNK_QUIET_MS = 200;
/** A reply may be longer than its message by a prefix. A server that sends so much more is no line echo. */
const MOST_EXTRA = 64 * 1024;
/** After the last reply, how long the server may take to close in its turn. */
const CLOSE_WAIT_MS = 1000;
/** Moves the cursor to the line's beginning and clears it (ECMA-48, EL). */
const CLEAR_LINE = "\r\x1b[K";
/** How often a filter looks whether the reply it waits for is late. */
const WATCH_MS = 100;
/** The most datagrams of a filter that are on their way at once: what is more could overflow a socket's buffer. */
const WINDOW = 32;
/** A filter that was kept from sending makes up for no more than this. */
const BURST_MS = 20;

/**
 * Connects and talks: the messages given, or a prompt where stdin and stdout are a terminal, or else a filter.
 *
 * @param stop ends the input early: what is under way may still be answered, but not all was sent, which is a failure.
 * @throws {Failure} when not everything was answered, or the server went away from the prompt.
 */
export async function runClient(options: ClientOptions, stop: AbortSignal): Promise<void> {
  const server = formatEndpoint(options.endpoint);
  if (transportOf(options.endpoint).kind === "datagram") {
    const peer = await dialDatagrams(options, stop);
    try {
      const talked = await converse(new DatagramDialogue(peer, server, options.timeout), options, stop);
      if (!talked) await filterDatagrams(peer, server, options, stop);
    } finally {
      closeQuietly(peer);
    }
    return;
  }
  const { stream } = await dialStream(options, stop);
  try {
    const dialogue = new StreamDialogue(stream, server, options);
    if (await converse(dialogue, options, stop)) return;
    if (options.framing === "line") await filterLines(stream, server, options.timeout, stop);
    else await filterMessages(dialogue, stop);
  } finally {
    closeQuietly(stream);
  }
}

/** Sends the messages given, or prompts on a terminal. @returns false where a filter is wanted instead. */
async function converse(
  dialogue: Dialogue,
  { messages }: ClientOptions,
  stop: AbortSignal,
): Promise<boolean> {
  if (messages.length > 0) await sendMessages(dialogue, messages, stop);
  else if (Deno.stdin.isTerminal() && Deno.stdout.isTerminal()) await prompt(dialogue, stop);
  else return false;
  await dialogue.end();
  return true;
}

/** Writes replies to stdout: byte for byte, but onto a terminal with control characters escaped. */
class Output {
  readonly #decoder = Deno.stdout.isTerminal() ? new TextDecoder() : undefined;

  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    await this.#write(this.#decoder === undefined ? bytes : this.#safe(bytes));
  }

  /** Writes what moves a terminal's cursor, or ends a line. */
  async control(text: string): Promise<void> {
    await this.#write(new TextEncoder().encode(text));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await standardIo("write", "standard output", writeAll(Deno.stdout, bytes));
  }

  #safe(bytes: Uint8Array): Uint8Array {
    return new TextEncoder().encode(escapeLines(this.#decoder!.decode(bytes, { stream: true })));
  }
}

/** One message, one reply, in turn. */
interface Dialogue {
  readonly framing: Framing;
  /**
   * Sends a message and waits for its reply, which is returned with its LF in line framing; over UDP nothing is
   * returned when it is lost.
   *
   * @param message with its LF in line framing.
   * @throws {Failure} when the conversation cannot go on.
   */
  ask(message: Uint8Array): Promise<Uint8Array>;
  /** Waits for bytes; false when none come any more. While nothing was asked they are the server's own idea. */
  more(): Promise<boolean>;
  /** Bytes that came without being asked for. */
  takeUnasked(): Uint8Array;
  /** Why the conversation has ended. */
  gone(): Failure;
  /** What a conversation that cannot go on ends with. */
  failure(reason: string): Failure;
  /** Ends the conversation in order. @throws {Failure} if not everything was answered. */
  end(): Promise<void>;
}

class StreamDialogue implements Dialogue {
  readonly framing: Framing;
  readonly #conn: Stream;
  readonly #server: string;
  readonly #timeout: number;
  readonly #buffer = new Uint8Array(READ_SIZE);
  /** Bytes that have arrived and are no reply yet. */
  #rest = new Uint8Array();
  #reading: Promise<boolean> | undefined;
  #end = "the server closed the connection";

  constructor(conn: Stream, server: string, options: ClientOptions) {
    this.#conn = conn;
    this.#server = server;
    this.#timeout = options.timeout;
    this.framing = options.framing;
  }

  async ask(message: Uint8Array): Promise<Uint8Array> {
    let timer;
    const late = new Promise<never>((_, reject) => {
      if (this.#timeout === 0) return;
      const failure = this.failure(`no reply in ${formatMillis(this.#timeout)}`);
      timer = setTimeout(() => reject(failure), this.#timeout);
    });
    try {
      return await Promise.race([this.#exchange(message), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  more(): Promise<boolean> {
    return this.#reading ??= this.#read().finally(() => this.#reading = undefined);
  }

  /** Not the reason why the server is about to close: that is for {@linkcode gone}. */
  takeUnasked(): Uint8Array {
    if (errorReason(this.#rest) !== undefined && this.#rest.length < MOST_EXTRA) return new Uint8Array();
    return this.#take(this.#rest.length);
  }

  gone(): Failure {
    const reason = errorReason(this.#rest.subarray(0, this.#rest.indexOf(LF) + 1));
    return this.failure(reason === undefined ? this.#end : `the server says: ${reason}`);
  }

  async #exchange(message: Uint8Array): Promise<Uint8Array> {
    try {
      await writeAll(this.#conn, message);
    } catch (error) {
      if (!isPeerGone(error)) throw error;
      while (await this.more()); // the reason may still be on its way
      throw this.gone();
    }
    for (;;) {
      const length = this.framing === "line" ? this.#rest.indexOf(LF) + 1 : await this.#chunkLength(message);
      if (length > 0) return this.#checked(this.#take(length), message);
      if (this.#rest.length > message.length + MOST_EXTRA) {
        throw this.failure("what it sends is no reply to the message");
      }
      if (!await this.more()) throw this.gone();
    }
  }

  #checked(reply: Uint8Array, message: Uint8Array): Uint8Array {
    const reason = errorReason(reply);
    if (reason !== undefined && errorReason(message) === undefined) {
      throw this.failure(`the server says: ${reason}`);
    }
    return reply;
  }

  /** Waits for the rest of a reply in chunk framing of which something has arrived; its length then, 0 before. */
  async #chunkLength(message: Uint8Array): Promise<number> {
    while (this.#rest.length > 0 && !endsWith(this.#rest, message)) {
      let timer;
      const quiet = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), CHUNK_QUIET_MS));
      const came = await Promise.race([this.more(), quiet]);
      clearTimeout(timer);
      if (!came) break;
    }
    return this.#rest.length;
  }

  #take(length: number): Uint8Array {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  async #read(): Promise<boolean> {
    try {
      const n = await this.#conn.read(this.#buffer);
      if (n === null) return false;
      this.#rest = concat(this.#rest, this.#buffer.subarray(0, n));
      return true;
    } catch (error) {
      if (!isPeerGone(error)) throw error;
      this.#end = howServerWent(error);
      return false;
    }
  }

  failure(reason: string): Failure {
    return new Failure("talk to", this.#server, reason);
  }

  async end(): Promise<void> {
    // Over TLS a close without it is a stream cut off, for the server.
    let timer;
    const late = new Promise((resolve) => timer = setTimeout(resolve, CLOSE_WAIT_MS));
    await Promise.race([this.#conn.closeWrite().catch(() => {}), late]);
    clearTimeout(timer);
  }
}

/** Why nothing comes from the server any more, when it is not that it has closed in order. */
function howServerWent(error: unknown): string {
  if (error instanceof TlsFailure) return error.message;
  return error instanceof Deno.errors.UnexpectedEof
    ? "the connection was cut off, without the end that TLS asks for"
    : "the server reset the connection";
}

/** Datagrams are lost without a word: a line that gets no reply is noted, and the conversation goes on. */
class DatagramDialogue implements Dialogue {
  readonly framing = "line";
  readonly #peer: DatagramPeer;
  readonly #server: string;
  readonly #timeout: number;
  readonly #replies = new DatagramReplies();
  readonly #received: Uint8Array[] = [];
  #receiving: Promise<boolean> | undefined;

  constructor(peer: DatagramPeer, server: string, timeout: number) {
    this.#peer = peer;
    this.#server = server;
    this.#timeout = timeout;
  }

  async ask(message: Uint8Array): Promise<Uint8Array> {
    await sendDatagram(this.#peer, this.#server, message, this.#replies);
    let timer;
    const late = new Promise<"late">((resolve) => {
      if (this.#timeout > 0) timer = setTimeout(() => resolve("late"), this.#timeout);
    });
    try {
      for (;;) {
        for (let reply; (reply = this.#received.shift()) !== undefined;) {
          if (this.#replies.arrived(reply)) return asLine(reply);
        }
        const event = await Promise.race([this.more(), late]);
        if (event === false) throw this.gone();
        if (event === "late") break;
      }
    } finally {
      clearTimeout(timer);
    }
    this.#replies.expire(Infinity);
    await note(`no reply in ${formatMillis(this.#timeout)}`);
    return new Uint8Array();
  }

  more(): Promise<boolean> {
    return this.#receiving ??= this.#receive().finally(() => this.#receiving = undefined);
  }

  takeUnasked(): Uint8Array {
    return this.#received.splice(0).map(asLine).reduce(concat, new Uint8Array());
  }

  gone(): Failure {
    return this.failure("the socket is closed");
  }

  failure(reason: string): Failure {
    return new Failure("talk to", this.#server, reason);
  }

  end(): Promise<void> {
    return checkAnswered(this.#replies, this.#server, `no reply in ${formatMillis(this.#timeout)}`);
  }

  async #receive(): Promise<boolean> {
    try {
      const reply = await this.#peer.receive();
      this.#received.push(reply);
      return true;
    } catch (error) {
      return !isClosedHere(error);
    }
  }
}

/** A reply as it is printed: a line. */
function asLine(reply: Uint8Array): Uint8Array {
  return reply.at(-1) === LF ? reply : concat(reply, Uint8Array.of(LF));
}

/** Sends a datagram, and takes note of it. @throws {Failure} */
async function sendDatagram(
  peer: DatagramPeer,
  server: string,
  bytes: Uint8Array,
  replies: DatagramReplies,
): Promise<void> {
  checkSize(bytes, peer, server);
  replies.sending(bytes, performance.now());
  try {
    await peer.send(bytes);
  } catch (error) {
    throw new Failure("send to", server, reasonOf(error), { cause: error });
  }
}

function checkSize({ length }: Uint8Array, { maxSize }: DatagramPeer, server: string): void {
  if (length <= maxSize) return;
  const reason = `a line of ${maxSize} bytes is the longest that a datagram carries`;
  throw new Failure("send to", server, reason);
}

/** @param why what a datagram that was not answered came to. @throws {Failure} unless all were answered. */
async function checkAnswered(replies: DatagramReplies, server: string, why: string): Promise<void> {
  const { answered, waiting, lost, reordered } = replies;
  const order = reordered === 0 ? "" : `; ${reordered} of ${answered} replies came out of order`;
  const missing = lost + waiting;
  if (missing > 0) {
    const count = `${missing} of ${answered + missing} lines sent were not answered`;
    throw new Failure("get every line answered by", server, `${why}; ${count}${order}`);
  }
  if (reordered > 0) await note(order.slice(2));
}

function endsWith(bytes: Uint8Array, end: Uint8Array): boolean {
  const from = bytes.length - end.length;
  return from >= 0 && end.every((byte, i) => bytes[from + i] === byte);
}

/** Rejects when the user has had enough. */
function interruption(dialogue: Dialogue, stop: AbortSignal): Promise<never> {
  const interrupted = aborted(stop).then(() => {
    throw dialogue.failure("interrupted");
  });
  interrupted.catch(() => {}); // it may come when nobody waits for it
  return interrupted;
}

async function sendMessages(dialogue: Dialogue, messages: string[], stop: AbortSignal): Promise<void> {
  const output = new Output();
  const interrupted = interruption(dialogue, stop);
  for (const message of messages) await relayText(dialogue, message, output, interrupted);
}

/**
 * Asks and prints the reply; in chunk framing with no more at a time than a classic server reads at once.
 *
 * @returns false if `end` came first.
 */
async function relay(
  dialogue: Dialogue,
  message: Uint8Array,
  output: Output,
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
async function relayText(
  dialogue: Dialogue,
  text: string,
  output: Output,
  end: Promise<unknown>,
): Promise<boolean> {
  const lines = dialogue.framing === "line";
  if (!await relay(dialogue, new TextEncoder().encode(lines ? `${text}\n` : text), output, end)) return false;
  if (!lines) await output.control("\n");
  return true;
}

/** The conversation on a terminal. Ends when the user does; throws when the server does. */
async function prompt(dialogue: Dialogue, stop: AbortSignal): Promise<void> {
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
  const output = new Output();
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
    if (behindPrompt) await output.control("\n"); // what follows is to begin a line of its own
  }
}

/** Reads stdin until its end, or until told to stop. */
async function* readInput(stop: AbortSignal): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(FILTER_READ_SIZE);
  const stopped = aborted(stop).then(() => null);
  for (;;) {
    const n = await Promise.race([standardIo("read", "standard input", Deno.stdin.read(buffer)), stopped]);
    if (n === null) return;
    yield buffer.subarray(0, n);
  }
}

/** The filter in chunk framing: a line of stdin is a message, its LF included, and the next waits for its reply. */
async function filterMessages(dialogue: StreamDialogue, stop: AbortSignal): Promise<void> {
  const output = new Output();
  const interrupted = interruption(dialogue, stop);
  const answer = (line: Uint8Array) => relay(dialogue, line, output, interrupted);
  let begun = new Uint8Array();
  for await (const bytes of readInput(stop)) {
    let from = 0;
    for (let end; (end = bytes.indexOf(LF, from) + 1) > 0; from = end) {
      await answer(concat(begun, bytes.subarray(from, end)));
      begun = new Uint8Array();
    }
    begun = concat(begun, bytes.subarray(from));
    // A message takes no more than a chunk: what exceeds it need not wait for the line's end.
    while (begun.length > CHUNK_SIZE) {
      await answer(begun.subarray(0, CHUNK_SIZE));
      begun = begun.slice(CHUNK_SIZE);
    }
  }
  if (stop.aborted) await interrupted;
  await answer(begun);
}

/**
 * The filter over UDP: a line is a datagram, its LF included. Several are on their way at once, but nothing holds up a
 * sender of datagrams that is too fast: what keeps it from losing them is a window and a rate.
 */
async function filterDatagrams(
  peer: DatagramPeer,
  server: string,
  { timeout, udpRate }: ClientOptions,
  stop: AbortSignal,
): Promise<void> {
  const replies = new DatagramReplies();
  const output = new Output();
  let arrived = Promise.withResolvers<void>();
  let printing = false;
  /** Since when replies are looked at as they come: not while stdout was blocked. */
  let listeningSince = 0;
  const receiving = (async () => {
    for (;;) {
      const reply = await peer.receive();
      if (!replies.arrived(reply)) continue;
      const began = performance.now();
      printing = true;
      await output.write(asLine(reply));
      printing = false;
      if (performance.now() - began > WATCH_MS) listeningSince = performance.now();
      arrived.resolve();
    }
  })();
  receiving.catch(() => {}); // those who wait are told

  /** Waits for a reply, but no longer; gives up datagrams whose time is over. */
  const wait = async (millis: number) => {
    let timer;
    const enough = new Promise<void>((resolve) => timer = setTimeout(resolve, millis));
    await Promise.race([arrived.promise, enough, receiving]);
    clearTimeout(timer);
    arrived = Promise.withResolvers();
    const patience = stop.aborted ? CLOSE_WAIT_MS : timeout;
    const now = performance.now();
    if (!printing && patience > 0 && now - listeningSince > patience) replies.expire(now - patience);
  };

  let nextAt = 0;
  const send = async (line: Uint8Array) => {
    for (let early; udpRate > 0 && (early = nextAt - performance.now()) > 0;) await wait(early);
    while (replies.waiting >= WINDOW) await wait(WATCH_MS);
    if (udpRate > 0) nextAt = Math.max(nextAt, performance.now() - BURST_MS) + 1000 / udpRate;
    await sendDatagram(peer, server, line, replies);
  };

  let begun = new Uint8Array();
  for await (const bytes of readInput(stop)) {
    let from = 0;
    for (let end; (end = bytes.indexOf(LF, from) + 1) > 0; from = end) {
      await send(concat(begun, bytes.subarray(from, end)));
      begun = new Uint8Array();
    }
    begun = concat(begun, bytes.subarray(from));
    checkSize(begun, peer, server);
  }
  if (begun.length > 0 && !stop.aborted) await send(begun);
  while (replies.waiting > 0) await wait(WATCH_MS);
  if (stop.aborted) throw new Failure("get every line answered by", server, "interrupted");
  await checkAnswered(replies, server, `no reply in ${formatMillis(timeout)}`);
}

/**
 * The filter in line framing: lines go out as fast as the server takes them, replies come in as fast as stdout takes
 * them, and neither waits for the other. What is in flight is in the sockets' buffers, so that memory stays bounded.
 */
async function filterLines(
  conn: Stream,
  server: string,
  timeout: number,
  stop: AbortSignal,
): Promise<void> {
  const replies = new Replies();
  const output = new Output();
  let sent = 0;
  /** Whether a line has been begun that has no LF yet. */
  let begun = false;
  let writing = false;
  let inputEnded = false;
  /** When the wait for the server began that is going on, or when it last brought a reply. */
  let waitingSince = 0;
  let printing = false;
  let end = "the server closed the connection";
  /** Whether a TLS stream has ended without its own end: what came may not be all. */
  let truncated = false;
  let fault: unknown;

  const sending = (async () => {
    for await (const bytes of readInput(stop)) {
      if (sent === replies.answered) waitingSince = performance.now();
      replies.sending(bytes);
      sent += countLf(bytes);
      begun = bytes.at(-1) !== LF;
      writing = true;
      await writeAll(conn, bytes);
      writing = false;
    }
    if (begun) sent++;
    begun = false;
    inputEnded = true;
    waitingSince = performance.now();
    await conn.closeWrite();
  })();
  sending.catch((error) => {
    if (isPeerGone(error)) return; // the receiving side learns it too, after the replies that are still to come
    fault = error;
    closeQuietly(conn);
  });

  const watch = setInterval(() => {
    const waited = performance.now() - waitingSince;
    if (sent > replies.answered || writing) {
      const patience = stop.aborted ? CLOSE_WAIT_MS : timeout;
      if (printing || patience === 0 || waited <= patience) return;
      end = `no reply in ${formatMillis(timeout)}`;
    } else if (!inputEnded || waited <= CLOSE_WAIT_MS) {
      return;
    }
    closeQuietly(conn);
  }, WATCH_MS);

  const read = async (buffer: Uint8Array<ArrayBuffer>) => {
    try {
      return await conn.read(buffer);
    } catch (error) {
      if (!isPeerGone(error)) throw error;
      if (!isClosedHere(error)) end = howServerWent(error);
      truncated = error instanceof Deno.errors.UnexpectedEof;
      return null;
    }
  };
  // One buffer is read into while the other is written out.
  let [reading, writingOut] = [new Uint8Array(FILTER_READ_SIZE), new Uint8Array(FILTER_READ_SIZE)];
  let printed: Promise<void> = Promise.resolve();
  try {
    for (let n; (n = await read(reading)) !== null;) {
      const before = replies.answered;
      const bytes = replies.arrived(reading.subarray(0, n));
      await printed;
      printing = true;
      printed = output.write(bytes).finally(() => printing = false);
      // stdout is gone: there is nothing left to read for.
      printed.catch(() => closeQuietly(conn));
      [reading, writingOut] = [writingOut, reading];
      // What is no answer to a line of ours, a drop of one or a line too many, does not prolong the wait.
      if (before < sent && replies.answered > before) waitingSince = performance.now();
    }
    await printed;
  } finally {
    clearInterval(watch);
  }
  if (fault !== undefined) throw fault;
  await output.write(replies.ended());
  const whole = inputEnded && !truncated && replies.error === undefined && !stop.aborted;
  if (whole && replies.answered >= sent) return;
  if (begun) sent++;
  const why = replies.error !== undefined
    ? `the server says: ${replies.error}`
    : stop.aborted
    ? "interrupted"
    : end;
  const missing = sent - replies.answered;
  const count = missing > 0 ? `; ${missing} of ${sent} lines sent were not answered` : "";
  throw new Failure("get every line answered by", server, why + count);
}
