import { UsageError } from "./cli/args.ts";
import { dialDatagrams, type DialOptions, dialStream } from "./cli/dial.ts";
import { escapeText, Failure, formatMillis, standardIo } from "./cli/text.ts";
import { Account } from "./latency/account.ts";
import {
  fitting,
  histogramLines,
  interimLine,
  millis,
  percent,
  sparkline,
  summaryLines,
  withBound,
} from "./latency/report.ts";
import { type Happening, Run, type Summary, Tally } from "./latency/run.ts";
import { judge, type Threshold, type Verdict } from "./latency/threshold.ts";
import { CSV_HEADER, newRun, readRun, type Start, toCsv, toRecord } from "./latency/transcript.ts";
import { seconds } from "./latency/units.ts";
import { type Endpoint, formatEndpoint } from "./net/endpoint.ts";
import { isPeerGone, reasonOf, reasonOfFile, TlsFailure } from "./net/errors.ts";
import { aborted, closeQuietly, writeAll } from "./net/stream.ts";
import { transportOf } from "./net/transports.ts";
import { errorReason, LineReader, Probes } from "./protocol.ts";
import { wallMicros } from "./time/clock.ts";
import { PrefixReader, type ReadPrefix } from "./time/stamp.ts";

/** What `tsecho ping` was asked for. Durations are in milliseconds, sizes in bytes. */
export interface PingOptions extends DialOptions {
  /** Lines to send; undefined for as many as fit. */
  count?: number;
  /** From one line to the next; 0 for each as soon as the reply to the one before has come. */
  interval: number;
  /** Payload of a line, without its LF. */
  size: number;
  /** How long to wait for a reply. */
  timeout: number;
  /** When to end, whatever has come; 0 for never. */
  deadline: number;
  /** Lines a second over UDP where the interval is 0; 0 for no limit. */
  udpRate: number;
  /** Leaves out a line for each reply. */
  quiet: boolean;
  /** The local time in front of each reply. */
  timestamps: boolean;
  /** A connection of its own for each line. */
  reconnect: boolean;
  /** Whether one-way delays are to be told, as they are if the clocks agree. */
  clocksSynced: boolean;
  /** Whether a live line may be shown on a terminal. */
  live: boolean;
  /** Where the run is written to, as one JSON document and as CSV: a file, or `-` for stdout. */
  json?: string;
  csv?: string;
  /** Writes the run to stdout while it goes on, a JSON object a line. */
  jsonStream: boolean;
  thresholds: Threshold[];
}

/** What `tsecho ping --from` was asked for. */
export interface ReplayOptions {
  from: string;
  json?: string;
  csv?: string;
  /** Whether one-way delays are to be told even if the run was saved without. */
  clocksSynced: boolean;
  thresholds: Threshold[];
}

/** How a run ended: with a reply at least, without any, or with a threshold broken. */
export type PingOutcome = "replies" | "no replies" | "broken";

const READ_SIZE = 64 * 1024;
/** How often waiting lines are looked at, at most and at least: ms. */
const FASTEST_WATCH_MS = 5;
const SLOWEST_WATCH_MS = 100;
const LIVE_MS = 100;
const INTERVAL_MS = 1000;
/** A datagram may be lost: with an interval of 0 the next one waits for its reply no longer than ping -f does. */
const FLOOD_WAIT_MS = 10;
/** Connections that may be open at once with one for each line. */
const MOST_CONNS = 256;
/** Round trips that the live line shows. */
const SPARKS = 24;
/** Text that waits to be written, in characters, beyond which the next line is sent later. */
const MOST_WAITING = 1 << 20;
/** Moves the cursor to the line's beginning and clears it (ECMA-48, EL). */
const CLEAR_LINE = "\r\x1b[K";

/** What a line and its reply go through: a connection, or a pair of sockets. */
interface Channel {
  /** Whether what is received is one message each time, rather than the bytes of a stream. */
  readonly datagrams: boolean;
  /** Why no more comes from the peer, by the first that is known of it. */
  end?: string | undefined;
  send(bytes: Uint8Array): Promise<void>;
  /** Bytes, valid until the next call; null when no more come. */
  receive(): Promise<Uint8Array | null>;
  close(): void;
}

