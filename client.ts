import { escapeLines, Failure, formatMillis, standardIo } from "./cli/text.ts";
import { countLf } from "./kernel/kernel.ts";
import { type Endpoint, formatEndpoint } from "./net/endpoint.ts";
import { isPeerGone, reasonOf } from "./net/errors.ts";
import { aborted, closeQuietly, writeAll } from "./net/stream.ts";
import { connectTcp } from "./net/tcp.ts";
import { CHUNK_SIZE, concat, errorReason, type Framing, LF, Replies } from "./protocol.ts";

/** What `tsecho client` was asked for. Durations are in milliseconds, 0 for none. */
export interface ClientOptions {
  endpoint: Endpoint;
  /** Connect over this IP version only. */
  family?: 4 | 6;
  connectTimeout: number;
  /** The longest wait for a reply. */
  timeout: number;
  framing: Framing;
  /** What to send and then end, instead of stdin. */
  messages: string[];
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

/**
 * Connects and talks: the messages given, or a prompt where stdin and stdout are a terminal, or else a filter.
 *
 * @param stop ends the input early: what is under way may still be answered, but not all was sent, which is a failure.
 * @throws {Failure} when not everything was answered, or the server went away from the prompt.
 */
export async function runClient(options: ClientOptions, stop: AbortSignal): Promise<void> {
  const { endpoint, family, connectTimeout, framing, messages } = options;
  const server = formatEndpoint(endpoint);
  let conn;
  try {
    conn = await connectTcp(endpoint, { ...(family && { family }), timeout: connectTimeout, signal: stop });
  } catch (error) {
    throw new Failure("connect to", server, stop.aborted ? "interrupted" : reasonOf(error), { cause: error });
  }
  try {
    if (messages.length > 0) {
      await sendMessages(new Dialogue(conn, server, options), messages, stop);
    } else if (Deno.stdin.isTerminal() && Deno.stdout.isTerminal()) {
      await prompt(new Dialogue(conn, server, options), stop);
    } else if (framing === "line") {
      await filterLines(conn, server, options.timeout, stop);
    } else {
      await filterMessages(new Dialogue(conn, server, options), stop);
    }
  } finally {
    closeQuietly(conn);
  }
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
class Dialogue {
  readonly framing: Framing;
  readonly #conn: Deno.TcpConn;
  readonly #server: string;
  readonly #timeout: number;
  readonly #buffer = new Uint8Array(READ_SIZE);
  /** Bytes that have arrived and are no reply yet. */
  #rest = new Uint8Array();
  #reading: Promise<boolean> | undefined;
  #end = "the server closed the connection";

  constructor(conn: Deno.TcpConn, server: string, options: ClientOptions) {
    this.#conn = conn;
    this.#server = server;
    this.#timeout = options.timeout;
    this.framing = options.framing;
  }

  /**
   * Sends a message and waits for its reply, which is returned with its LF in line framing.
   *
   * @param message with its LF in line framing.
   * @throws {Failure} when there is no reply in time, or an error reply, or the server goes.
   */
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

  /** Waits for bytes; false when none come any more. While nothing was asked they are the server's own idea. */
  more(): Promise<boolean> {
    return this.#reading ??= this.#read().finally(() => this.#reading = undefined);
  }

  /** Bytes that came without being asked for, unless they are the reason why the server is about to close. */
  takeUnasked(): Uint8Array {
    if (errorReason(this.#rest) !== undefined && this.#rest.length < MOST_EXTRA) return new Uint8Array();
    return this.#take(this.#rest.length);
  }

  /** Why the conversation has ended. */
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
      this.#end = "the server reset the connection";
      return false;
    }
  }

  /** What a conversation that cannot go on ends with. */
  failure(reason: string): Failure {
    return new Failure("talk to", this.#server, reason);
  }
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
async function filterMessages(dialogue: Dialogue, stop: AbortSignal): Promise<void> {
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
 * The filter in line framing: lines go out as fast as the server takes them, replies come in as fast as stdout takes
 * them, and neither waits for the other. What is in flight is in the sockets' buffers, so that memory stays bounded.
 */
async function filterLines(
  conn: Deno.TcpConn,
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
      if (error instanceof Deno.errors.ConnectionReset) end = "the server reset the connection";
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
  if (inputEnded && replies.answered >= sent && replies.error === undefined && !stop.aborted) return;
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
