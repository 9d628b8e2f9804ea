import type { StampFormat } from "../protocol.ts";
import type { Fate } from "./account.ts";
import { type Bounds, CLIENT_STEP, CLOCK_LAG, type Delays, ServerClock } from "./clock.ts";
import { Distribution } from "./distribution.ts";
import { nanos, seconds } from "./units.ts";

/** What became of one line, or one reply that came beside. */
export interface Happening {
  fate: Fate;
  /** The line's number; 0 for a corrupt reply. */
  seq: number;
  /** When it became known: seconds since the run began, monotonic. */
  at: number;
  /** Round trip in µs; undefined where nothing came back, or the line is too long ago. */
  rtt?: number | undefined;
  /** The client's wall clock before the line was sent and after its reply had come, the server's in between: µs. */
  sent?: number | undefined;
  received?: number | undefined;
  stamp?: number | undefined;
  format?: StampFormat | undefined;
  tag?: string | undefined;
  /** What a connection of its own took, in µs. */
  connect?: number | undefined;
  handshake?: number | undefined;
  /** Why there was no reply, where that is known. */
  reason?: string | undefined;
}

/** Durations in seconds. A percentile is null where there are too few values to tell it from the largest. */
export interface Durations {
  count: number;
  min: number;
  avg: number;
  max: number;
  mdev: number;
  p50: number | null;
  p90: number | null;
  p99: number | null;
  p99_9: number | null;
}

/** A value and how far off it may be at most, in the same unit. */
export interface Estimate {
  value: number;
  bound: number;
}

/** A {@linkcode Break} in seconds. */
export interface BreakSummary {
  kind: "step" | "rate";
  after: number;
  by: number;
  at: number;
  size: Estimate | null;
}

/** What is known of one server, told from others by its tag. */
export interface ServerSummary {
  /** Null for a server without one; "further tags" for all beyond the first {@linkcode MOST_TAGS}. */
  tag: string | null;
  received: number;
  rtt: Durations | null;
  stamp: StampFormat | null;
  /** Server minus client at the moment of the latest reply, in seconds; null where the stamps cannot tell. */
  offset: Estimate | null;
  /** Whose clock is ahead, where that is proven. */
  ahead: "server" | "client" | null;
  /** In ppm, since the latest break; `proven` tells whether it excludes 0. */
  drift: Estimate & { proven: boolean } | null;
  /** The first breaks, and how many there were. */
  breaks: BreakSummary[];
  break_count: number;
  /** The delay of each direction above its shortest. */
  up: Durations | null;
  down: Durations | null;
  /** The direction that clearly has the delay. */
  carries: "up" | "down" | null;
  /** One-way delays, where the clocks are said to agree; each is exact to `bound` seconds if they do. */
  one_way: { up: Durations; down: Durations; bound: number } | null;
  /** What cannot be told, and why; null if all can. */
  note: string | null;
}

/** How many lines met which fate. */
export interface Counts {
  sent: number;
  /** In time, reordered ones included. */
  received: number;
  lost: number;
  late: number;
  duplicates: number;
  reordered: number;
  corrupt: number;
  /** Lines whose reply could not be expected yet when the run ended: they count neither as received nor as lost. */
  pending: number;
  /** Lost lines, of those whose fate is known: 0 to 1. */
  loss: number;
}

/** A whole run, or what is known of it so far. */
export interface Summary extends Counts {
  /** Seconds. */
  duration: number;
  rtt: Durations | null;
  connect: Durations | null;
  handshake: Durations | null;
  servers: ServerSummary[];
}

/** A server that sends ever new tags must not fill the memory. */
export const MOST_TAGS = 32;
/** No tag has a blank. */
const OTHER_TAGS = "further tags";

/** A direction has the delay if its p90 is so many times the other's ... */
const CLEARLY = 3;
/** ... and larger by so many µs, and by such a share of the shortest round trip ... */
const CLEARLY_MICROS = 100;
const CLEARLY_SHARE = 0.1;
/** ... over so many replies at least: of fewer, the p90 is their largest. */
const CLEARLY_REPLIES = 10;

