import { escapeText } from "../failure.ts";
import { writeAll } from "../net/stream.ts";

export const LOG_FORMATS = ["text", "json"] as const;
export type LogFormat = typeof LOG_FORMATS[number];

/** How the log is written. */
export interface LogOptions {
  format: LogFormat;
  /** Leaves out all but warnings: refusals, accept errors, connections cut. */
  quiet: boolean;
}

/** The facts of one event, in the order in which they are shown. Durations are in seconds, sizes in bytes. */
export type LogFields = Record<string, string | number | undefined>;

// A log whose reader has stopped must not stop the server: beyond this, lines are dropped and counted.
const MOST_WAITING = 4 * 1024 * 1024;

/** Writes one line an event to stderr, in order, without ever making its caller wait. */
export class Log {
  readonly #options: LogOptions;
  #waiting = "";
  #dropped = 0;
  #writing: Promise<void> | undefined;

  constructor(options: LogOptions) {
    this.#options = options;
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

  /** Resolves when all has been written, or after `deadline` milliseconds if nobody reads it. */
  async flush(deadline: number): Promise<void> {
    let timer;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, deadline));
    await Promise.race([this.#writing, late]);
    clearTimeout(timer);
  }

  #add(level: string, event: string, fields: LogFields): void {
    if (this.#waiting.length > MOST_WAITING) {
      this.#dropped++;
      return;
    }
    this.#waiting += this.#format(level, event, fields);
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    await Promise.resolve(); // what is logged in the same turn goes out with one write
    try {
      while (this.#waiting !== "") {
        const text = this.#waiting;
        this.#waiting = "";
        await writeAll(Deno.stderr, new TextEncoder().encode(text));
        if (this.#dropped > 0) {
          this.#waiting = this.#format("warn", "log", { dropped: this.#dropped }) + this.#waiting;
          this.#dropped = 0;
        }
      }
    } catch {
      this.#waiting = ""; // stderr is closed: there is nobody left to tell
    }
    this.#writing = undefined;
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
