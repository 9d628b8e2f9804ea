import type { LoadInterval } from "../stats/load_interval.ts";
import { sumOf } from "../stats/reason_counts.ts";
import type { Sink } from "./exporter.ts";
import { fitColumns, Footer } from "./footer.ts";
import { millisOfMicros } from "./format.ts";
import { sparkline } from "./live.ts";
import { perSecond } from "./load_figures.ts";
import type { LoadExporter, LoadStart } from "./load_record.ts";

/** The most seconds that the sparkline shows. */
const SPARKS = 60;
const BAR_CELLS = 24;

/** How far a load is. */
export interface LoadProgress {
  phase: "warm-up" | "load" | "waiting for replies";
  /** How much of the plan is done, from 0 to 1. */
  share: number;
  /** What that is in words: `12 s of 60 s`. */
  text: string;
  /** Lines in flight. */
  inFlight: number;
}

/** The last lines of a terminal, which show how a load goes. Other text for the terminal is written through it. */
export class LoadLive implements LoadExporter, Sink {
  readonly #footer: Footer;
  readonly #columns: () => number;
  /** The seconds' p99 in µs, undefined of those without replies. */
  #sparks: (number | undefined)[] = [];
  #open = false;
  #second: LoadInterval | undefined;
  #errors = 0;
  #never = 0;

  /** @param columns the terminal's width; 0 if it is unknown. */
  constructor(terminal: Sink, columns: () => number) {
    this.#footer = new Footer(terminal);
    this.#columns = columns;
  }

  /** Writes text in place of the block, which the next {@linkcode show} puts below it. */
  write(text: string): void {
    this.#footer.write(text);
  }

  /** Begins a run, or another one. */
  start({ loop }: LoadStart): void {
    this.#open = loop === "open";
    this.#sparks = [];
    this.#second = undefined;
    this.#errors = this.#never = 0;
  }

  interval(interval: LoadInterval): void {
    this.#errors += sumOf(interval.errors) + interval.corrupt;
    this.#never += interval.lost + interval.dropped;
    if (interval.tail) return;
    this.#second = interval;
    const values = this.#open ? interval.response : interval.service;
    this.#sparks.push(values.count === 0 ? undefined : values.percentile(99));
    if (this.#sparks.length > SPARKS) this.#sparks.shift();
  }

  show({ phase, share, text, inFlight }: LoadProgress): void {
    const columns = this.#columns();
    const cells = Math.round(Math.min(Math.max(share, 0), 1) * BAR_CELLS);
    const bar = `[${"█".repeat(cells)}${" ".repeat(BAR_CELLS - cells)}]`;
    const counts = [`in flight ${inFlight}`, `errors ${this.#errors}`, `lost or dropped ${this.#never}`];
    const first = fitColumns([bar, text, ...(phase === "load" ? [] : [phase])], columns) ||
      fitColumns([text], columns);
    const lines = [
      first,
      fitColumns(this.#figures(), columns),
      fitColumns(counts, columns),
      this.#sparkline(columns),
    ];
    this.#footer.show(lines.filter((it) => it !== ""));
  }

  clear(): void {
    this.#footer.clear();
  }

  end(): void {
    this.clear();
  }

  /** Those of the last second. */
  #figures(): string[] {
    if (this.#second === undefined) return [];
    const { planned, received, from, to, response, service } = this.#second;
    const rate = (lines: number) => `${perSecond(lines / (to - from) * 1000)}/s`;
    const values = this.#open ? response : service;
    const told = values.count === 0 ? [] : [50, 99];
    const percentiles = told.map((it) => `p${it} ${millisOfMicros(values.percentile(it))} ms`);
    return [
      ...(this.#open ? [`planned ${rate(planned)}`] : []),
      `received ${rate(received)}`,
      ...percentiles,
    ];
  }

  #sparkline(columns: number): string {
    const label = "p99";
    const room = (columns || 80) - label.length - 2;
    const known = this.#sparks.some((it) => it !== undefined);
    return known && room > 0 ? `${label} ${sparkline(this.#sparks.slice(-room))}` : "";
  }
}
