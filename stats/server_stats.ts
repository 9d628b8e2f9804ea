import { Distribution } from "./distribution.ts";
import { type ReplyEvent, STAMP_STEPS, type StampFormat } from "./events.ts";
import { CLIENT_STEP, CLOCK_LAG } from "./feasible_lines.ts";
import type { ClientClock } from "./client_clock.ts";
import { ServerCourse } from "./course.ts";
import { CLAIM_REPLIES, clearlyLarger, isConsistent, STRETCH_MICROS, STRETCH_SHARE } from "./direction.ts";
import type { Delays } from "./segment.ts";
import { type ClockEstimate, ServerClock } from "./server_clock.ts";
import { aheadOf, durations, type Estimate, estimated, type ServerSummary } from "./summary.ts";
import { nanos, seconds } from "./units.ts";

/** The most servers told apart: one that sends ever new tags must not fill the memory. */
export const MAX_TAGS = 32;
/** Stands for the tags beyond these. No tag has a blank. */
export const OTHER_TAGS = "further tags";

/** The tag under which a server is kept beside others: its own, as long as there is room for it. */
export function tagToKeep(
  tag: string | null,
  kept: { has(tag: string | null): boolean; readonly size: number },
): string | null {
  return kept.has(tag) || kept.size < MAX_TAGS ? tag : OTHER_TAGS;
}

/** A line was held up here if that took longer than this, in µs, and than this share of its round trip. */
const BUSY_MICROS = 100;
const BUSY_SHARE = 0.1;

/** The figures of one server. */
export class ServerStats {
  received = 0;
  readonly rtt = new Distribution();
  readonly clock = new ServerClock();
  format: StampFormat | undefined;
  /** Whether the replies have several formats. */
  #mixed = false;
  /** One-way delays by the clocks as they are, if these are said to agree. */
  readonly #oneWay: { up: Distribution; down: Distribution } | undefined;
  /** Steps of the client's clock that are known here. */
  #clientSteps = 0;

  /** Undefined unless somebody wants charts. */
  readonly course: ServerCourse | undefined;

  /** @param clocksSynced whether the clocks are said to agree. @param charted whether the course is kept too. */
  constructor(readonly tag: string | null, clocksSynced: boolean, charted = false) {
    if (charted) this.course = new ServerCourse(this.clock);
    if (clocksSynced) this.#oneWay = { up: new Distribution(), down: new Distribution() };
  }

  /** @param client the client's clock. @param whole whether it ran on during the exchange, rather than be set back. */
  add(event: ReplyEvent, client: ClientClock, whole: boolean): void {
    const { seq, at, rtt, sent, received, stamp, format, busy = 0 } = event;
    this.received++;
    this.course?.add(event);
    if (rtt === undefined) return;
    this.rtt.record(rtt);
    if (this.rtt.count === 1) this.format = format;
    else if (format !== this.format) this.#mixed = true;
    if (this.tag === OTHER_TAGS || stamp === undefined || sent === undefined || received === undefined) {
      return;
    }
    const [up, down] = [stamp - sent, received - stamp];
    this.#oneWay?.up.record(up);
    this.#oneWay?.down.record(down);
    if (this.#clientSteps !== client.steps) this.clock.clientStepped(client.latest);
    this.#clientSteps = client.steps;
    if (!whole) return;
    const sample = {
      seq,
      sentAt: at - rtt / 1e6,
      receivedAt: at,
      up,
      down,
      resolution: STAMP_STEPS[format!],
      // Between the readings of the two clocks at either end the process was held up too.
      busy: Math.max(busy, received - sent - rtt) > Math.max(BUSY_MICROS, BUSY_SHARE * rtt),
    };
    if (this.clock.add(sample)) this.course?.addSample(sample);
  }

  /** The delays of each direction; undefined if the replies cannot tell them. */
  delays(): Delays | undefined {
    return this.#delays(this.clock.estimate());
  }

  #delays(estimate: ClockEstimate | undefined): Delays | undefined {
    // Without a line that the clocks kept to there is none above which delays could be told.
    const unsteady = estimate?.withdrawn === "step" || estimate?.withdrawn === "drift";
    return this.#hasFineStamps && estimate !== undefined && !unsteady ? this.clock.delays() : undefined;
  }