/** Counts and round trips: of a whole run, or of an interval of it. */
export class Tally {
  received = 0;
  lost = 0;
  late = 0;
  duplicates = 0;
  reordered = 0;
  corrupt = 0;
  pending = 0;
  readonly rtt = new Distribution();

  add({ fate, rtt }: Happening): void {
    switch (fate) {
      case "reordered":
        this.reordered++;
        this.received++;
        break;
      case "duplicate":
        this.duplicates++;
        break;
      default:
        this[fate]++;
    }
    if (rtt !== undefined && (fate === "received" || fate === "reordered")) this.rtt.record(rtt);
  }

  /** Begins anew: a new tally each second would be work for the garbage collector. */
  clear(): void {
    this.received =
      this.lost =
      this.late =
      this.duplicates =
      this.reordered =
      this.corrupt =
      this.pending =
        0;
    this.rtt.clear();
  }

  /** All of it, durations in seconds. */
  summary(): Counts & { rtt: Durations | null } {
    return { ...this.counts(), rtt: durations(this.rtt) };
  }

  counts(): Counts {
    const { received, late, duplicates, reordered, corrupt, pending } = this;
    // A late line had been given up before. In an interval that may have been before the interval.
    const lost = Math.max(0, this.lost - late);
    const known = received + lost + late;
    const loss = known === 0 ? 0 : lost / known;
    return { sent: known + pending, received, lost, late, duplicates, reordered, corrupt, pending, loss };
  }
}

/** What a run has shown of one server. */
class Server {
  received = 0;
  readonly rtt = new Distribution();
  readonly clock = new ServerClock();
  format: StampFormat | undefined;
  /** Whether not all replies had this format. */
  #mixed = false;
  /** One-way delays as the clocks have them. */
  readonly up = new Distribution();
  readonly down = new Distribution();

  constructor(readonly tag: string | null) {}

  add({ seq, at, rtt, sent, received, stamp, format }: Happening): void {
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
      resolution: resolutionOf(format!),
    });
  }

  /** The delays of each direction, where the stamps tell them. */
  delays(): Delays | undefined {
    return this.#fine && this.up.count > 0 ? this.clock.delays() : undefined;
  }

  /** Whether the stamps are fine enough to tell a direction's delay. */
  get #fine(): boolean {
    return this.format !== undefined && !this.#mixed && resolutionOf(this.format) < 1e6;
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
          bound: seconds(resolutionOf(this.format!) + CLIENT_STEP + CLOCK_LAG),
        }
        : null,
      note: this.#note(clocksSynced, offset),
    };
  }

  /** What cannot be told. */
  #note(clocksSynced: boolean, offset: Estimate | null): string | null {
    if (this.tag === OTHER_TAGS) {
      return `more than ${MOST_TAGS} tags: the clocks of further ones are not told apart`;
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
    if (resolutionOf(this.format) >= 1e6) {
      return "the stamps are whole seconds of the server's local time: the clock offset holds if its time zone is " +
        "that of this machine, and the direction of the delay cannot be told";
    }
    if (clocksSynced && offset !== null && Math.abs(offset.value) > offset.bound) {
      return "the clocks are proven not to agree: the one-way delays are off by the clock offset";
    }
    return null;
  }
}

/** Learns from one happening after the other, in memory that does not depend on how many there are. */
export class Run {
  readonly #tally = new Tally();
  readonly #servers = new Map<string | null, Server>();
  readonly #connect = new Distribution();
  readonly #handshake = new Distribution();
  readonly #clocksSynced: boolean;
  #latest = 0;

  /** @param clocksSynced whether one-way delays are wanted, as they are if the clocks agree. */
  constructor(clocksSynced: boolean) {
    this.#clocksSynced = clocksSynced;
  }

  /** Replies in time so far. */
  get received(): number {
    return this.#tally.received;
  }

  /** The longest round trip in µs so far; -Infinity before the first. */
  get longest(): number {
    return this.#tally.rtt.max;
  }

