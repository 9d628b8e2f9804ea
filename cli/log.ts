import { escapeText } from "../failure.ts";
import { withTimeout } from "../time/timers.ts";
import { QueueWriter } from "./queue_writer.ts";

export const LOG_FORMATS = ["text", "json"] as const;
export type LogFormat = typeof LOG_FORMATS[number];

/** How the log is written. */
export interface LogOptions {
  format: LogFormat;
  /** Leaves out all but warnings. */
  quiet: boolean;
}

/** The facts of one event, in the order in which they are shown. Durations are in seconds, sizes in bytes. */
export type LogFields = Record<string, string | number | undefined>;

/** Characters of the log that may wait. A reader that has stopped must not stop the program: the rest is dropped. */
const MAX_WAITING = 4 * 1024 * 1024;

/** Writes one line an event to stderr, in order, without ever making its caller wait. */
export class Log {
  readonly #options: LogOptions;
  readonly #writer: QueueWriter;
  #dropped = 0;

  constructor(options: LogOptions, sink: Pick<typeof Deno.stderr, "write"> = Deno.stderr) {
    this.#options = options;
    this.#writer = new QueueWriter(sink, "standard error", MAX_WAITING);
  }

  /** Whether {@linkcode info} writes anything: a caller may spare itself the fields. */
  get verbose(): boolean {
    return !this.#options.quiet;
  }

  info(event: string, fields: LogFields): void {
    if (!this.#options.quiet) this.#add("info", event, fields);
  }

  warn(event: string, fields: LogFields): void {
    this.#add("warn", event, fields);
  }

  /** Resolves when all has been written, stderr is closed, or after `deadline` milliseconds if nobody reads it. */
  async flush(deadline: number): Promise<void> {
    await withTimeout(this.#writer.flush().catch(() => {}), deadline);
  }

  #add(level: string, event: string, fields: LogFields): void {
    if (this.#writer.hasRoom) this.#writer.write(this.#format(level, event, fields));
    else if (this.#dropped++ === 0) void this.#writer.whenRoom().then(() => this.#reportDropped());
  }

  #reportDropped(): void {
    this.#writer.write(
      this.#format("warn", "log", { reason: `${this.#dropped} lines dropped`, dropped: this.#dropped }),
    );
    this.#dropped = 0;
  }

  #format(level: string, event: string, fields: LogFields): string {
    const time = new Date().toISOString();
    if (this.#options.format === "json") return JSON.stringify({ time, level, event, ...fields }) + "\n";
    const pairs = Object.entries(fields).filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${quoteIfNeeded(String(value))}`);
    return [time, level, event, ...pairs].join(" ") + "\n";
  }
}

function quoteIfNeeded(text: string): string {
  return /^[^\s"=]+$/.test(text) && text === escapeText(text)
    ? text
    : `"${escapeText(text.replaceAll('"', "'"))}"`;
}
