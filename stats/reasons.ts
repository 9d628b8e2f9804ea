/** Reasons: words for people, and a code of a closed union for programs, since words change. */

/** Why something is as it is. */
export interface Reason<Code extends string> {
  code: Code;
  text: string;
}

/** Reasons as JSON has them: their words, and in the same order their codes. */
export interface ReasonFields<Code extends string> {
  reasons: string[];
  reason_codes: Code[];
}

export function reasonFields<Code extends string>(reasons: readonly Reason<Code>[]): ReasonFields<Code> {
  return { reasons: reasons.map(({ text }) => text), reason_codes: reasons.map(({ code }) => code) };
}

/** Why a generator is strained or limited. */
export type GeneratorReasonCode =
  /** Its lines were late. */
  | "late"
  /** It did not send all planned lines, and lateness is why. */
  | "behind"
  /** A time-out passed while it did not run. */
  | "expired"
  /** Its threads used most of a core. */
  | "busy"
  /** The machine did not run it for a while. */
  | "stopped"
  /** A run that was cut did not save whether it was. */
  | "unknown";

/** Why a trial did not pass. */
export type TrialReasonCode =
  /** Lines came to that. */
  | "lost"
  | "dropped"
  | "corrupt"
  | "failed"
  /** Too few of the planned lines were sent. */
  | "unsent"
  /** The condition does not hold, */
  | "not-kept"
  /** or it is not known whether it does, */
  | "unknown"
  /** since no line was answered at all. */
  | "no-replies"
  /** The generator's own send lag broke the condition: this says nothing of the server. */
  | "generator-late"
  /** The user ended it. */
  | "interrupted";

/** The words of trials that were saved without codes. */
const WORDS: [words: RegExp, code: TrialReasonCode][] = [
  [/^\d+ lost$/, "lost"],
  [/^\d+ dropped$/, "dropped"],
  [/^\d+ corrupt$/, "corrupt"],
  [/^\d+ failed$/, "failed"],
  [/^only .* of the lines were sent$/, "unsent"],
  [/ not kept$/, "not-kept"],
  [/^nothing was answered$/, "no-replies"],
  [/^this machine was late: /, "generator-late"],
  [/^it was interrupted$/, "interrupted"],
];

/** The code of a trial's reason that was saved in words alone. */
export function trialReasonCode(text: string): TrialReasonCode {
  return WORDS.find(([words]) => words.test(text))?.[1] ?? "unknown";
}