/** A channel and what it took to open it, in µs; datagrams need no connection. */
interface Opened {
  channel: Channel;
  connect?: number;
  handshake?: number;
}

async function open(options: PingOptions, signal: AbortSignal): Promise<Opened> {
  if (transportOf(options.endpoint).kind === "datagram") {
    const peer = await dialDatagrams(options, signal);
    return {
      channel: {
        datagrams: true,
        send: (bytes) => peer.send(bytes),
        receive: () => peer.receive(),
        close: () => closeQuietly(peer),
      },
    };
  }
  const { stream, connectMs, handshakeMs } = await dialStream(options, signal);
  const buffer = new Uint8Array(READ_SIZE);
  return {
    connect: connectMs * 1000,
    ...(handshakeMs !== undefined && { handshake: handshakeMs * 1000 }),
    channel: {
      datagrams: false,
      send: (bytes) => writeAll(stream, bytes),
      async receive() {
        const n = await stream.read(buffer);
        return n === null ? null : buffer.subarray(0, n);
      },
      close: () => closeQuietly(stream),
    },
  };
}

/**
 * Sends lines and reports what becomes of them.
 *
 * @param stop ends the run, and the summary follows.
 * @param interim calls its argument when the user wants to know how it goes.
 * @throws {Failure} when no connection is made, or an output cannot be written.
 */
export async function runPing(
  options: PingOptions,
  stop: AbortSignal,
  interim: (tell: () => void) => void,
): Promise<PingOutcome> {
  const outputs = await Outputs.open(options);
  try {
    const pinger = new Pinger(options, outputs, stop);
    interim(() => pinger.tellInterim());
    const ended = await pinger.run();
    return await conclude(pinger.results, ended, options, outputs);
  } finally {
    await outputs.close();
  }
}

/**
 * Tells the summary of a saved run, and writes it again.
 *
 * @throws {Failure} when it cannot be read.
 * @throws {UsageError} when it would be written to where it is read from.
 */
export async function replayPing(options: ReplayOptions): Promise<PingOutcome> {
  const { from } = options;
  let saved: ReturnType<typeof readRun>;
  let source;
  try {
    saved = readRun(await Deno.readTextFile(from));
    source = { name: "--from", info: await Deno.stat(from) };
  } catch (error) {
    throw new Failure("read the run", from, reasonOfFile(error), { cause: error });
  }
  const { replies, ended, cut } = saved;
  const start = { ...saved.start, clocks_synced: saved.start.clocks_synced || options.clocksSynced };
  const outputs = await Outputs.open({ ...options, jsonStream: false, live: false, quiet: true }, source);
  try {
    const run = newRun(start);
    await outputs.start(start);
    for (const it of replies) {
      run.add(it);
      outputs.reply(it);
      const full = outputs.room();
      if (full !== undefined) await full;
    }
    if (cut) await tell(`The run in "${from}" has no end: this is what was saved of it`);
    return await conclude(run, ended, { ...options, endpoint: start.endpoint }, outputs);
  } finally {
    await outputs.close();
  }
}

/** @param ended why the run ended before it was to; null if it did not. */
async function conclude(
  run: Run,
  ended: string | null,
  { endpoint, thresholds }: { endpoint: Endpoint | string; thresholds: Threshold[] },
  outputs: Outputs,
): Promise<PingOutcome> {
  const summary = run.summary();
  // Without a reply most metrics cannot be told: that there is none says it all.
  const verdicts = thresholds.map((it) => judge(it, run)).map((it) => ({
    ...it,
    broken: it.broken && (it.value !== null || summary.received > 0),
  }));
  const name = typeof endpoint === "string" ? endpoint : formatEndpoint(endpoint);
  await outputs.end(
    name,
    summary,
    ended,
    run,
    verdicts,
  );
  if (ended !== null) {
    await tell(`Cannot ping "${name}" any further: ${ended}`);
  }
  const broken = verdicts.filter((it) => it.broken);
  for (const { threshold, tag, value } of broken) {
    const what = value === null ? "that cannot be told" : `it is ${shownValue(threshold, value)}`;
    await tell(`Threshold broken: ${threshold}: ${what}${tag === null ? "" : ` for ${tag}`}`);
  }
  if (broken.length > 0) return "broken";
  return summary.received > 0 ? "replies" : "no replies";
}

