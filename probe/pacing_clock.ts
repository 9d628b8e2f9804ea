import { cpuUsage } from "node:process";
import { setImmediate } from "node:timers";
import { leanStream } from "../net/lean_stream.ts";
import { closeQuietly, type Stream } from "../net/stream.ts";
import { type Clock, systemClock } from "../time/timers.ts";
import { type LoopTurns, loopTurns, plainTurns } from "./loop_turns.ts";

/** A clock that can also wait for a moment better than timers do. */
export interface PacingClock extends Clock {
  /** Opens what waiting needs, ahead of the first wait. */
  prepare(): Promise<void>;
  /** Resolves at a moment, or soon after; or when the signal is aborted. It always lets others run in between. */
  until(moment: number, signal: AbortSignal): Promise<void>;
  /** How much of the processor this process has used, in ms. */
  used(): number;
  /** How much of that went into turning the event loop to keep moments, while nothing else was to be done, in ms. */
  readonly turned: number;
  /** Frees what was opened. */
  close(): void;
}

/** Timers fire up to this late, in ms: the rest of a wait is spent turning the event loop. */
const TIMER_MS = 2;
/**
 * A turn looks at the timers and tasks of this process only. Where turns follow each other without time to spare, the
 * sockets are looked at after this many times what such a look costs.
 */
const BLIND_LOOKS = 8;
/** Turns after which a byte is seen where turns look at the sockets anyway, and how often that is tried. */
const FEW_TURNS = 16;
const TRIES = 3;
/** A turn in which nothing is done takes this many times what such a look costs at most. */
const IDLE_LOOKS = 2;
/** What a look at the sockets is taken to cost at first, in ms, and how fast that is forgotten. */
const LOOK_MS = 0.03;
const FORGETTING = 1.01;

/**
 * The process's clock. The last 2 ms of each wait it turns the event loop instead of sleeping, which keeps moments to
 * some microseconds, but uses the processor: all of it below a line each 4 ms or so.
 *
 * A loop that is turned by `setImmediate` looks at its sockets every 61st time only, and replies would seem to come 70 µs
 * late. A byte through a socket pair of its own makes it look: reading it is a wait like any other. That takes longer
 * than a turn, and so it is done where there is time for it, and now and then where there is not. It is not done at all
 * where Deno's environment has it look every few turns (DENO_TOKIO_EVENT_INTERVAL), which takes the least.
 */
export class EventLoopClock implements PacingClock {
  /** When the sockets were looked at last. */
  #lookedAt = 0;
  /** The least that a look at the sockets has cost lately, in ms. */
  #lookMs = LOOK_MS;
  #pair: SocketPair | undefined;
  #turned = 0;
  /** What waits for a moment by turns alone, when the last of these was. */
  #waiting: { moment: number; signal: AbortSignal; end: () => void } | undefined;
  #turnedAt = 0;
  #turns: LoopTurns = plainTurns(() => this.#onTurn());

  now(): number {
    return performance.now();
  }

  sleep(millis: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(millis, signal);
  }

  async prepare(): Promise<void> {
    this.#turns = await loopTurns(() => this.#onTurn());
    const pair = await openPair();
    if (pair === undefined) return;
    if (await turnsToSee(pair) > FEW_TURNS) this.#pair = pair;
    else pair.close();
  }

  async until(moment: number, signal: AbortSignal): Promise<void> {
    const asleep = moment - this.now() - TIMER_MS;
    if (asleep > 0) await this.sleep(asleep, signal);
    if (this.#pair === undefined) await this.#turnUntil(moment, signal);
    else await this.#lookUntil(moment, signal, this.#pair);
  }

  /** Waits by turns that look at the sockets, without a promise for each. */
  #turnUntil(moment: number, signal: AbortSignal): Promise<void> {
    return new Promise((end) => {
      this.#waiting = { moment, signal, end };
      this.#turnedAt = this.now();
      this.#turns.next();
    });
  }

  #onTurn(): void {
    const { moment, signal, end } = this.#waiting!;
    const now = this.now();
    this.#count(this.#turnedAt, now, moment);
    this.#turnedAt = now;
    if (now < moment && !signal.aborted) this.#turns.next();
    else end();
  }

  /** Waits by turns that do not, and by looks at the sockets. */
  async #lookUntil(moment: number, signal: AbortSignal, pair: SocketPair): Promise<void> {
    let now = this.now();
    do {
      const before = now;
      const isBlind = now - this.#lookedAt > BLIND_LOOKS * this.#lookMs;
      if (isBlind || moment - now > 2 * this.#lookMs) {
        await pair.pass();
        this.#lookedAt = this.now();
        this.#lookMs = Math.min(FORGETTING * this.#lookMs, this.#lookedAt - now);
        now = this.#lookedAt;
      } else {
        await new Promise((resolve) => setImmediate(resolve));
        now = this.now();
      }
      this.#count(before, now, moment);
    } while (now < moment && !signal.aborted);
  }

  /** Counts a turn. One that takes longer has others run, or the machine; after the moment it is late, and waits no more. */
  #count(before: number, now: number, moment: number): void {
    this.#turned += Math.max(0, Math.min(now - before, moment - before, IDLE_LOOKS * this.#lookMs));
  }

  used(): number {
    const { user, system } = cpuUsage();
    return (user + system) / 1000;
  }

  get turned(): number {
    return this.#turned;
  }

  close(): void {
    this.#pair?.close();
  }
}

interface SocketPair {
  /** Sends a byte from one end to the other. */
  pass(): Promise<void>;
  close(): void;
}

/** Two ends of a Unix socket; undefined where there can be none, or where they would need to be asked for. */
async function openPair(): Promise<SocketPair | undefined> {
  if (Deno.build.os === "windows") return undefined;
  const granted = (name: "net" | "read" | "write") =>
    Deno.permissions.querySync({ name }).state === "granted";
  if (!granted("net") || !granted("read") || !granted("write")) return undefined;
  let folder;
  try {
    folder = await Deno.makeTempDir({ prefix: "tsecho-" });
    const address = { transport: "unix", path: `${folder}/pair.sock` } as const;
    using listener = Deno.listen(address);
    const near = await Deno.connect(address); // the backlog holds it
    return pairOf(leanStream(near), leanStream(await listener.accept()));
  } catch {
    return undefined; // no room for a temporary file: it goes without
  } finally {
    if (folder !== undefined) await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

/** How many turns it takes until a byte is seen, at most. */
async function turnsToSee(pair: SocketPair): Promise<number> {
  let most = 0;
  for (let i = 0; i < TRIES; i++) {
    let isSeen = false;
    let turns = 0;
    const see = () => isSeen = true;
    void pair.pass().then(see, see);
    for (; !isSeen; turns++) await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, turns);
  }
  return most;
}

function pairOf(near: Stream, far: Stream): SocketPair {
  const byte = new Uint8Array(1);
  const taken = new Uint8Array(2); // after a read that fills its buffer the runtime asks for more, in vain
  return {
    async pass() {
      const reading = far.read(taken);
      await near.write(byte);
      await reading;
    },
    close() {
      closeQuietly(near);
      closeQuietly(far);
    },
  };
}
