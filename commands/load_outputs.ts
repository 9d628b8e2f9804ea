/** Where a load is shown, and where it is written to. */
import type { UsedFile } from "../cli/output.ts";
import { tell } from "../cli/stdio.ts";
import { canMoveCursor, terminalColumns } from "../cli/terminal.ts";
import { STDOUT } from "../cli/values.ts";
import { escapeText } from "../failure.ts";
import { LoadTable } from "../report/load_csv.ts";
import { HdrLog } from "../report/load_hdr.ts";
import { LoadDocument, loadStream } from "../report/load_json.ts";
import { LoadLive, type LoadProgress } from "../report/load_live.ts";
import type { LoadExporter } from "../report/load_record.ts";
import { loadInterimLine, LoadText } from "../report/load_text.ts";
import type { LoadStats } from "../stats/load_stats.ts";
import { type Steps, VERSION } from "./command.ts";
import { Outputs } from "./outputs.ts";

/** Where a load is written to. */
export interface OutputOptions {
  /** Files for the run as one JSON document, as CSV, as HDR log and as a page, by `parseOutputPath`. */
  json?: string;
  csv?: string;
  hdr?: string;
  html?: string;
  /** Writes the run to stdout as it goes on, one JSON object a line. */
  jsonStream: boolean;
  /** Shows and streams nothing but the beginning and the end. */
  quiet: boolean;
  /** The file whose lines are sent, which no output may replace. */
  data?: string;
  /** Whether a live block may be shown; true by default. */
  live?: boolean;
}

/** The exporters of a load. */
export interface LoadOutputs extends Outputs<LoadExporter> {
  /** The live block, where one is shown. */
  live?: LoadLive;
}

/**
 * Opens the outputs: text for people unless stdout is wanted for data, and files.
 *
 * @param sources further files that the command reads. @param stop gives up. @param onAgain as `Outputs` has it.
 */
export async function openOutputs(
  options: OutputOptions,
  { sources = [], ...steps }: { sources?: UsedFile[] } & Partial<Steps>,
): Promise<LoadOutputs> {
  const { json, csv, hdr, html, jsonStream, quiet, data, live = true } = options;
  const outputs: LoadOutputs = new Outputs<LoadExporter>({
    sources: [...sources, ...await sourcesOf(data)],
    ...steps,
  });
  if (!jsonStream && ![json, csv, hdr, html].includes(STDOUT)) {
    const stdout = outputs.stdout();
    if (live && !quiet && canMoveCursor()) {
      outputs.live = new LoadLive(stdout, terminalColumns);
      outputs.add(outputs.live);
    }
    outputs.add(
      new LoadText(outputs.live ?? stdout, {
        rows: !quiet,
        ...Deno.stdout.isTerminal() && { columns: terminalColumns },
      }),
    );
  }
  await outputs.file(json, "--json", "document", (sink) => new LoadDocument(sink));
  await outputs.file(csv, "--csv", "lines", (sink) => new LoadTable(sink));
  await outputs.file(hdr, "--hdr", "lines", (sink) => new HdrLog(sink));
  if (html !== undefined) {
    const { LoadPage } = await import("../report/load_page.ts"); // most runs need none of what draws it
    await outputs.file(html, "--html", "document", (sink) => new LoadPage(sink, VERSION));
  }
  if (jsonStream) outputs.add(loadStream(outputs.stdout(), !quiet));
  return outputs;
}

/** The files that load reads. */
export async function sourcesOf(data: string | undefined): Promise<UsedFile[]> {
  const info = data === undefined ? undefined : await Deno.stat(data).catch(() => undefined); // gone since it was read
  return info === undefined ? [] : [{ name: "--data", info }];
}

/** Says on stderr how a load goes. */
export function tellInterim(live: LoadLive | undefined, text: string, stats: LoadStats): void {
  live?.clear();
  void tell(escapeText(loadInterimLine(text, stats)));
}

const LIVE_MS = 250;

/** Shows how far a load is, four times a second, on a terminal. @returns what ends that. */
export function showProgress(live: LoadLive | undefined, progress: () => LoadProgress): () => void {
  if (live === undefined) return () => {};
  const timer = setInterval(() => live.show(progress()), LIVE_MS);
  return () => clearInterval(timer);
}