/** A value in the unit of the threshold that it is compared with. */
function shownValue(threshold: string, value: number): string {
  if (/%/.test(threshold)) return percent(value);
  if (/ppm/.test(threshold)) return `${value.toFixed(3)} ppm`;
  return /[a-zµ]\s*$/.test(threshold) ? `${millis(value)} ms` : String(value);
}

async function tell(text: string): Promise<void> {
  try {
    await writeAll(Deno.stderr, new TextEncoder().encode(`tsecho: ${escapeText(text)}\n`));
  } catch {
    // Nobody is left to tell; the exit code says the rest.
  }
}

/** A file that is in use already, and the option that names it. */
interface UsedFile {
  name: string;
  info: Deno.FileInfo;
}

/** Whether two files are one, whatever their paths: nobody wants one over the other. */
function isSame(one: Deno.FileInfo, other: Deno.FileInfo): boolean {
  return one.ino !== null && one.ino === other.ino && one.dev === other.dev;
}

/** Text that goes to a file or to stdout, in order, without its writer having to wait. */
class TextSink {
  readonly #sink: { write(bytes: Uint8Array): Promise<number> };
  readonly #name: string;
  readonly #file: Deno.FsFile | undefined;
  #waiting = "";
  #writing: Promise<void> | undefined;
  #failure: unknown;
  readonly #failed = Promise.withResolvers<void>();

  constructor(name: string, file?: Deno.FsFile) {
    this.#name = name;
    this.#file = file;
    this.#sink = file ?? Deno.stdout;
  }

  /**
   * @param option that names the file.
   * @param used the files that other options name; this one is added to them.
   */
  static async open(path: string, option: string, used: UsedFile[]): Promise<TextSink> {
    if (path === "-") return new TextSink("standard output");
    let file;
    try {
      // What it holds stays until it is known to be no file that is wanted.
      file = await Deno.open(path, { write: true, create: true });
      const info = await file.stat();
      const other = used.find((it) => info.isFile && isSame(it.info, info));
      if (other !== undefined) {
        throw new UsageError(`use ${option}`, path, `it is the file that ${other.name} names`);
      }
      used.push({ name: option, info });
      if (info.isFile) await file.truncate();
      return new TextSink(path, file);
    } catch (error) {
      file?.close();
      if (error instanceof UsageError) throw error;
      throw new Failure("write", path, reasonOfFile(error), { cause: error });
    }
  }

  write(text: string): void {
    this.#waiting += text;
    this.#writing ??= this.#write();
  }

  /** Resolves when it can be written no more: {@linkcode flush} tells why. */
  get failed(): Promise<void> {
    return this.#failed.promise;
  }

  /** Undefined while there is room for more; else a promise to wait for. */
  full(): Promise<void> | undefined {
    return this.#waiting.length > MOST_WAITING ? this.#writing : undefined;
  }

  /** Resolves when all has been written. @throws what writing has met. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  close(): void {
    this.#file?.close();
  }

  async #write(): Promise<void> {
    await Promise.resolve(); // what is written in the same turn goes out at once
    try {
      while (this.#waiting !== "") {
        const text = this.#waiting;
        this.#waiting = "";
        await standardIo("write", this.#name, writeAll(this.#sink, new TextEncoder().encode(text)));
      }
    } catch (error) {
      this.#failure ??= error;
      this.#waiting = "";
      this.#failed.resolve();
    }
    this.#writing = undefined;
  }
}

/** Where a run goes: text for people unless stdout is wanted for data, and files. */
class Outputs {
  readonly text: TextSink | undefined;
  readonly #json: TextSink | undefined;
  readonly #csv: TextSink | undefined;
  readonly #stream: TextSink | undefined;
  readonly #quiet: boolean;
  readonly live: boolean;
  #replies = 0;
  #liveShown = false;
  readonly #sinks: TextSink[];

  constructor(
    options: { quiet: boolean; live: boolean },
    sinks: { text?: TextSink; json?: TextSink; csv?: TextSink; stream?: TextSink },
  ) {
    this.#quiet = options.quiet;
    this.text = sinks.text;
    this.#json = sinks.json;
    this.#csv = sinks.csv;
    this.#stream = sinks.stream;
    this.#sinks = Object.values(sinks);
    this.live = options.live && !Deno.noColor && sinks.text !== undefined && Deno.stdout.isTerminal();
  }

