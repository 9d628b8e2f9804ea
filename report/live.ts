import type { ProbeEvent } from "../stats/events.ts";
import type { OffsetOfServer } from "../stats/summary.ts";
import type { PingExporter, Sink } from "./exporter.ts";
import { fitColumns, Footer } from "./footer.ts";
import { lossText, millisOfMicros, withBound } from "./format.ts";

/** Round trips that the line shows. */
const SPARKS = 24;
const LEVELS = "▁▂▃▄▅▆▇█";

/** How a run goes. */
export interface Progress {
  sent: number;
  /** Lines to send; undefined for no limit. */
  count: number | undefined;
  /** Seconds left; undefined for no limit. */
  secondsLeft: number | undefined;
  loss: number | null;
  offsets: OffsetOfServer[];
}

/** The last line of a terminal, which shows how a run goes. Other text for the terminal is written through it. */
export class LiveLine implements PingExporter, Sink {
  readonly #footer: Footer;
  readonly #columns: () => number;
  /** The latest round trips in µs, undefined for lost lines. */
  readonly #sparks: (number | undefined)[] = [];
  #changed = true;

  /** @param columns the terminal's width; 0 if it is unknown. */
  constructor(terminal: Sink, columns: () => number) {
    this.#footer = new Footer(terminal);
    this.#columns = columns;
  }

  /** Writes text in place of the line, which the next {@linkcode show} puts below it. */
  write(text: string): void {
    this.#footer.write(text);
  }

  event(event: ProbeEvent): void {
    if (event.fate === "corrupt" || event.fate === "missed") return;
    this.#sparks.push("rtt" in event ? event.rtt : undefined);
    if (this.#sparks.length > SPARKS) this.#sparks.shift();
    this.#changed = true;
  }

  /** Shows the line, if anything in it may have changed. */
  show({ sent, count, secondsLeft, loss, offsets }: Progress): void {
    if (!this.#changed && secondsLeft === undefined) return;
    this.#changed = false;
    const parts = [sparkline(this.#sparks).padStart(SPARKS)];
    if (count !== undefined) parts.push(`${sent}/${count}`);
    if (secondsLeft !== undefined) parts.push(`${Math.ceil(secondsLeft)} s left`);
    const latest = this.#sparks.at(-1);
    if (latest !== undefined) parts.push(`${millisOfMicros(latest)} ms`);
    parts.push(lossText(loss));
    const [server, ...others] = offsets;
    if (others.length > 0) parts.push(`${others.length + 1} servers`);
    else if (server?.offset) parts.push(`offset ${withBound(server.offset)}`);
    this.#footer.show([fitColumns(parts, this.#columns())]);
  }

  clear(): void {
    this.#footer.clear();
  }

  end(): void {
    this.clear();
  }
}

/** A bar for each value, scaled from the least to the largest; a blank for undefined. */
export function sparkline(values: (number | undefined)[]): string {
  const known = values.filter((it) => it !== undefined);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  return values.map((it) => {
    if (it === undefined) return " ";
    const level = high > low ? (it - low) / (high - low) : 0;
    return LEVELS[Math.min(Math.floor(level * LEVELS.length), LEVELS.length - 1)];
  }).join("");
}
