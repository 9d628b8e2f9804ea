/** `tsecho load`: joins a run to the terminal and to files. */
import { note } from "../cli/stdio.ts";
import { Failure } from "../failure.ts";
import { type Load, load } from "../load.ts";
import type { LoadProgress } from "../report/load_live.ts";
import { namingOptions } from "../report/option_names.ts";
import { verdictLine } from "../report/text.ts";
import { judgeLoad } from "../stats/load_measure.ts";
import type { LoadStats } from "../stats/load_stats.ts";
import { LOAD_METRICS } from "../stats/metrics.ts";
import type { Verdict } from "../stats/threshold.ts";
import { durationText } from "../time/duration.ts";
import type { OnQuit, RunOutcome, Steps } from "./command.ts";
import { type LoadOutputs, openOutputs, showProgress, tellInterim } from "./load_outputs.ts";
import { type LoadCommandOptions, type LoadSettings, planOf, startOf } from "./load_plan.ts";

/**
 * Loads, and reports what came of it.
 *
 * @param stop ends the sending; what is in flight is waited for, and the summary follows.
 * @param onAgain gets what ends the run at once, while there is one, and then the writing.
 * @param onQuit gets what tells how the run goes.
 * @throws {Failure} when no connection is made, or a file cannot be read or written.
 */
export async function runLoad(
  options: LoadCommandOptions,
  { stop, onAgain }: Steps,
  onQuit: OnQuit,
): Promise<RunOutcome> {
  const plan = await planOf(options, stop);
  const outputs = await openOutputs(options, { stop, onAgain });
  let hide = () => {};
  try {
    await using run = load(options.endpoint, plan);
    void outputs.failed.then(() => run.abort());
    onAgain(() => (run.abort(), true));
    const unopened = await open(run, stop);
    if (unopened !== undefined) onAgain();
    // Once: each output tells the same moment.
    const start = startOf(options, unopened === undefined ? run.begin() : undefined);
    outputs.each((it) => it.start?.(start));
    if (unopened !== undefined) return await conclude(run, { interrupted: unopened }, options, outputs);
    const progress = () => progressOf(run, options.settings, stop);
    hide = showProgress(outputs.live, progress);
    onQuit(() => tellInterim(outputs.live, progress().text, run.stats));
    const aborted = await follow(run, options, outputs);
    onAgain();
    hide(); // nothing follows the end
    onQuit(() => {});
    const isStopped = stop.aborted || outputs.hasFailed;
    const isEmpty = isStopped && run.ended !== null && aborted === null && !hasMeasured(run);
    const interrupted = isEmpty
      ? new Failure("load", run.endpoint, "interrupted before anything was measured")
      : undefined;
    return await conclude(run, { aborted, interrupted }, options, outputs);
  } finally {
    hide();
    await outputs.close();
  }
}

/** Hands the intervals on until the run ends. @returns the condition that ended it. */
async function follow(
  run: Load,
  { abortIf }: LoadCommandOptions,
  outputs: LoadOutputs,
): Promise<Verdict | null> {
  let broken: Verdict | null = null;
  for await (const interval of run) {
    outputs.each((it) => it.interval?.(interval));
    if (hasMeasured(run)) outputs.writeFiles();
    if (broken === null && !interval.tail) {
      broken = abortIf.map((it) => judgeLoad(it, run.stats)).find((it) => it.broken) ?? null;
      if (broken !== null) run.stop();
    }
    const full = outputs.whenRoom();
    if (full !== undefined) await full;
  }
  return broken;
}

/** Whether a line of the measured part was due, whatever became of it. */
function hasMeasured({ stats: { total } }: Load): boolean {
  return total.planned > 0;
}

/** Opens the connections. @returns what was not done yet when the user wanted no more; undefined once they are open. */
export async function open(run: Load, stop: AbortSignal): Promise<Failure | undefined> {
  try {
    await run.open();
    return undefined;
  } catch (error) {
    if (stop.aborted && error instanceof Failure) return namingOptions(error);
    throw error;
  }
}

/** How far a run is. @param stop whether the user has ended it. */
export function progressOf(
  { progress: { share, inFlight }, elapsed, stats }: Load,
  { count, duration, stages }: LoadSettings,
  stop: AbortSignal,
): LoadProgress {
  const planned = duration ?? stages?.reduce((sum, it) => sum + it.duration, 0);
  const text = planned !== undefined && count === undefined
    ? `${Math.floor(Math.min(elapsed, planned / 1000))} of ${Number((planned / 1000).toFixed(3))} s`
    : `${stats.total.planned} of ${count} lines`;
  const isSent = share >= 1 || stop.aborted;
  return {
    phase: elapsed === 0 ? "warm-up" : isSent ? "waiting for replies" : "load",
    share,
    text,
    inFlight,
  };
}

/**
 * Writes the end of a run, and says why it failed.
 *
 * @param aborted the condition that ended it. @param interrupted why nothing was measured, if the user ended it before.
 */
async function conclude(
  run: Load,
  { aborted = null, interrupted }: { aborted?: Verdict | null; interrupted?: Failure | undefined },
  { failIf, lenient }: LoadCommandOptions,
  outputs: LoadOutputs,
): Promise<RunOutcome> {
  const { stats } = run;
  const summary = run.summary();
  const thresholds = [...aborted === null ? [] : [aborted], ...failIf.map((it) => judgeLoad(it, stats))];
  const ended = aborted === null
    ? run.ended
    : `--abort-if ${aborted.threshold} held after ${durationText(stats.elapsed)}`;
  const told = interrupted && outputs.leaveFiles(interrupted);
  outputs.each((it) => it.end?.({ ended, stats, summary, thresholds }));
  await outputs.flush();
  if (told !== undefined) await note(told.message);
  if (aborted !== null) await note(`Ended after ${durationText(stats.elapsed)} by --abort-if`);
  return await judgeAll(thresholds, stats, lenient);
}

/** Says which conditions failed the run. */
export async function judgeAll(
  thresholds: Verdict[],
  { total }: LoadStats,
  lenient: boolean,
): Promise<RunOutcome> {
  // Without a reply most metrics cannot be told: that there is none says it all.
  const told = thresholds.filter((it) => it.lower !== null || total.received > 0);
  for (const verdict of told) {
    const line = verdictLine(verdict, LOAD_METRICS);
    if (line !== undefined) await note(line);
  }
  if (told.some((it) => it.broken || (it.verdict === "cannot tell" && !lenient))) return "broken";
  return total.received > 0 ? "replies" : "no replies";
}