  /** @param source the file that the run is read from. */
  static async open(
    options: { quiet: boolean; live: boolean; json?: string; csv?: string; jsonStream: boolean },
    source?: UsedFile,
  ): Promise<Outputs> {
    const { json, csv, jsonStream } = options;
    const data = jsonStream || json === "-" || csv === "-";
    const used = source === undefined ? [] : [source];
    return new Outputs(options, {
      ...(!data && { text: new TextSink("standard output") }),
      ...(json !== undefined && { json: await TextSink.open(json, "--json", used) }),
      ...(csv !== undefined && { csv: await TextSink.open(csv, "--csv", used) }),
      ...(jsonStream && { stream: new TextSink("standard output") }),
    });
  }

  /** Resolves when an output can be written no more. */
  get failed(): Promise<void> {
    return Promise.race(this.#sinks.map((it) => it.failed));
  }

  async start(start: Start): Promise<void> {
    this.#json?.write(`{"start":${JSON.stringify(start)},"replies":[`);
    this.#csv?.write(`${CSV_HEADER}\n`);
    this.#object(start);
    await this.room();
  }

  reply(happening: Happening): void {
    this.#csv?.write(`${toCsv(happening)}\n`);
    const stream = this.#quiet ? undefined : this.#stream;
    if ((this.#json ?? stream) === undefined) return;
    const record = toRecord(happening);
    this.#json?.write(`${this.#replies++ === 0 ? "" : ","}\n${JSON.stringify(record)}`);
    stream?.write(`${JSON.stringify(record)}\n`);
  }

  interval(
    from: number,
    to: number,
    sent: number,
    tally: Tally,
    offsets: ReturnType<Run["glance"]>["offsets"],
  ): void {
    if (this.#stream === undefined) return;
    const { rtt, ...counts } = tally.summary();
    this.#object({ type: "interval", from, to, ...counts, sent, rtt, offsets });
  }

  async end(
    endpoint: string,
    summary: Summary,
    ended: string | null,
    run: Run,
    thresholds: Verdict[],
  ): Promise<void> {
    this.clearLive();
    const record = { type: "end", ended, ...summary, thresholds };
    this.#json?.write(`\n],"end":${JSON.stringify(record)}}\n`);
    this.#object(record);
    if (this.text !== undefined) {
      const lines = [
        `\n--- ${endpoint} ping statistics ---`,
        ...summaryLines(summary),
        ...histogramLines(run.rtt),
      ];
      this.text.write(lines.map((line) => `${escapeLine(line)}\n`).join(""));
    }
    for (const sink of this.#sinks) await sink.flush();
  }

  /** Prints a line for people. */
  line(text: string): void {
    if (this.text === undefined) return;
    this.clearLive();
    this.text.write(`${escapeText(text)}\n`);
  }

  showLive(text: string): void {
    this.text?.write(`${CLEAR_LINE}${text}`);
    this.#liveShown = true;
  }

  clearLive(): void {
    if (this.#liveShown) this.text?.write(CLEAR_LINE);
    this.#liveShown = false;
  }

  /** Undefined while there is room for more output; else a promise to wait for: its reader sets the pace then. */
  room(): Promise<void> | undefined {
    for (const sink of this.#sinks) {
      const full = sink.full();
      if (full !== undefined) return full;
    }
    return undefined;
  }

  async close(): Promise<void> {
    for (const sink of this.#sinks) {
      await sink.flush().catch(() => {}); // what it has met was told before, or something worse was
      sink.close();
    }
  }

  #object(value: unknown): void {
    this.#stream?.write(`${JSON.stringify(value)}\n`);
  }
}

/** Escapes all but the line feed that a summary begins with. */
function escapeLine(line: string): string {
  return line.split("\n").map(escapeText).join("\n");
}

class Pinger {
  readonly results: Run;
  readonly #options: PingOptions;
  readonly #outputs: Outputs;
  readonly #server: string;
  readonly #account = new Account();
  readonly #probes: Probes;
  /** Aborted when the run is over: nothing is sent, and nothing waited for any more. */
  readonly #over = new AbortController();
  readonly #count: number;
  /** When the run began and when it must end: ms on performance.now()'s clock. */
  #began = performance.now();
  readonly #deadline: number;
  /** Lines for which a connection was asked, where each has its own; the connections being made; those that stand. */
  #asked = 0;
  #connecting = 0;
  readonly #own = new Map<number, Opened>();
  readonly #prefixes = new PrefixReader();
  /** What has arrived and is not reported yet. */
  readonly #fresh: Happening[] = [];
  /** The one channel of a run with an interval of 0. */
  #flooded: Channel | undefined;
  /** One line is written at a time. */
  #sending = false;
  readonly #interval = new Tally();
  /** When the interval began, in seconds, and how many lines had been sent before. */
  #intervalFrom = 0;
  #intervalSent = 0;
  /** The latest round trips in µs, undefined for lost lines. */
  readonly #sparks: (number | undefined)[] = [];
  #liveChanged = true;
  /** Whether the time is up. */
  #expired = false;
  /** Why the run ended before it was to. */
  #end: string | undefined;
  #wake = () => {};

  constructor(options: PingOptions, outputs: Outputs, stop: AbortSignal) {
    this.#options = options;
    this.#outputs = outputs;
    this.#server = formatEndpoint(options.endpoint);
    this.results = new Run(options.clocksSynced);
    this.#probes = new Probes(options.size);
    this.#count = options.count ?? Infinity;
    this.#deadline = options.deadline > 0 ? this.#began + options.deadline : Infinity;
    void Promise.race([aborted(stop), outputs.failed]).then(() => this.#finish());
  }

  /** @returns why it ended before it was to: by what the server did, not the user; null if it did not. */
  async run(): Promise<string | null> {
    const { interval, timeout, deadline, reconnect, jsonStream } = this.#options;
    const expire = () => {
      this.#expired = true;
      this.#finish();
    };
    const timers = deadline > 0 ? [setTimeout(expire, deadline)] : [];
    let opened;
    try {
      if (!reconnect) opened = await this.#openFirst();
      this.#began = performance.now();
      await this.#announce(opened);
      const watch = Math.min(Math.max(timeout / 10, FASTEST_WATCH_MS), SLOWEST_WATCH_MS);
      timers.push(setInterval(() => this.#watch(), watch));
      if (jsonStream) timers.push(setInterval(() => this.#tellInterval(), INTERVAL_MS));
      if (this.#outputs.live) timers.push(setInterval(() => this.#showLive(), LIVE_MS));
      if (opened !== undefined) await this.#runOn(opened.channel);
      else if (interval === 0) await this.#repeat(() => this.#exchange());
      else await this.#schedule(() => void this.#exchange(), interval);
      await this.#untilOver();
    } finally {
      timers.forEach(clearInterval);
      opened?.channel.close();
      for (const { channel } of this.#own.values()) channel.close();
    }
    this.#settle();
    if (jsonStream) this.#tellInterval();
    return this.#end ?? null;
  }

  /** The channel of a run that has but one. @throws {Failure} */
  async #openFirst(): Promise<Opened> {
    try {
      return await open(this.#options, this.#over.signal);
    } catch (error) {
      if (!this.#expired) throw error;
      const reason = `no connection within -w ${formatMillis(this.#options.deadline)}`;
      throw new Failure("connect to", this.#server, reason, { cause: error });
    }
  }

  /** Says on stderr how it goes. */
  tellInterim(): void {
    this.#outputs.clearLive();
    const text = `${escapeText(interimLine(this.results.summary()))}\n`;
    void writeAll(Deno.stderr, new TextEncoder().encode(text)).catch(() => {});
  }

  async #announce(opened: Opened | undefined): Promise<void> {
    const { size, interval, timeout, clocksSynced } = this.#options;
    if (opened?.connect !== undefined) this.results.connected(opened.connect, opened.handshake);
    await this.#outputs.start({
      type: "start",
      version: 1,
      time: wallMicros() / 1e6,
      endpoint: this.#server,
      interval: interval / 1000,
      size,
      timeout: timeout / 1000,
      clocks_synced: clocksSynced,
      connect: opened?.connect === undefined ? null : seconds(opened.connect),
      handshake: opened?.handshake === undefined ? null : seconds(opened.handshake),
    });
    this.#outputs.line(`PING ${this.#server} ${size} bytes of payload`);
  }

  /** All lines over one channel. */
  async #runOn(channel: Channel): Promise<void> {
    const { interval, udpRate } = this.#options;
    // A server limits the datagrams that it answers: what it drops would look like loss.
    const paced = channel.datagrams && udpRate > 0 && interval === 0 ? 1000 / udpRate : interval;
    const flood = paced === 0;
    const receiving = this.#receive(channel, flood).then(
      () => this.#ended(channel.end!),
      (error) => this.#ended(reasonOf(error)),
    );
    if (flood) {
      this.#flooded = channel;
      await this.#send(channel);
      if (channel.datagrams) await this.#keepFlooding(channel);
    } else {
      await this.#schedule(() => this.#send(channel), paced);
    }
    await this.#untilOver();
    channel.close();
    await receiving;
  }

  /** In a flood each reply sends the next line; where one is missing for too long, this does. */
  async #keepFlooding(channel: Channel): Promise<void> {
    for (let sent = 0; !this.#over.signal.aborted;) {
      await this.#sleep(FLOOD_WAIT_MS);
      if (sent === this.#account.sent) await this.#send(channel);
      sent = this.#account.sent;
    }
  }

  /** Calls `send` when a line is due. After a delay that others have caused it does not send what was missed at once. */
  async #schedule(send: () => Promise<void> | void, interval: number): Promise<void> {
    let due = performance.now();
    await this.#repeat(async () => {
      await send();
      due = Math.max(due + interval, performance.now() - interval);
      if (this.#more) await this.#sleep(due - performance.now());
    });
  }

  async #repeat(step: () => Promise<void>): Promise<void> {
    while (this.#more) {
      await step();
      await this.#outputs.room();
    }
  }

  /** Whether there are lines to be sent. */
  get #more(): boolean {
    return !this.#over.signal.aborted && Math.max(this.#asked, this.#account.sent) < this.#count;
  }

  /** Waits, unless the run is over before. */
  #sleep(ms: number): Promise<void> {
    if (this.#over.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(ms, 0));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Ends the run. */
  #finish(): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#wake();
  }

  #untilOver(): Promise<void> {
    this.#finishIfDone();
    return aborted(this.#over.signal);
  }

  #finishIfDone(): void {
    if (!this.#more && this.#account.waiting === 0 && this.#connecting === 0 && !this.#sending) {
      this.#finish();
    }
  }

  /** Sends the next line. One at a time, unless each has a channel of its own. */
  async #send(channel: Channel, own?: Opened): Promise<void> {
    if (own === undefined) {
      if (this.#sending || !this.#more) return;
      this.#sending = true;
    }
    try {
      const line = this.#probes.line(this.#account.sent + 1);
      const bytes = own === undefined ? line : line.slice();
      const wall = wallMicros();
      const now = performance.now();
      const forgotten = this.#account.sending(now, wall);
      if (forgotten !== undefined) this.#noReply(forgotten, "lost");
      await channel.send(channel.datagrams ? bytes.subarray(0, -1) : bytes);
    } catch (error) {
      // What the peer had to say before it went is still to be read.
      if (isPeerGone(error)) return;
      channel.end ??= reasonOf(error);
      if (own === undefined) this.#ended(channel.end);
      else channel.close();
    } finally {
      if (own === undefined) this.#sending = false;
    }
  }

  /** Reads replies until the channel ends, here or there; then its `end` is known. */
  async #receive(channel: Channel, flood: boolean): Promise<void> {
    const reader = new LineReader(this.#options.size);
    for (;;) {
      let bytes;
      try {
        bytes = await channel.receive();
      } catch (error) {
        channel.end ??= isPeerGone(error) && !(error instanceof TlsFailure)
          ? "the server reset the connection"
          : reasonOf(error);
        return;
      }
      const now = performance.now();
      const wall = wallMicros();
      if (bytes === null) break;
      if (channel.datagrams) this.#arrived(channel, bytes, now, wall);
      else reader.read(bytes, (line) => this.#arrived(channel, line, now, wall));
      // In a flood the next line goes out first: while it is under way there is time to think about this one.
      const sent = flood && this.#account.waiting === 0 && this.#more ? this.#send(channel) : undefined;
      this.#fresh.forEach((happening) => this.#add(happening));
      this.#fresh.length = 0;
      this.#finishIfDone();
      const full = this.#outputs.room();
      if (full !== undefined) await full;
      if (sent !== undefined) await sent;
    }
    if (reader.begun) this.#add({ fate: "corrupt", seq: 0, at: this.#at(performance.now()) });
    channel.end ??= "the server closed the connection";
  }

  /** One line over a connection of its own; what nobody expected ends the run. */
  async #exchange(): Promise<void> {
    try {
      await this.#overOwn();
    } catch (error) {
      this.#ended(reasonOf(error));
    }
  }

  async #overOwn(): Promise<void> {
    while (this.#connecting + this.#own.size >= MOST_CONNS && this.#more) await this.#sleep(FLOOD_WAIT_MS);
    if (!this.#more) return;
    this.#asked++;
    this.#connecting++;
    let opened: Opened | undefined;
    let reason;
    try {
      opened = await open(this.#options, this.#over.signal);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      reason = error.reason;
    }
    this.#connecting--;
    if (this.#over.signal.aborted) return opened?.channel.close();
    const seq = this.#account.sent + 1;
    if (opened === undefined) {
      this.#account.sending(performance.now(), wallMicros());
      this.#giveUp(seq, "lost", reason);
    } else {
      const { channel } = opened;
      this.#own.set(seq, opened);
      await this.#send(channel, opened);
      await this.#receive(channel, false);
      channel.close();
      if (this.#own.has(seq) && !this.#over.signal.aborted) this.#giveUp(seq, "lost", channel.end);
    }
    this.#finishIfDone();
  }

  /** @param line undefined for one that is too long to be a reply. */
  #arrived(channel: Channel, line: Uint8Array | undefined, now: number, wall: number): void {
    // A datagram ends nothing, whatever it says.
    const reason = line === undefined || channel.datagrams ? undefined : errorReason(line);
    if (reason !== undefined) {
      channel.end ??= `the server says: ${reason}`;
      return;
    }
    const prefix: ReadPrefix = line === undefined ? { length: 0 } : this.#prefixes.read(line);
    const seq = line === undefined ? 0 : this.#probes.seqOf(line, prefix.length);
    const fate = this.#account.arrived(seq);
    const sent = fate === "corrupt" ? undefined : this.#account.when(seq);
    const first = sent === undefined ? undefined : this.#closeOwn(seq);
    if (sent !== undefined && channel.end !== undefined) {
      // What looked like the server's last words was none.
      channel.end = undefined;
      this.#fresh.push({ fate: "corrupt", seq: 0, at: this.#at(now) });
    }
    this.#fresh.push({
      fate,
      seq: fate === "corrupt" ? 0 : seq,
      at: this.#at(now),
      rtt: sent && Math.round((now - sent.at) * 1e6) / 1e3,
      sent: sent?.wall,
      received: sent && wall,
      stamp: sent && prefix.micros,
      format: sent && prefix.format,
      tag: sent && prefix.tag,
      connect: first?.connect,
      handshake: first?.handshake,
    });
  }

  /** Closes a line's own connection; undefined if it has none, or has none any more: it is to be told but once. */
  #closeOwn(seq: number): Opened | undefined {
    const own = this.#own.get(seq);
    if (own === undefined) return undefined;
    this.#own.delete(seq);
    own.channel.close();
    return own;
  }

  /** Gives up a line that waits. */
  #giveUp(seq: number, fate: "lost" | "pending", reason?: string): void {
    this.#account.giveUp(seq);
    this.#noReply(seq, fate, reason);
  }

  #noReply(seq: number, fate: "lost" | "pending", reason?: string): void {
    const own = this.#closeOwn(seq);
    this.#add({
      fate,
      seq,
      at: this.#at(performance.now()),
      connect: own?.connect,
      handshake: own?.handshake,
      ...(reason !== undefined && { reason }),
    });
  }

