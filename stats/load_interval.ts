import { Distribution } from "./distribution.ts";
import { LOAD_COUNTS } from "./metrics.ts";
import { type EncodedDistribution, mergeEncoded } from "./encoded_distribution.ts";
import { addCounts } from "./reason_counts.ts";
import { tagToKeep } from "./server_stats.ts";

/** The durations of a line and of the connections that carry lines. */
export const LOAD_DURATIONS = ["response", "service", "sendLag", "blocked", "connect", "handshake"] as const;

/** What the generator is judged by besides; in no sum. */
const GENERATOR_COUNTS = ["unsentLate", "expiredInStall"] as const;
const ALL_COUNTS = [...LOAD_COUNTS, ...GENERATOR_COUNTS] as const;

/** What one server answered. */
export interface ServerPart {
  /** Lines. */
  received: number;
  /** Delays on the way to it above the shortest, in µs. */
  up: Distribution;
  /** Likewise on the way back. */
  down: Distribution;
}

/** A {@linkcode LoadInterval} for another thread, or to be kept. */
export interface EncodedLoadInterval {
  from: number;
  to: number;
  tail: boolean;
  sampled: boolean;
  alike: boolean;
  inFlight: number;
  counts: Record<typeof ALL_COUNTS[number], number>;
  errors: [reason: string, lines: number][];
  connectErrors: [reason: string, connects: number][];
  durations: Record<typeof LOAD_DURATIONS[number], EncodedDistribution>;
  servers: [tag: string | null, received: number, up: EncodedDistribution, down: EncodedDistribution][];
}

/**
 * What happened in a part of a run. Counts are of lines, each in the interval in which it happened: `planned` in that of
 * the planned moment, `lost` in that in which the time-out passed. Over a whole run planned = sent + dropped + unsent
 * and sent = received + lost + corrupt + errors + pending.
 */
export class LoadInterval {
  /** When it began, in ms since the measured part of the run did. */
  from = 0;
  /** When it ended. */
  to = 0;
  /** Whether it is what came after the planned end. */
  tail = false;
  /** Whether the servers' delays are of some of the lines, picked at random: the largest of all may be larger. */
  sampled = false;
  /** Whether replies could no longer be told apart: lines came again too soon for how many had none. */
  alike = false;
  /** Due by the plan. */
  planned = 0;
  /** Written. */
  sent = 0;
  /** In time and right. */
  received = 0;
  /** Without a reply in time. */
  lost = 0;
  /** Replies to lost lines. */
  late = 0;
  /** Not sent, since too many were in flight. */
  dropped = 0;
  /** Not sent for another reason. */
  unsent = 0;
  /** Dropped or unsent lines with which the generator was late before that. */
  unsentLate = 0;
  /** Lost or unsent lines whose time-out passed while the generator did not run. */
  expiredInStall = 0;
  /** Answered with something else. */
  corrupt = 0;
  /** Further replies. */
  duplicates = 0;
  /** Neither answered nor lost when the run was broken off. */
  pending = 0;
  /** Lines in flight when it ended. */
  inFlight = 0;
  /** Lines that failed, by reason. */
  readonly errors: Map<string, number> = new Map();
  /** Connects that failed, by reason, and connections that ended before they had a line. */
  readonly connectErrors: Map<string, number> = new Map();
  /** From planned to read, in µs as all durations; empty in a closed loop. */
  readonly response: Distribution = new Distribution();
  /** From written to read. */
  readonly service: Distribution = new Distribution();
  /** From planned to handed; empty in a closed loop. */
  readonly sendLag: Distribution = new Distribution();
  /** From handed to written; empty in a closed loop. */
  readonly blocked: Distribution = new Distribution();
  /** What connections took. */
  readonly connect: Distribution = new Distribution();
  /** What their TLS handshakes took after that. */
  readonly handshake: Distribution = new Distribution();
  /** By tag; null for servers without one. */
  readonly servers: Map<string | null, ServerPart> = new Map();

  /** Lines are not sent. @param late whether the generator was late with them. */
  omit(count: "dropped" | "unsent", lines: number, late: boolean): void {
    this[count] += lines;
    if (late) this.unsentLate += lines;
  }

  /** Adds what happened in the same time in another thread. */
  add(other: LoadInterval): void {
    this.#addAll(other);
    this.inFlight += other.inFlight;
  }