  /** The round trips of the whole run. */
  get rtt(): Distribution {
    return this.#tally.rtt;
  }

  /** The values of one kind, with the server whose they are where each has its own; undefined where there are none. */
  distributions(
    kind: "rtt" | "connect" | "handshake" | "up" | "down",
  ): { tag: string | null; values: Distribution | undefined }[] {
    switch (kind) {
      case "rtt":
        return [{ tag: null, values: this.rtt }];
      case "connect":
        return [{ tag: null, values: this.#connect }];
      case "handshake":
        return [{ tag: null, values: this.#handshake }];
      default:
        return [...this.#servers.values()].map((it) => ({ tag: it.tag, values: it.delays()?.[kind] }));
    }
  }

  /** Takes note of what a connection took, in µs. */
  connected(connect: number, handshake: number | undefined): void {
    this.#connect.record(connect);
    if (handshake !== undefined) this.#handshake.record(handshake);
  }

  add(happening: Happening): void {
    this.#latest = Math.max(this.#latest, happening.at);
    this.#tally.add(happening);
    const { fate, connect, handshake, tag = null } = happening;
    if (connect !== undefined) this.connected(connect, handshake);
    if (fate !== "received" && fate !== "reordered") return;
    let server = this.#servers.get(tag);
    if (server === undefined) {
      const key = this.#servers.size < MOST_TAGS ? tag : OTHER_TAGS;
      server = this.#servers.get(key) ?? new Server(key);
      this.#servers.set(key, server);
    }
    server.add(happening);
  }

  /** What can be told at little cost, for those who ask again and again. */
  glance(): { loss: number; offsets: { tag: string | null; offset: Estimate | null }[] } {
    return {
      loss: this.#tally.counts().loss,
      offsets: [...this.#servers.values()].map(({ tag, clock }) => {
        const estimate = clock.estimate();
        return { tag, offset: estimate === undefined ? null : estimated(estimate.offset, 1e-6) };
      }),
    };
  }

  summary(): Summary {
    return {
      ...this.#tally.counts(),
      duration: nanos(this.#latest),
      rtt: durations(this.#tally.rtt),
      connect: durations(this.#connect),
      handshake: durations(this.#handshake),
      servers: [...this.#servers.values()].sort((a, b) => (a.tag ?? "") < (b.tag ?? "") ? -1 : 1)
        .map((it) => it.summary(this.#clocksSynced)),
    };
  }
}

/** The step of a format's stamps, in µs. */
function resolutionOf(format: StampFormat): number {
  return format === "iso" || format === "unix" ? 1 : 1e6;
}

function carries(up: Distribution, down: Distribution, shortest: number): "up" | "down" | null {
  if (up.count < CLEARLY_REPLIES) return null;
  const [u, d] = [up.percentile(90), down.percentile(90)];
  const [more, less] = [Math.max(u, d), Math.min(u, d)];
  const clear = more >= CLEARLY * less && more - less >= Math.max(CLEARLY_MICROS, CLEARLY_SHARE * shortest);
  return clear ? (u > d ? "up" : "down") : null;
}

/** What a distribution shows, in seconds; null of nothing. */
export function durations(of: Distribution): Durations | null {
  if (of.count === 0) return null;
  const percentile = (percent: number) => of.tells(percent) ? seconds(of.percentile(percent)) : null;
  return {
    count: of.count,
    min: seconds(of.min),
    avg: seconds(of.avg),
    max: seconds(of.max),
    mdev: seconds(of.mdev),
    p50: percentile(50),
    p90: percentile(90),
    p99: percentile(99),
    p99_9: percentile(99.9),
  };
}

/** The middle of an interval times `unit`, and half its width, rounded up so that it stays a bound. */
function estimated({ lower, upper }: Bounds, unit: number): Estimate {
  const value = nanos((lower + upper) / 2 * unit);
  return { value, bound: Math.ceil(Math.max(upper * unit - value, value - lower * unit) * 1e9) / 1e9 };
}