  #add(happening: Happening): void {
    this.results.add(happening);
    if (this.#options.jsonStream) this.#interval.add(happening);
    if (this.#outputs.live && happening.seq > 0) {
      this.#sparks.push(happening.fate === "lost" ? undefined : happening.rtt);
      if (this.#sparks.length > SPARKS) this.#sparks.shift();
      this.#liveChanged = true;
    }
    this.#outputs.reply(happening);
    if (!this.#options.quiet) this.#outputs.line(this.#replyLine(happening));
  }

  #replyLine({ fate, seq, rtt, tag, connect, handshake, reason }: Happening): string {
    const stamp = this.#options.timestamps ? `[${(wallMicros() / 1e6).toFixed(6)}] ` : "";
    switch (fate) {
      case "lost":
        return `${stamp}no reply to seq=${seq}${
          reason === undefined ? ` in ${formatMillis(this.#options.timeout)}` : `: ${reason}`
        }`;
      case "pending":
        return `${stamp}seq=${seq} not waited for`;
      case "corrupt":
        return `${stamp}corrupt reply: not of this run, or changed`;
    }
    const times = [["time", rtt], ["connect", connect], ["handshake", handshake]] as const;
    const shown = times.filter(([, value]) => value !== undefined).map(([name, value]) =>
      ` ${name}=${(value! / 1000).toFixed(3)} ms`
    );
    const mark = { received: "", reordered: " (reordered)", late: " (late)", duplicate: " (DUP!)" }[fate];
    const from = tag === undefined ? this.#server : `${tag} (${this.#server})`;
    return `${stamp}${this.#options.size} bytes from ${from}: seq=${seq}${shown.join("")}${mark}`;
  }

  /** Seconds since the run began, to the nanosecond. */
  #at(now: number): number {
    return Math.round((now - this.#began) * 1e6) / 1e9;
  }

  /** Gives up the lines that have waited long enough. */
  #watch(): void {
    const before = performance.now() - this.#options.timeout;
    for (let seq; (seq = this.#account.oldest()) !== undefined && this.#account.when(seq)!.at <= before;) {
      this.#giveUp(seq, "lost");
    }
    if (this.#flooded !== undefined && this.#account.waiting === 0) void this.#send(this.#flooded);
    this.#finishIfDone();
  }

  /**
   * Decides about the lines that still wait when the run is over: as with ping(8), a reply can be expected within twice
   * the longest round trip so far. What is younger is neither answered nor lost.
   */
  #settle(): void {
    const now = performance.now();
    const patience = this.#end === undefined && this.results.received > 0
      ? 2 * this.results.longest / 1000
      : 0;
    for (let seq; (seq = this.#account.oldest()) !== undefined;) {
      const young = now - this.#account.when(seq)!.at < patience;
      if (young) this.#giveUp(seq, "pending");
      else this.#giveUp(seq, "lost", this.#end ?? "the run has ended");
    }
  }

  #ended(reason: string): void {
    if (this.#over.signal.aborted) return;
    this.#end ??= reason;
    this.#finish();
  }

  #tellInterval(): void {
    const to = this.#at(performance.now());
    const { sent } = this.#account;
    const { offsets } = this.results.glance();
    this.#outputs.interval(this.#intervalFrom, to, sent - this.#intervalSent, this.#interval, offsets);
    this.#intervalSent = sent;
    this.#intervalFrom = to;
    this.#interval.clear();
  }

  #showLive(): void {
    if (!this.#liveChanged || this.#over.signal.aborted) return;
    this.#liveChanged = this.#deadline < Infinity; // the time goes on by itself
    const { loss, offsets } = this.results.glance();
    const parts = [sparkline(this.#sparks).padStart(SPARKS)];
    if (this.#count < Infinity) parts.push(`${this.#account.sent}/${this.#count}`);
    if (this.#deadline < Infinity) {
      const left = Math.max(0, this.#deadline - performance.now());
      parts.push(`${Math.ceil(left / 1000)} s left`);
    }
    const latest = this.#sparks.at(-1);
    if (latest !== undefined) parts.push(`${(latest / 1000).toFixed(3)} ms`);
    parts.push(`${percent(loss)} loss`);
    const [server, ...others] = offsets;
    if (others.length > 0) parts.push(`${others.length + 1} servers`);
    else if (server?.offset) parts.push(`offset ${withBound(server.offset)}`);
    this.#outputs.showLive(fitting(parts, Deno.consoleSize().columns));
  }
}
