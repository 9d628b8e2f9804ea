import { BATCHES, LONG_ENOUGH } from "./batches.ts";
import { Distribution } from "./distribution.ts";
import type { EncodedDistribution } from "./encoded_distribution.ts";
import { verdictOfClosedLoop, verdictOfOpenLoop } from "./generator_verdict.ts";
import { LoadCourse } from "./load_course.ts";
import type { ServerDirections } from "./load_directions.ts";
import { ALL_CAME, loadDurations, type NeverCame } from "./load_durations.ts";
import { type EncodedLoadInterval, type LOAD_DURATIONS, LoadInterval } from "./load_interval.ts";
import type { GeneratorVerdict, LoadDurations, LoadServer, LoadSummary } from "./load_summary.ts";
import { sumOf } from "./reason_counts.ts";
import { type Trend, trendOf } from "./trend.ts";
import { nanos } from "./units.ts";

/** Steadiness is judged on so many equal parts, each with so many lines at least. */
const PARTS = 10;
const LINES_OF_PART = 100;

/** What figures need to know besides the intervals. */
export interface LoadContext {
  loop: "open" | "closed";
  /** When a line without a reply is lost, in ms. */
  timeout: number;
  /** Whether the rate changes by plan, so that no steady state is to be expected. */
  stages: boolean;
  /** Whether replies cannot be told apart, since they may be lost or come twice and lines come again too soon. */
  alike?: boolean;
  /** The share of a core that each thread used in the measured time; a closed loop is judged by it. */
  cpu?: () => number;
  /** How long, in ms, a thread did not run in the measured time; a closed loop is judged by it, too. */
  stalled?: () => number;
  /** How many connections each server has answered on. */
  connections?: () => ReadonlyMap<string | null, number>;
  /** What the stamps tell of each server over the whole run. */
  directions?: () => ServerDirections[];
}

/** What a saved run tells beyond its intervals. */
export interface SavedLoadFigures {
  /** All intervals in one, with what they leave out. */
  total: LoadInterval;
  /** How much of the plan's time passed, in ms. */
  elapsed: number;
  /** Lines a second in that time. */
  receivedRate: number;
}

/** The figures of a load, from one interval after the other, in memory that does not grow with the run. */
export class LoadStats {
  /** All intervals in one. */
  readonly total: LoadInterval;
  readonly context: LoadContext;
  readonly #course = new LoadCourse();
  /** What was sent and received in the time of the plan. */
  readonly #inPlan = { sent: 0, received: 0 };
  #receivedLater = 0;
  readonly #saved: SavedLoadFigures | undefined;

  /** @param saved of a saved run, whose intervals are added all the same. */
  constructor(context: LoadContext, saved?: SavedLoadFigures) {
    this.context = context;
    this.#saved = saved;
    this.total = saved?.total ?? new LoadInterval();
  }