  /** Whether the stamps are fine enough to tell the delay of a direction. */
  get #hasFineStamps(): boolean {
    return this.format !== undefined && !this.#mixed && STAMP_STEPS[this.format] < 1e6;
  }

  summary(): ServerSummary {
    const estimate = this.clock.estimate();
    const delays = this.#delays(estimate);
    const offset = estimate === undefined ? null : estimated(estimate.offset, 1e-6);
    const withdrawn = estimate?.withdrawn ?? null;
    const leans = delays === undefined ? null : leaning(delays, this.rtt.min);
    const proven = leans !== null && withdrawn === null && this.#isConsistent(leans);
    return {
      tag: this.tag,
      received: this.received,
      rtt: durations(this.rtt),
      stamp: this.#mixed ? null : this.format ?? null,
      offset,
      withdrawn,
      ahead: aheadOf(offset),
      drift: estimate === undefined || withdrawn !== null
        ? null
        : { ...estimated(estimate.drift, 1), proven: estimate.drifts },
      breaks: (estimate?.breaks ?? []).map(({ size, whose, ...it }) => ({
        ...it,
        whose: whose ?? null,
        at: nanos(it.at),
        size: size === undefined ? null : estimated(size, 1e-6),
      })),
      break_count: estimate?.breakCount ?? 0,
      up: delays === undefined ? null : durations(delays.all.up),
      down: delays === undefined ? null : durations(delays.all.down),
      busy: delays?.busy ?? 0,
      carries: proven ? leans : null,
      leans,
      one_way: this.#oneWay !== undefined && delays !== undefined
        ? {
          up: durations(this.#oneWay.up)!,
          down: durations(this.#oneWay.down)!,
          bound: seconds(STAMP_STEPS[this.format!] + CLIENT_STEP + CLOCK_LAG),
        }
        : null,
      note: this.#note(offset),
    };
  }

  /** Whether a direction has the delay all through the run, and not in a part of it alone. */
  #isConsistent(direction: "up" | "down"): boolean {
    const { replies, blocks } = this.clock.course();
    const least = Math.max(STRETCH_MICROS, STRETCH_SHARE * this.rtt.min);
    return replies >= CLAIM_REPLIES && isConsistent(direction, blocks, least);
  }

  /** What cannot be told, and why. */
  #note(offset: Estimate | null): string | null {
    if (this.tag === OTHER_TAGS) {
      return `more than ${MAX_TAGS} tags: the clocks of further ones are not told apart`;
    }
    if (this.rtt.count === 0) return null;
    if (this.#mixed) {
      return "the replies have stamps of several formats: the direction of the delay cannot be told, and the clock " +
        "offset holds only if one clock made them all";
    }
    if (this.format === undefined) {
      return "the replies have a prefix that is no stamp known here: neither clock offset nor direction can be told";
    }
    if (this.format === "none") {
      return "the replies have no stamp: neither clock offset nor direction can be told";
    }
    if (STAMP_STEPS[this.format] >= 1e6) {
      return "the stamps are whole seconds of the server's local time: the clock offset holds if its time zone is " +
        "that of this machine, and the direction of the delay cannot be told";
    }
    if (this.#oneWay !== undefined && offset !== null && Math.abs(offset.value) > offset.bound) {
      return "the clocks are proven not to agree: the one-way delays are off by the clock offset";
    }
    return null;
  }
}

/** The direction whose delays are clearly larger, if one's are: of the lines that this machine did not hold up. */
function leaning({ calm: { up, down } }: Delays, shortest: number): "up" | "down" | null {
  if (!up.hasPercentile(90)) return null;
  return clearlyLarger(up.percentile(90), down.percentile(90), shortest);
}
