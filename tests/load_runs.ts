/** Runs of load, and their figures computed again from what they wrote, without tsecho's own code. */
import { assert, assertEquals } from "@std/assert";
import { inflateSync } from "node:zlib";
import type { LoadStart } from "../report/load_record.ts";
import type { LoadDurations, LoadSummary } from "../stats/load_summary.ts";
import { Folder, Running, TSECHO } from "./helpers.ts";

/** A distribution in `seconds[]`. */
export interface Figures {
  count: number;
  min: number;
  avg: number;
  max: number;
  p50: number | null;
  p90: number | null;
  p95: number | null;
  p99: number | null;
  p99_9: number | null;
  histogram: string;
}

/** An entry of `seconds[]`. */
export interface Second {
  from: number;
  to: number;
  planned: number;
  sent: number;
  received: number;
  lost: number;
  late: number;
  dropped: number;
  unsent: number;
  corrupt: number;
  duplicates: number;
  pending: number;
  errors: number;
  in_flight: number;
  response?: Figures | null;
  service?: Figures | null;
  send_lag: Figures | null;
  blocked: Figures | null;
  servers: { tag: string | null; received: number; up: Figures | null; down: Figures | null }[];
}

/** A run as `--json` saves it. */
export interface SavedLoad {
  start: LoadStart;
  seconds: Second[];
  end: LoadSummary & { ended: string | null };
}

/** Values in bins: the least and the first too large value of each, in seconds. */
export type Bins = { from: number; to: number; count: number }[];

/** A run that writes everything it can; what it wrote is checked against itself when it has ended. */
export class LoadRun extends Running {
  readonly #folder: Folder;

  private constructor(command: string[], folder: Folder) {
    super(command);
    this.#folder = folder;
  }

  /** @param wrap a command line to put in front of tsecho's. */
  static async start(args: string[], wrap: string[] = []): Promise<LoadRun> {
    const folder = await Folder.make();
    const files = ["--json", folder.file("run.json"), "--hdr", folder.file("run.hlog")];
    return new LoadRun([...wrap, ...TSECHO, "load", ...args, ...files, "--json-stream"], folder);
  }

  /** Runs to the end. */
  static async run(args: string[], code = 0): Promise<SavedLoad> {
    await using run = await LoadRun.start(args);
    return await run.saved(code);
  }

  /** Waits until so many seconds of the measured part have passed. */
  async seconds(count: number): Promise<void> {
    await this.stdout.until(new RegExp(`^(?:.*\n)*?\\{"type":"interval","from":${count - 1},.*\n`));
  }

