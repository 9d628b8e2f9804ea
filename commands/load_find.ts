/** `tsecho load --find`: joins a search to the terminal and to files. */
import { Failure } from "../failure.ts";
import { find, type Load, load } from "../load.ts";
import { LOAD_DEFAULTS } from "../probe/load_defaults.ts";
import type { LoadLive } from "../report/load_live.ts";
import { perSecond } from "../report/load_figures.ts";
import { namingOptions } from "../report/option_names.ts";
import type { LoadStats } from "../stats/load_stats.ts";
import type { LoadFound, LoadTrial } from "../stats/load_trial.ts";
import type { OnQuit, RunOutcome, Steps } from "./command.ts";
import { leastInFlight } from "./load_checks.ts";
import { type LoadOutputs, openOutputs, showProgress, tellInterim } from "./load_outputs.ts";
import { type LoadCommandOptions, planOf, startOf } from "./load_plan.ts";
import { open, progressOf } from "./load_run.ts";

/** Whether a trial shows as much of the server as the best before it: less if the generator was limited, none if it failed. */
function showsMore({ passed, generator }: LoadTrial, best: LoadTrial | undefined): boolean {
  return passed && (generator.verdict !== "limited" || (best?.generator.verdict ?? "limited") === "limited");
}

/** The run of a trial. */
interface TrialRun {
  stats: LoadStats;
  /** As `LoadStart` has its time. */
  began: number;
}

/** What a search keeps of its trials. */
interface Runs {
  latest?: TrialRun;
  /** The latest that shows most. */
  best?: TrialRun & { trial: LoadTrial };
  /** Why there was no connection for a further one. */
  failure?: Error;
  /** What was not done yet for the first one when the user wanted no more. */
  unopened?: Failure;
  /** Whether what was in flight was not waited for. */
  aborted: boolean;
}

/**
 * Searches for the highest rate that keeps a condition, and reports each trial.
 *
 * @param stop ends the search; what is in flight is waited for.
 * @param onAgain gets what ends the trial at once, while there is one, and then the writing.
 * @param onQuit gets what tells how the run goes.
 * @throws {Failure} when no connection is made, it is interrupted before it has found a rate, or a file cannot be read or
 * written.
 */
export async function findRate(
  options: LoadCommandOptions,
  { stop, onAgain }: Steps,
  onQuit: OnQuit,
): Promise<RunOutcome> {
  const { settings, find: search } = options;
  const { limit: condition, trial } = search!;
  const ending = new AbortController();
  stop.addEventListener("abort", () => ending.abort());
  if (stop.aborted) ending.abort();
  const plan = await planOf(options, ending.signal);
  const outputs = await openOutputs(options, { stop: ending.signal, onAgain });
  void outputs.failed.then(() => ending.abort());
  const runs: Runs = { aborted: false };
  try {
    const found = await find(
      { condition, rate: settings.rate, trial, signal: ending.signal },
      async (rate, duration, hopeless) => {
        const maxInFlight = settings.maxInFlight ??
          Math.max(LOAD_DEFAULTS.maxInFlight, leastInFlight({ rate }));
        await using run = load(options.endpoint, { ...plan, rate, duration, maxInFlight });
        void outputs.failed.then(() => run.abort());
        onAgain(() => {
          runs.aborted = true;
          run.abort();
          return true;
        });
        const isOpen = await reach(run, runs, ending);
        if (!isOpen) onAgain();
        const start = startOf(options, isOpen ? run.begin() : undefined);
        if (runs.latest === undefined) outputs.each((it) => it.start?.(start));
        if (!isOpen) {
          runs.latest ??= { stats: run.stats, began: start.time };
          return run.stats;
        }
        outputs.live?.start({ ...start, rate });
        const progress = () => progressOf(run, { ...settings, rate, duration }, ending.signal);
        onQuit(() => {
          const text = `trial of ${perSecond(rate)} lines/s, ${progress().text}`;
          tellInterim(outputs.live, text, run.stats);
        });
        const hide = showProgress(outputs.live, progress);
        await follow(run, hopeless, outputs.live).finally(hide);
        onAgain(() => true); // the trial's threads end by themselves, and what was found is told then
        runs.latest = { stats: run.stats, began: start.time };
        return run.stats;
      },
      (trial) => {
        if (showsMore(trial, runs.best?.trial)) runs.best = { trial, ...runs.latest! };
        outputs.each((it) => it.event?.(trial));
      },
    );
    return await conclude(found, runs, condition.text, outputs);
  } finally {
    await outputs.close();
  }
}

/**
 * Opens the connections of a trial.
 *
 * @returns whether they are open: not when the user wants no more, or the server has gone after another trial.
 * @throws {Failure} when the first one of the first trial is not made.
 */
async function reach(run: Load, runs: Runs, ending: AbortController): Promise<boolean> {
  try {
    const unopened = await open(run, ending.signal);
    if (unopened !== undefined && runs.latest === undefined) runs.unopened = unopened;
    return unopened === undefined;
  } catch (error) {
    if (runs.latest === undefined) throw error;
    runs.failure = error as Error; // what was found until the server went is told first
    ending.abort();
    return false;
  }
}

/**
 * Writes the end of a search. What the process makes of it: one that has found no rate has failed its limit.
 *
 * @throws {Failure} when it was interrupted before it had found one, or its server has gone.
 */
async function conclude(
  found: LoadFound,
  { latest, best, failure, unopened, aborted }: Runs,
  condition: string,
  outputs: LoadOutputs,
): Promise<RunOutcome> {
  const { outcome, rate } = found;
  const interrupted = unopened ?? new Failure("find a rate that keeps", condition, "interrupted");
  const isEmpty = outcome === "interrupted" && failure === undefined && !found.trials.some(isWhole);
  const left = isEmpty ? outputs.leaveFiles(interrupted) : interrupted;
  const told = best ?? latest;
  if (told !== undefined) {
    const { stats, began } = told;
    const stopped = outcome === "interrupted" ? aborted ? "aborted" : "stopped" : null;
    const ended = namingOptions(failure)?.message ?? stopped;
    outputs.each((it) => it.end?.({ ended, began, stats, summary: stats.summary(), thresholds: [], found }));
    await outputs.flush();
  }
  if (failure !== undefined) throw failure;
  if (outcome === "interrupted") {
    if (rate === null) throw left;
    return "replies";
  }
  if (told?.stats.total.received === 0) return "no replies";
  return rate === null || outcome === "unconfirmed" ? "broken" : "replies";
}

/** Whether a trial was not interrupted. */
function isWhole({ reason_codes }: LoadTrial): boolean {
  return !reason_codes.includes("interrupted");
}

/** Shows a trial's intervals until it ends, or cannot pass any more. */
async function follow(
  run: Load,
  hopeless: (stats: LoadStats) => boolean,
  live: LoadLive | undefined,
): Promise<void> {
  for await (const interval of run) {
    live?.interval(interval);
    if (hopeless(run.stats)) run.stop();
  }
}