  /** Adds the interval that follows. */
  extend(next: LoadInterval): void {
    this.#addAll(next);
    this.inFlight = next.inFlight;
    this.to = next.to;
    this.tail &&= next.tail;
  }

  #addAll(other: LoadInterval): void {
    this.sampled ||= other.sampled;
    this.alike ||= other.alike;
    for (const name of ALL_COUNTS) this[name] += other[name];
    addCounts(this.errors, other.errors);
    addCounts(this.connectErrors, other.connectErrors);
    for (const name of LOAD_DURATIONS) this[name].add(other[name]);
    for (const [tag, { received, up, down }] of other.servers) {
      const server = this.server(tag);
      server.received += received;
      server.up.add(up);
      server.down.add(down);
    }
  }

  /** The part of a server, which is made if there is none; one for all beyond the first 32. */
  server(tag: string | null): ServerPart {
    const known = this.servers.get(tag);
    if (known !== undefined) return known;
    const name = tagToKeep(tag, this.servers);
    const server = this.servers.get(name) ??
      { received: 0, up: new Distribution(), down: new Distribution() };
    this.servers.set(name, server);
    return server;
  }

  /**
   * What {@linkcode decode} makes the same interval of; it can be cloned to another thread.
   *
   * @ignore not for users of the library
   */
  encode(): EncodedLoadInterval {
    const { from, to, tail, sampled, alike, inFlight } = this;
    return {
      from,
      to,
      tail,
      sampled,
      alike,
      inFlight,
      counts: each(ALL_COUNTS, (it) => this[it]),
      errors: [...this.errors],
      connectErrors: [...this.connectErrors],
      durations: each(LOAD_DURATIONS, (it) => this[it].encode()),
      servers: [...this.servers].map((
        [tag, { received, up, down }],
      ) => [tag, received, up.encode(), down.encode()]),
    };
  }

  /**
   * The interval that was encoded.
   *
   * @ignore not for users of the library
   */
  static decode(encoded: EncodedLoadInterval): LoadInterval {
    const interval = new LoadInterval();
    const { from, to, tail, sampled, alike, inFlight } = encoded;
    Object.assign(interval, { from, to, tail, sampled, alike, inFlight }, encoded.counts);
    addCounts(interval.errors, encoded.errors);
    addCounts(interval.connectErrors, encoded.connectErrors);
    for (const name of LOAD_DURATIONS) interval[name].addEncoded(encoded.durations[name]);
    for (const [tag, received, up, down] of encoded.servers) {
      const server = interval.server(tag);
      server.received = received;
      server.up.addEncoded(up);
      server.down.addEncoded(down);
    }
    return interval;
  }
}

/** An interval and the one that follows it in one, without taking their distributions apart. */
export function mergeEncodedIntervals(
  one: EncodedLoadInterval,
  next: EncodedLoadInterval,
): EncodedLoadInterval {
  const { counts, durations } = one;
  const servers = new Map(one.servers.map((it) => [it[0], it]));
  for (const [tag, received, up, down] of next.servers) {
    const name = tagToKeep(tag, servers);
    const server = servers.get(name);
    servers.set(
      name,
      server === undefined
        ? [name, received, up, down]
        : [name, server[1] + received, mergeEncoded(server[2], up), mergeEncoded(server[3], down)],
    );
  }
  return {
    from: one.from,
    to: next.to,
    tail: one.tail && next.tail,
    sampled: one.sampled || next.sampled,
    alike: one.alike || next.alike,
    inFlight: next.inFlight,
    counts: each(ALL_COUNTS, (it) => counts[it] + next.counts[it]),
    errors: mergedCounts(one.errors, next.errors),
    connectErrors: mergedCounts(one.connectErrors, next.connectErrors),
    durations: each(LOAD_DURATIONS, (it) => mergeEncoded(durations[it], next.durations[it])),
    servers: [...servers.values()],
  };
}

function each<K extends string, V>(names: readonly K[], value: (name: K) => V): Record<K, V> {
  return Object.fromEntries(names.map((it) => [it, value(it)])) as Record<K, V>;
}

function mergedCounts(one: [string, number][], other: [string, number][]): [string, number][] {
  if (other.length === 0) return one;
  const counts = new Map(one);
  addCounts(counts, other);
  return [...counts];
}
