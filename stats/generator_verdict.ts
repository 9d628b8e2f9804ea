import { counted } from "../failure.ts";
import type { Distribution } from "./distribution.ts";
import type { LoadInterval } from "./load_interval.ts";
import { durationText } from "../time/duration.ts";
import type { GeneratorVerdict } from "./load_summary.ts";
import { type GeneratorReasonCode, type Reason, reasonFields } from "./reasons.ts";

/** A generator is limited if it sends less than this share of the plan, or half of its lines this late, in µs. */
const SENT_SHARE = 0.99;
const LATE_MICROS = 1000;
/** It is strained if a hundredth of its lines, of fewer than a hundred one, are that late, or later than this and than this share of the response. */
const STRAINED_MICROS = 200;
const STRAINED_SHARE = 0.1;
/** A closed loop has no plan to be late with: shares of a core that a thread used. */
const LIMITED_CPU = 0.95;
const STRAINED_CPU = 0.8;
/** And the share of the run in which one did not run: as many replies, at most, may have been read late by that. */
const STRAINED_STALL = 0.01;

type GeneratorReason = Reason<GeneratorReasonCode>;

const millis = (micros: number) => `${(micros / 1000).toFixed(3)} ms`;
const percent = (share: number) => `${(100 * share).toFixed(1)}%`;

/** Whether the generator was late with a line. @param handed when it gave the line to a connection; both in ms. */
export const isLate = (planned: number, handed: number) => 1000 * (handed - planned) > LATE_MICROS;

/**
 * Whether the generator kept to the plan of an open loop.
 *
 * Lines that were not sent although the generator was on time are the path's doing, which took no more of them: they
 * are told by their counts. Where the path is to blame, a busy machine is late with some of them all the same.
 */
export function verdictOfOpenLoop(
  { planned, sent, unsentLate, expiredInStall, sendLag, response }: LoadInterval,
): GeneratorVerdict {
  const isBehind = sent < SENT_SHARE * planned && unsentLate > (planned - sent) / 2;
  const [p50, p99] = [sendLag.percentile(50), sendLag.percentile(99)];
  const limited: GeneratorReason[] = [];
  if (p50 > LATE_MICROS && sendLag.hasPercentile(50)) {
    limited.push({ code: "late", text: `half of its lines were more than ${millis(p50)} late` });
  }
  if (isBehind) {
    const text = `it sent ${percent(sent / planned)} of the planned lines, and was late with most others`;
    limited.push({ code: "behind", text });
  }
  if (limited.length > 0) return { verdict: "limited", ...reasonFields(limited) };
  const reasons: GeneratorReason[] = [];
  const share = response.count > 0 ? p99 / response.percentile(99) : 0;
  const told = `${lateLines(sendLag, planned)} ${millis(p99)} late`;
  if (p99 > LATE_MICROS) reasons.push({ code: "late", text: told });
  else if (p99 > STRAINED_MICROS && share > STRAINED_SHARE) {
    const of = response.hasPercentile(99) ? "the response's p99" : "the longest response";
    reasons.push({ code: "late", text: `${told}, ${percent(share)} of ${of}` });
  }
  reasons.push(...expiredReason(expiredInStall));
  return { verdict: reasons.length === 0 ? "ok" : "strained", ...reasonFields(reasons) };
}

/** The lines that were the latest: of fewer than a p99 takes it is the largest. */
function lateLines(sendLag: Distribution, planned: number): string {
  if (sendLag.hasPercentile(99)) return "1% of its lines were more than";
  return planned === 1 ? "its only line was" : "its latest line was";
}

/** A single line counts: whether its reply came in time is not known. */
function expiredReason(lines: number): GeneratorReason[] {
  const text = `the time-out of ${counted(lines, "line")} passed while it did not run`;
  return lines === 0 ? [] : [{ code: "expired", text }];
}

/**
 * Whether the generator of a closed loop had time to spare, and ran when it had to.
 *
 * @param cpu the share of a core that each thread used.
 * @param stalled how long a thread did not run, and @param elapsed how long the run was, in ms.
 */
export function verdictOfClosedLoop(
  cpu: number,
  stalled: number,
  elapsed: number,
  { expiredInStall }: LoadInterval,
): GeneratorVerdict {
  const reasons: GeneratorReason[] = [];
  if (cpu >= STRAINED_CPU) {
    reasons.push({ code: "busy", text: `it used ${percent(cpu)} of a core for each thread` });
  }
  if (cpu < LIMITED_CPU && stalled > STRAINED_STALL * elapsed) {
    const text = `this machine did not run it for ${durationText(stalled)} of ${durationText(elapsed)}`;
    reasons.push({ code: "stopped", text });
  }
  reasons.push(...expiredReason(expiredInStall));
  const verdict = reasons.length === 0 ? "ok" : cpu < LIMITED_CPU ? "strained" : "limited";
  return { verdict, ...reasonFields(reasons) };
}