  /** Adds the interval that follows those so far. */
  add(interval: LoadInterval): void {
    interval.alike ||= this.context.alike ?? false;
    if (interval.alike) forgetDirections(interval);
    if (this.#saved === undefined) this.total.extend(interval);
    this.#course.add(interval);
    if (interval.tail) {
      this.#receivedLater += interval.received;
      return;
    }
    this.#inPlan.sent += interval.sent;
    this.#inPlan.received += interval.received;
  }

  /** Whether replies cannot be told apart. */
  get alike(): boolean {
    return (this.context.alike ?? false) || this.total.alike;
  }

  /** How much of the plan's time has passed, in ms. */
  get elapsed(): number {
    return this.#saved?.elapsed ?? this.#course.until;
  }

  /** Lines that failed. */
  get errors(): number {
    return sumOf(this.total.errors);
  }

  /** The run's latencies: response in an open loop, service in a closed one. */
  get headline(): Distribution {
    return this.context.loop === "open" ? this.total.response : this.total.service;
  }

  /** Lines received a second in the time of the plan. */
  get receivedRate(): number {
    return this.#saved?.receivedRate ?? this.#rate(this.#inPlan.received);
  }

  /** Lines received after the plan's end. */
  get receivedLater(): number {
    return this.#receivedLater;
  }

  /** The intervals, neighbours merged where there would be more than 600. */
  seconds(): Iterable<LoadInterval> {
    return this.#course;
  }

  /**
   * Lines without a duration of a kind. What was planned and never sent has no response; what was sent and not answered
   * has no service time either.
   */
  neverCame(kind: typeof LOAD_DURATIONS[number]): NeverCame {
    const { planned, sent, lost, dropped, unsent, corrupt, pending } = this.total;
    switch (kind) {
      case "response":
        return { never: lost + this.errors + corrupt + dropped + unsent, pending, lines: planned };
      case "service":
        return { never: lost + this.errors + corrupt, pending, lines: sent };
      default:
        return ALL_CAME;
    }
  }

  /** Whether the generator kept to its plan. */
  generator(): GeneratorVerdict {
    const { loop, cpu, stalled } = this.context;
    return loop === "open"
      ? verdictOfOpenLoop(this.total)
      : verdictOfClosedLoop(cpu?.() ?? 0, stalled?.() ?? 0, this.elapsed, this.total);
  }

  /** What the stamps tell of each server. */
  directions(): ServerDirections[] {
    const { servers } = this.total;
    if (this.alike) return [...servers.keys()].map(unknownDirections).sort(byTag);
    // Where there are too many servers to tell apart, those that are may be others there.
    const found = (this.context.directions?.() ?? []).filter(({ tag }) => servers.has(tag));
    const others = [...servers].filter(([tag]) => !found.some((it) => it.tag === tag));
    return [
      ...found,
      ...others.map(([tag, { up, down }]) => ({
        ...unknownDirections(tag),
        up: up.count > 0 ? up : undefined,
        down: down.count > 0 ? down : undefined,
      })),
    ].sort(byTag);
  }

  /** All figures so far. */
  summary(): LoadSummary {
    const { planned, sent, received, lost, late, dropped, unsent, corrupt, duplicates, pending } = this.total;
    const { loop } = this.context;
    const open = loop === "open";
    return {
      ...{ planned, sent, received, lost, late, dropped, unsent, corrupt, duplicates, pending },
      errors: Object.fromEntries(this.total.errors),
      connect_errors: Object.fromEntries(this.total.connectErrors),
      duration: nanos(this.elapsed / 1000),
      loop,
      rate: {
        planned: this.#rate(open ? planned : this.#inPlan.sent),
        sent: this.#rate(this.#inPlan.sent),
        received: this.receivedRate,
      },
      response: open ? this.#durations("response") : null,
      service: this.#durations("service"),
      send_lag: open ? this.#durations("sendLag") : null,
      blocked: open ? this.#durations("blocked") : null,
      connect: this.#durations("connect"),
      handshake: this.#durations("handshake"),
      servers: this.directions().map((it) => this.#server(it)),
      alike: this.alike,
      generator: this.generator(),
      ...this.#steadiness(),
    };
  }

  #rate(lines: number): number {
    return this.elapsed === 0 ? 0 : Math.round(lines / this.elapsed * 1e6) / 1000;
  }

  #durations(kind: typeof LOAD_DURATIONS[number]): LoadDurations | null {
    const batches = this.#batches((entry) => entry.durations[kind]);
    return loadDurations(this.total[kind], this.neverCame(kind), batches);
  }

  #server({ tag, up, down, offset, unsteady }: ServerDirections): LoadServer {
    const told = (direction: "up" | "down", values: Distribution | undefined) => {
      if (values === undefined) return null;
      const place = direction === "up" ? 2 : 3;
      const batches = this.#batches((entry) => entry.servers.find((it) => it[0] === tag)?.[place]);
      return loadDurations(values, ALL_CAME, batches);
    };
    return {
      tag,
      received: this.total.servers.get(tag)?.received ?? 0,
      connections: this.context.connections?.().get(tag) ?? 0,
      up: told("up", up),
      down: told("down", down),
      sampled: this.total.sampled,
      offset,
      unsteady,
    };
  }

  #batches(
    values: (entry: EncodedLoadInterval) => EncodedDistribution | undefined,
  ): Distribution[] | undefined {
    return this.elapsed < LONG_ENOUGH ? undefined : this.#course.parts(BATCHES, values);
  }

  #steadiness(): { steady: boolean | null; trend: Trend | null } {
    const { loop, stages } = this.context;
    if (stages || this.elapsed < LONG_ENOUGH) return { steady: null, trend: null };
    const kind = loop === "open" ? "response" : "service";
    const parts = this.#course.parts(PARTS, (entry) => entry.durations[kind]);
    if (!parts.every((it) => it.count >= LINES_OF_PART)) return { steady: null, trend: null };
    const trend = trendOf(parts.map((it) => it.percentile(99)));
    return { steady: trend === null, trend };
  }
}

function unknownDirections(tag: string | null): ServerDirections {
  return { tag, up: undefined, down: undefined, offset: null, unsteady: null };
}

function byTag(a: ServerDirections, b: ServerDirections): number {
  return (a.tag ?? "") < (b.tag ?? "") ? -1 : 1;
}

/** The stamps may be those of replies to other lines. */
function forgetDirections({ servers }: LoadInterval): void {
  for (const part of servers.values()) {
    part.up = new Distribution();
    part.down = new Distribution();
  }
}
