/** Synthetic runs whose truth is known. */
import { InFlight, type Moments } from "../probe/in_flight.ts";
import type { ReplyEvent } from "../stats/events.ts";
import { CLOCK_LAG } from "../stats/feasible_lines.ts";
import { RunStats } from "../stats/run_stats.ts";
import type { Estimate } from "../stats/summary.ts";

const TIMEOUT = 1; // s
/** A wall clock's reading at the start, in µs: small enough for fractions to survive in a double. */
const EPOCH = 1e12;

/** A network and a pair of clocks. Times in seconds unless said otherwise. */
export interface World {
  seed: number;
  lines: number;
  interval: number;
  /** Server minus client at the start, in µs, and its drift in ppm. */
  offset: number;
  drift: number;
  /** The share of the run after which the server's clock is stepped, and how far, in units of what must be noticed. */
  step: { where: number; size: number } | null;
  resolution: 1 | 1e6;
  /** Shortest delay and mean queueing of each direction, in µs. */
  up: { best: number; queue: number };
  down: { best: number; queue: number };
  /** Shares of lines. */
  loss: number;
  duplicates: number;
  late: number;
}

/** Repeatable random numbers below 1 (xorshift32). */
export function randomFrom(seed: number): () => number {
  let x = seed | 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

/** What truly happened. */
export interface Truth {
  lost: Set<number>;
  late: Set<number>;
  duplicates: number;
  reordered: number;
  /** Numbers of the in-time replies that were stamped before and after the step. */
  before: number[];
  after: number[];
  /** Server minus client in µs at a moment. */
  offsetAt: (moment: number) => number;
  stepAt: number;
  stepSize: number;
  /** When the last reply in time arrived; undefined for none. */
  end?: number;
}

/** Lives through a world, and shows the analysis what a client would have seen of it. */
export function simulate(world: World): { run: RunStats; truth: Truth } {
  const random = randomFrom(world.seed);
  const queue = (mean: number) => -Math.log(1 - random()) * mean * (random() < 0.3 ? 0 : 1);
  // Every line's way first, because a step must be larger than what a reply cannot exclude.
  const ways = Array.from({ length: world.lines }, () => {
    const late = random() < world.late;
    return {
      late,
      lost: random() < world.loss,
      twice: random() < world.duplicates,
      up: (world.up.best + queue(world.up.queue)) / 1e6 + (late ? TIMEOUT : 0),
      down: (world.down.best + queue(world.down.queue)) / 1e6,
    };
  });
  const longest = Math.max(0, ...ways.filter((it) => !it.lost && !it.late).map(({ up, down }) => up + down));
  // With several lines under way nobody could tell which of them were stamped before a step.
  const interval = Math.max(world.interval, 0.0003, world.step === null ? 0 : longest);
  let sent = 0;
  const lines = ways.map((way, i) => {
    sent += interval * (1 + random() * 0.1);
    return { ...way, seq: i + 1, sent, stamped: sent + way.up, received: sent + way.up + way.down };
  });
  const inTime = lines.filter((it) => !it.lost && !it.late);
  const widest = longest * 1e6;
  const span = lines.at(-1)!.received - lines[0]!.sent;
  const noticed = 2 * (widest + world.resolution + 4 * CLOCK_LAG + 4) + 2 * 500 * span;
  const stepAt = world.step === null ? Infinity : world.step.where * span;
  const stepSize = (world.step?.size ?? 0) * noticed;
  const offsetAt = (moment: number) =>
    world.offset + world.drift * moment + (moment >= stepAt ? stepSize : 0);
  const lag = () => random() * CLOCK_LAG;
  const client = (moment: number) => Math.floor(EPOCH + moment * 1e6 - lag());
  const server = (moment: number) =>
    Math.floor((EPOCH + moment * 1e6 + offsetAt(moment) - lag()) / world.resolution) * world.resolution;

  const truth: Truth = {
    lost: new Set(lines.filter((it) => it.lost).map((it) => it.seq)),
    late: new Set(lines.filter((it) => !it.lost && it.late).map((it) => it.seq)),
    duplicates: lines.filter((it) => it.twice && !it.lost).length,
    reordered: 0,
    before: inTime.filter((it) => it.stamped < stepAt).map((it) => it.seq),
    after: inTime.filter((it) => it.stamped >= stepAt).map((it) => it.seq),
    offsetAt,
    stepAt,
    stepSize,
    ...(inTime.length > 0 && { end: Math.max(...inTime.map((it) => it.received)) }),
  };
  const events: { at: number; what: () => void }[] = [];
  const run = new RunStats(false);
  const inFlight = new InFlight(TIMEOUT * 1000, "written", 256);
  let newest = 0;
  for (const line of lines) {
    events.push({ at: line.sent, what: () => inFlight.send(sentAt(line.sent, client(line.sent))) });
    events.push({
      at: line.sent + TIMEOUT,
      what: () => {
        if (line.lost || line.late) {
          inFlight.giveUp(line.seq);
          run.add({ fate: "lost", seq: line.seq, at: line.sent + TIMEOUT });
        }
      },
    });
    if (line.lost) continue;
    const stamp = server(line.stamped);
    const arrive = () => {
      const fate = inFlight.receive(line.seq) as ReplyEvent["fate"];
      const { written, wall } = inFlight.when(line.seq)!;
      if (fate === "received" || fate === "reordered") {
        if (line.seq < newest) truth.reordered++;
        newest = Math.max(newest, line.seq);
      }
      const event: ReplyEvent = {
        fate,
        seq: line.seq,
        at: line.received,
        rtt: (line.received - written) * 1e6,
        sent: wall,
        stamp,
        received: client(line.received),
        format: world.resolution === 1 ? "iso" : "ctime",
      };
      run.add(event);
    };
    events.push({ at: line.received, what: arrive });
    if (line.twice) events.push({ at: line.received + 0.01, what: arrive });
  }
  events.sort((a, b) => a.at - b.at).forEach((it) => it.what());
  return { run, truth };
}

/** The moments of a line that is sent without a plan. */
export function sentAt(written: number, wall: number): Moments {
  return { planned: NaN, handed: written, written, wall };
}

/** Whether an estimate holds. */
export function within({ value, bound }: Estimate, truth: number): boolean {
  return value - bound <= truth && truth <= value + bound;
}
