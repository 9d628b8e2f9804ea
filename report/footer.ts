import type { Sink } from "./exporter.ts";

/** Of a terminal that does not know its width. */
const DEFAULT_COLUMNS = 80;
/** Clears from the cursor to the end of its line, and to that of the screen (ECMA-48, EL and ED). */
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/** The last lines of a terminal, which change. Other text for the terminal is written through it, above them. */
export class Footer implements Sink {
  readonly #terminal: Sink;
  #shown = 0;

  constructor(terminal: Sink) {
    this.#terminal = terminal;
  }

  /** Writes text in place of the lines, which the next {@linkcode show} puts below it. */
  write(text: string): void {
    this.clear();
    this.#terminal.write(text);
  }

  /** Shows lines, none of which may be wider than the terminal. */
  show(lines: string[]): void {
    const rest = lines.length < this.#shown ? CLEAR_BELOW : "";
    this.#terminal.write(this.#toFirst() + lines.map((it) => CLEAR_LINE + it).join("\n") + rest);
    this.#shown = lines.length;
  }

  clear(): void {
    if (this.#shown > 0) this.#terminal.write(this.#toFirst() + (this.#shown > 1 ? CLEAR_BELOW : CLEAR_LINE));
    this.#shown = 0;
  }

  /** Moves the cursor to the beginning of the first line. */
  #toFirst(): string {
    return this.#shown > 1 ? `\r\x1b[${this.#shown - 1}A` : "\r";
  }
}

/** As many whole parts as fit on a line of a terminal: half a number is a wrong one. @param columns 0 if unknown. */
export function fitColumns(parts: string[], columns: number): string {
  const most = (columns || DEFAULT_COLUMNS) - 1; // a full line would wrap
  let line = "";
  for (const part of parts) {
    const longer = line === "" ? part : `${line}  ${part}`;
    if ([...longer].length > most) break;
    line = longer;
  }
  return line;
}
