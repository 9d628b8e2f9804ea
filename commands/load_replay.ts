/** `tsecho load --from`: tells again what a run was saved with. */
import { note } from "../cli/stdio.ts";
import { readLoad } from "../report/saved_load.ts";
import { judgeLoad } from "../stats/load_measure.ts";
import type { LoadThreshold } from "../stats/threshold.ts";
import type { RunOutcome } from "./command.ts";
import { openOutputs } from "./load_outputs.ts";
import { judgeAll } from "./load_run.ts";
import { readSaved } from "./saved.ts";

/** What `tsecho load --from` was asked for. */
export interface LoadReplayOptions {
  /** The file of a saved run, by `parseInputPath`. */
  from: string;
  /** Files for the run as one JSON document and as a page, by `parseOutputPath`. */
  json?: string;
  html?: string;
  /** Leaves out the rows of trials. */
  quiet: boolean;
  /** Conditions under which the run has failed. */
  failIf: LoadThreshold[];
  /** Whether a run passes of which a threshold cannot be told. */
  lenient: boolean;
}

/**
 * Reports a saved run again.
 *
 * @throws {Failure} when it cannot be read, or a file cannot be written.
 * @throws {UsageError} when it would be written to where it is read from.
 */
export async function replayLoad(options: LoadReplayOptions): Promise<RunOutcome> {
  const { from, failIf, lenient } = options;
  const { run: { start, end, lacks }, files: sources } = await readSaved(from, "--from", readLoad);
  const { stats } = end;
  const outputs = await openOutputs({ ...options, jsonStream: false, live: false }, { sources });
  try {
    outputs.each((it) => it.start?.(start));
    for (const trial of end.found?.trials ?? []) outputs.each((it) => it.event?.(trial));
    const thresholds = failIf.map((it) => judgeLoad(it, stats));
    outputs.each((it) => it.end?.({ ...end, thresholds }));
    await outputs.flush();
    if (lacks === "seconds") {
      await note(`The run in "${from}" has no seconds; was it a --json-stream with -q?`);
    }
    if (lacks === "end") await note(`The run in "${from}" has no end: this is what was saved of it`);
    else if (end.ended !== null) await note(`The run ended early: ${end.ended}`);
    return await judgeAll(thresholds, stats, lenient);
  } finally {
    await outputs.close();
  }
}
