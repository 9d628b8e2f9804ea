import { ClientClock } from "./client_clock.ts";
import { Course, type ServerCourse } from "./course.ts";
import { Distribution } from "./distribution.ts";
import { isVerdict, type ProbeEvent, type ReplyEvent } from "./events.ts";
import { isInTime, LineCounters } from "./line_counters.ts";
import { LossPattern } from "./loss_pattern.ts";
import { addCount } from "./reason_counts.ts";
import { SendingPace } from "./sending_pace.ts";
import { ServerStats, tagToKeep } from "./server_stats.ts";
import { durations, estimated, type OffsetOfServer, type Summary } from "./summary.ts";
import { nanos } from "./units.ts";

/** The course of a run, and of its servers' replies. */
export interface RunCourse {
  run: Course;
  servers: { tag: string | null; rtt: Distribution; course: ServerCourse }[];
}

/** The figures of a run, from one event after the other, in memory that does not depend on their number. */
export class RunStats {
  readonly #counters = new LineCounters();
  readonly #servers = new Map<string | null, ServerStats>();
  readonly #client = new ClientClock();
  readonly #losses = new LossPattern();
  readonly #pace = new SendingPace();
  readonly #connect = new Distribution();
  readonly #handshake = new Distribution();
  readonly #response = new Distribution();
  readonly #lag = new Distribution();
  readonly #blocked = new Distribution();
  /** Reasons are few fixed texts in a run; a saved one may hold anything, and is in memory anyway. */
  readonly #missedBy = new Map<string, number>();
  readonly #errors = new Map<string, number>();
  readonly #clocksSynced: boolean;
  #latest = 0;
  #course: Course | undefined;

  /**
   * Begins without events.
   *
   * @param clocksSynced whether the clocks are said to agree, so that the summary has one-way delays.
   */
  constructor(clocksSynced: boolean) {
    this.#clocksSynced = clocksSynced;
  }

  /**
   * Keeps the course of the run as well, for charts. To be called before the first event.
   *
   * @param timeout of a line, in seconds.
   * @ignore not for users of the library
   */
  keepCourse(timeout: number): void {
    this.#course = new Course(timeout);
  }

  /**
   * The course of the run, of its lines and of each server's; undefined if it is not kept.
   *
   * @ignore not for users of the library
   */
  get course(): RunCourse | undefined {
    if (this.#course === undefined) return undefined;
    const servers = [...this.#servers.values()].map(({ tag, rtt, course }) => ({
      ...{ tag, rtt },
      course: course!,
    }));
    return { run: this.#course, servers };
  }

  /** The round trips of the whole run. */
  get rtt(): Distribution {
    return this.#counters.rtt;
  }

  /** The values of one kind; for `up` and `down` those of each server, undefined where its stamps cannot tell. */
  distributions(
    kind: "rtt" | "response" | "lag" | "blocked" | "connect" | "handshake" | "up" | "down",
  ): { tag: string | null; values: Distribution | undefined }[] {
    switch (kind) {
      case "rtt":
        return [{ tag: null, values: this.rtt }];
      case "response":
        return [{ tag: null, values: this.#response }];
      case "lag":
        return [{ tag: null, values: this.#lag }];
      case "blocked":
        return [{ tag: null, values: this.#blocked }];
      case "connect":
        return [{ tag: null, values: this.#connect }];
      case "handshake":
        return [{ tag: null, values: this.#handshake }];
      default:
        return [...this.#servers.values()].map((it) => ({ tag: it.tag, values: it.delays()?.all[kind] }));
    }
  }

  /** Records what a connection took, in µs. */
  connected(connect: number, handshake: number | undefined): void {
    this.#connect.record(connect);
    if (handshake !== undefined) this.#handshake.record(handshake);
  }

  /** Records an event. */
  add(event: ProbeEvent): void {
    this.#latest = Math.max(this.#latest, event.at);
    this.#counters.add(event);
    this.#losses.add(event);
    this.#course?.add(event);
    if (event.fate === "missed") {
      this.#missedBy.set(event.reason, (this.#missedBy.get(event.reason) ?? 0) + event.count);
    }
    if (event.fate === "lost" && event.reason !== undefined) addCount(this.#errors, event.reason, 1);
    if (event.fate === "corrupt" || event.fate === "missed") return;
    const { rtt, lag, blocked, connect, handshake } = event as Partial<ReplyEvent>;
    if (connect !== undefined) this.connected(connect, handshake);
    if (!isVerdict(event)) return;
    if (lag !== undefined) {
      this.#lag.record(lag);
      this.#pace.add(event);
    }
    if (blocked !== undefined) this.#blocked.record(blocked);
    if (!isInTime(event)) return;
    if (rtt !== undefined && lag !== undefined) {
      this.#response.record(lag + (blocked ?? 0) + (connect ?? 0) + (handshake ?? 0) + rtt);
    }
    const { tag = null } = event;
    let server = this.#servers.get(tag);
    if (server === undefined) {
      const key = tagToKeep(tag, this.#servers);
      server = this.#servers.get(key) ?? new ServerStats(key, this.#clocksSynced, this.#course !== undefined);
      this.#servers.set(key, server);
    }
    const { at, sent, received } = event;
    const read = rtt !== undefined && sent !== undefined && received !== undefined;
    server.add(event, this.#client, !read || this.#client.add(at * 1e6, rtt, sent, received));
  }

  /** Loss and offsets so far: cheap enough for a display that asks ten times a second. */
  snapshot(): { loss: number | null; offsets: OffsetOfServer[] } {
    return {
      loss: this.#counters.counts().loss,
      offsets: [...this.#servers.values()].map(({ tag, clock }) => {
        const estimate = clock.estimate();
        return { tag, offset: estimate === undefined ? null : estimated(estimate.offset, 1e-6) };
      }),
    };
  }

  /** All figures so far. */
  summary(): Summary {
    return {
      ...this.#counters.counts(),
      missed_by: Object.fromEntries(this.#missedBy),
      errors: Object.fromEntries(this.#errors),
      interval: this.#pace.interval === null ? null : nanos(this.#pace.interval),
      loss_pattern: this.#losses.summary(),
      duration: nanos(this.#latest),
      rtt: durations(this.#counters.rtt),
      response: durations(this.#response),
      lag: durations(this.#lag),
      blocked: durations(this.#blocked),
      connect: durations(this.#connect),
      handshake: durations(this.#handshake),
      servers: [...this.#servers.values()].sort((a, b) => (a.tag ?? "") < (b.tag ?? "") ? -1 : 1)
        .map((it) => it.summary()),
    };
  }
}