  /** Waits for an interval that began after now and in which lines fail. */
  async fails(): Promise<void> {
    const two = /^\{"type":"interval",.*\n\{"type":"interval",.*"errors":[1-9]/m; // the first began before
    await this.stdout.until(two, this.stdout.text.length);
  }

  /** What it wrote, once it has ended; all of it must agree. */
  async saved(code = 0): Promise<SavedLoad> {
    assertEquals(await this.code(), code, this.stderr.text);
    const saved: SavedLoad = JSON.parse(await Deno.readTextFile(this.#folder.file("run.json")));
    assertSums(saved);
    assertHistograms(saved);
    const streamed = this.stdout.text.trimEnd().split("\n").map((it) => JSON.parse(it));
    assertEquals(
      streamed.filter((it) => it.type === "interval").map(({ type: _, ...it }) => it),
      saved.seconds,
    );
    assertEquals(streamed.at(-1), saved.end);
    assertHdrLog(await Deno.readTextFile(this.#folder.file("run.hlog")), saved);
    return saved;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** Each line is in exactly one count: at the end, and in the seconds, which add up to the end. */
export function assertSums({ seconds, end }: SavedLoad): void {
  const { planned, sent, received, lost, corrupt, dropped, unsent, pending } = end;
  const errors = sum(Object.values(end.errors));
  const told = JSON.stringify(end, null, 1);
  assertEquals(planned, sent + dropped + unsent, told);
  assertEquals(sent, received + lost + corrupt + errors + pending, told);
  for (
    const name of [
      ...["planned", "sent", "received", "lost", "late", "dropped", "unsent"] as const,
      ...["corrupt", "duplicates", "pending"] as const,
    ]
  ) assertEquals(sum(seconds.map((it) => it[name])), end[name], name);
  assertEquals(sum(seconds.map((it) => it.errors)), errors);
  assertEquals(sum(end.servers.map((it) => it.received)), received);
  for (const { tag, received } of end.servers) {
    const parts = seconds.flatMap((it) => it.servers).filter((it) => it.tag === tag);
    assertEquals(sum(parts.map((it) => it.received)), received, `${tag}`);
  }
  let before = 0;
  for (const { from, to } of seconds) {
    assertEquals(from, before);
    assert(to > from, `an interval from ${from} to ${to}`);
    before = to;
  }
}

const PERCENTILES = { p50: 50, p90: 90, p95: 95, p99: 99, p99_9: 99.9 } as const;

/** The percentiles of the run and of each second are those of the histograms, which have every line. */
export function assertHistograms({ seconds, end }: SavedLoad): void {
  const kinds = end.loop === "open" ? ["response", "send_lag", "blocked"] as const : ["service"] as const;
  for (const kind of kinds) {
    const parts = seconds.map((it) => it[kind]).filter((it) => it !== null && it !== undefined);
    assertEquals(sum(parts.map((it) => it.count)), end[kind]?.count ?? 0, kind);
    for (const part of parts) assertFigures(part, binsOf([part.histogram]), kind);
    if (end[kind] !== null) assertFigures(end[kind], binsOf(parts.map((it) => it.histogram)), kind);
  }
  if (end.loop === "open") assertEquals(end.response?.count ?? 0, end.received);
  assertEquals(end.service?.count ?? 0, end.received);
}

/** The figures are those of values in bins. */
function assertFigures(figures: LoadDurations | Figures, bins: Bins, what: string): void {
  assertEquals(sum(bins.map((it) => it.count)), figures.count, what);
  for (const [name, percent] of Object.entries(PERCENTILES)) {
    const told = figures[name as keyof typeof PERCENTILES];
    if (told === null) continue;
    const { from, to } = binAt(bins, percent);
    const slack = 0.001 * to + 2e-7; // the histogram that was written had bins of its own
    assert(told >= from - slack && told <= to + slack, `${what} ${name}: ${told}, not ${from} to ${to}`);
  }
}

/** The interval log has every line: its counts are those of the run, for each tag. */
function assertHdrLog(text: string, { end }: SavedLoad): void {
  const counts: Record<string, number> = {};
  for (const [, tag, histogram] of text.matchAll(/^Tag=(\w+),[\d.]+,[\d.]+,[\d.]+,(\S+)$/gm)) {
    counts[tag!] = (counts[tag!] ?? 0) + sum(binsOf([histogram!]).map((it) => it.count));
  }
  const { received } = end;
  const expected: Record<string, number> = end.loop === "open"
    ? { response: received, service: received, send_lag: received }
    : { service: received };
  assertEquals(counts, expected);
}

/** The bin that has the value which `percent` of all values do not exceed, by nearest rank. */
export function binAt(bins: Bins, percent: number): Bins[number] {
  const total = sum(bins.map((it) => it.count));
  let left = Math.max(1, Math.ceil(total * percent / 100 - 1e-9));
  for (const bin of bins) if ((left -= bin.count) <= 0) return bin;
  throw new Error("no values");
}

/** The values of several histograms in rising order. */
export function binsOf(histograms: string[]): Bins {
  const counts = new Map<number, Bins[number]>();
  for (const bin of histograms.flatMap(decodeV2)) {
    const same = counts.get(bin.from);
    if (same === undefined) counts.set(bin.from, { ...bin });
    else same.count += bin.count;
  }
  return [...counts.values()].sort((a, b) => a.from - b.from);
}

/** Every value of several histograms in rising order, each by the middle of its bin. */
export function valuesOf(histograms: string[]): number[] {
  return binsOf(histograms).flatMap(({ from, to, count }) => Array<number>(count).fill((from + to) / 2));
}

/** Reads HdrHistogram's V2 format, written down after its Java sources' description of it. */
function decodeV2(text: string): Bins {
  const compressed = Uint8Array.from(atob(text), (it) => it.charCodeAt(0));
  const outer = new DataView(compressed.buffer);
  assertEquals(outer.getInt32(0), 0x1c849314);
  const bytes = Uint8Array.from(inflateSync(compressed.subarray(8, 8 + outer.getInt32(4))));
  const view = new DataView(bytes.buffer);
  assertEquals(view.getInt32(0), 0x1c849313);
  const half = 2 ** Math.ceil(Math.log2(2 * 10 ** view.getInt32(12))) / 2;
  const unit = 2 ** Math.floor(Math.log2(Number(view.getBigInt64(16))));
  const bins: Bins = [];
  const end = 40 + view.getInt32(4);
  for (let at = 40, index = 0; at < end;) {
    let raw = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = BigInt(bytes[at++]!);
      raw |= (shift === 56n ? byte : byte & 127n) << shift;
      if (shift === 56n || byte < 128n) break;
    }
    const count = Number((raw >> 1n) ^ -(raw & 1n));
    if (count < 0) {
      index -= count;
      continue;
    }
    const bucket = Math.max(0, Math.floor(index / half) - 1);
    const width = unit * 2 ** bucket;
    const from = (index - bucket * half) * width;
    if (count > 0) bins.push({ from: from / 1e9, to: (from + width) / 1e9, count });
    index++;
  }
  return bins;
}

export function sum(values: number[]): number {
  return values.reduce((all, it) => all + it, 0);
}
