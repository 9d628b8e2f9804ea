import { Distribution } from "./distribution.ts";
import { type ReplyEvent, STAMP_STEPS, type StampFormat } from "./events.ts";
import { CLIENT_STEP, CLOCK_LAG } from "./feasible_lines.ts";
import { type Delays, ServerClock } from "./server_clock.ts";
import { durations, type Estimate, estimated, type ServerSummary } from "./summary.ts";
import { nanos, seconds } from "./units.ts";

/** The most servers told apart: one that sends ever new tags must not fill the memory. */
export const MAX_TAGS = 32;
/** Stands for the tags beyond these. No tag has a blank. */
export const OTHER_TAGS = "further tags";

/** A direction carries the delay if its p90 is this many times the other's ... */
const CLEARLY = 3;
/** ... and larger by this many µs, and by this share of the shortest round trip ... */
const CLEARLY_MICROS = 100;
const CLEARLY_SHARE = 0.1;
/** ... over at least this many replies: of fewer, the p90 is the largest. */
const CLEARLY_REPLIES = 10;

/** The figures of one server. */
export class ServerStats {
  received = 0;
  readonly rtt = new Distribution();
  readonly clock = new ServerClock();
  format: StampFormat | undefined;
  /** Whether the replies have several formats. */
  #mixed = false;
  /** One-way delays by the clocks as they are. */
  readonly up = new Distribution();
  readonly down = new Distribution();

  constructor(readonly tag: string | null) {}

  add({ seq, at, rtt, sent, received, stamp, format }: ReplyEvent): void {
    this.received++;
    if (rtt === undefined) return;
    this.rtt.record(rtt);
    if (this.rtt.count === 1) this.format = format;
    else if (format !== this.format) this.#mixed = true;
    if (this.tag === OTHER_TAGS || stamp === undefined || sent === undefined || received === undefined) {
      return;
    }
    const [up, down] = [stamp - sent, received - stamp];
    this.up.record(up);
    this.down.record(down);
    this.clock.add({
      seq,
      sentAt: at - rtt / 1e6,
      receivedAt: at,
      up,
      down,
      resolution: STAMP_STEPS[format!],
    });
  }

  /** The delays of each direction; undefined if the stamps cannot tell them. */
  delays(): Delays | undefined {
    return this.#hasFineStamps && this.up.count > 0 ? this.clock.delays() : undefined;
  }

  /** Whether the stamps are fine enough to tell the delay of a direction. */
  get #hasFineStamps(): boolean {
    return this.format !== undefined && !this.#mixed && STAMP_STEPS[this.format] < 1e6;
  }

  summary(clocksSynced: boolean): ServerSummary {
    const estimate = this.clock.estimate();
    const delays = this.delays();
    const offset = estimate === undefined ? null : estimated(estimate.offset, 1e-6);
    return {
      tag: this.tag,
      received: this.received,
      rtt: durations(this.rtt),
      stamp: this.#mixed ? null : this.format ?? null,
      offset,
      ahead: offset === null || Math.abs(offset.value) <= offset.bound
        ? null
        : offset.value > 0
        ? "server"
        : "client",
      drift: estimate === undefined ? null : { ...estimated(estimate.drift, 1), proven: estimate.drifts },
      breaks: (estimate?.breaks ?? []).map(({ size, ...it }) => ({
        ...it,
        at: nanos(it.at),
        size: size === undefined ? null : estimated(size, 1e-6),
      })),
      break_count: estimate?.breakCount ?? 0,
      up: delays === undefined ? null : durations(delays.up),
      down: delays === undefined ? null : durations(delays.down),
      carries: delays === undefined ? null : carries(delays.up, delays.down, this.rtt.min),
      one_way: clocksSynced && delays !== undefined
        ? {
          up: durations(this.up)!,
          down: durations(this.down)!,
          bound: seconds(STAMP_STEPS[this.format!] + CLIENT_STEP + CLOCK_LAG),
        }
        : null,
      note: this.#note(clocksSynced, offset),
    };
  }

  /** What cannot be told, and why. */
  #note(clocksSynced: boolean, offset: Estimate | null): string | null {
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
    if (clocksSynced && offset !== null && Math.abs(offset.value) > offset.bound) {
      return "the clocks are proven not to agree: the one-way delays are off by the clock offset";
    }
    return null;
  }
}

/** The direction that clearly carries the delay, if one does. */
function carries(up: Distribution, down: Distribution, shortest: number): "up" | "down" | null {
  if (up.count < CLEARLY_REPLIES) return null;
  const [u, d] = [up.percentile(90), down.percentile(90)];
  const [more, less] = [Math.max(u, d), Math.min(u, d)];
  const clear = more >= CLEARLY * less && more - less >= Math.max(CLEARLY_MICROS, CLEARLY_SHARE * shortest);
  return clear ? (u > d ? "up" : "down") : null;
}
