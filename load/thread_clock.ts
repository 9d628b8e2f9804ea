/** How a thread finds out by how much its monotonic clock differs from the main thread's: each counts from its own start. */
import { EventLoopClock } from "../probe/pacing_clock.ts";
import { wallOrigin } from "../time/clock.ts";

/** Numbers of the shared memory: whether the main thread answers, how many times it was asked, and has answered. */
const ANSWERING = 0;
const ASKED = 1;
const ANSWERED = 2;
const WORDS = 4;
/** The main thread answers at most so often in a row, and for so long, in ms. */
const ROUNDS = 32;
const ANSWERING_MS = 1.5;
/** A difference that is known to this, in ms, is good enough; else the main thread is asked again, at most so often. */
const TIGHT_MS = 0.001;
const TRIES = 2;
/** The other thread answers within a microsecond if it runs: it is looked for so often before this thread makes room. */
const LOOKS = 2000;
/** How long it makes room before it looks again, in ms. */
const ROOM_MS = 0.5;

/** How far the main thread's clock is ahead of another's, in ms. */
export interface ClockShift {
  value: number;
  /** The true one differs by so much at most. */
  error: number;
}

/** The memory that two threads share to compare their clocks: counters, and behind them what the main clock showed, and its origin. */
export type ClockMemory = SharedArrayBuffer;

/** Makes the memory for one thread. */
export function clockMemory(): ClockMemory {
  return new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT + 2 * Float64Array.BYTES_PER_ELEMENT);
}

function viewsOf(memory: ClockMemory): { words: Int32Array<SharedArrayBuffer>; shown: Float64Array } {
  const bytes = WORDS * Int32Array.BYTES_PER_ELEMENT;
  return { words: new Int32Array(memory, 0, WORDS), shown: new Float64Array(memory, bytes) };
}

/** Waits, for some ms at most, until a number is another than it was. */
function awaitChange(words: Int32Array<SharedArrayBuffer>, index: number, was: number): void {
  for (let i = 0; i < LOOKS; i++) {
    if (Atomics.load(words, index) !== was) return;
  }
  Atomics.wait(words, index, was, ROOM_MS); // on one processor the other thread cannot run before
}

function tell(words: Int32Array<SharedArrayBuffer>, index: number, value: number): void {
  Atomics.store(words, index, value);
  Atomics.notify(words, index);
}

/**
 * Answers a thread that asks what the main thread's clock shows, and what it asks next, until it knows enough, but for
 * some ms at most.
 */
export function answerClock(memory: ClockMemory, now: () => number = () => performance.now()): void {
  const { words, shown } = viewsOf(memory);
  const until = now() + ANSWERING_MS;
  let answered = Atomics.load(words, ANSWERED);
  const last = answered + ROUNDS;
  shown[1] = wallOrigin(now);
  Atomics.store(words, ANSWERING, 1);
  do {
    awaitChange(words, ASKED, answered);
    if (Atomics.load(words, ASKED) === answered) continue;
    shown[0] = now();
    tell(words, ANSWERED, ++answered);
  } while (answered !== last && Atomics.load(words, ANSWERING) === 1 && now() < until);
  tell(words, ANSWERING, 0);
}

/**
 * Finds how far the main thread's clock is ahead of this thread's. That was read between a question and its answer: each
 * round proves an interval, and the difference is in all of them. Where the two hardly ever run at once, that is some
 * 50 µs wide: in it, what their readings of the wall clock say is closer to the truth than the middle.
 *
 * @param call has the main thread call {@linkcode answerClock}, soon.
 */
export function askClock(
  memory: ClockMemory,
  call: () => void,
  now: () => number = () => performance.now(),
): ClockShift {
  const { words, shown } = viewsOf(memory);
  let [lower, upper] = [-Infinity, Infinity];
  const isTight = () => upper - lower <= TIGHT_MS;
  for (let tries = 0; tries < TRIES && !isTight(); tries++) {
    let isCalled = false;
    do {
      const answered = Atomics.load(words, ANSWERED);
      const before = now();
      tell(words, ASKED, answered + 1); // as it was, if the main thread had left: the next call answers it
      if (!isCalled) call();
      while (Atomics.load(words, ANSWERED) === answered) {
        if (isCalled && Atomics.load(words, ANSWERING) === 0) break;
        awaitChange(words, ANSWERED, answered);
      }
      isCalled = true;
      const after = now();
      if (Atomics.load(words, ANSWERED) === answered) break;
      lower = Math.max(lower, shown[0]! - after);
      upper = Math.min(upper, shown[0]! - before);
    } while (!isTight() && Atomics.load(words, ANSWERING) === 1);
  }
  tell(words, ANSWERING, 0);
  const byWall = (wallOrigin(now) - shown[1]!) / 1000;
  const value = Math.min(Math.max(lower, byWall), upper);
  return { value, error: Math.max(value - lower, upper - value) };
}

/** This thread's clock, which began later than the main thread's, shows what that shows. */
export class ThreadClock extends EventLoopClock {
  readonly #shift: number;

  /** @param shift by how much, in ms. */
  constructor(shift: number) {
    super();
    this.#shift = shift;
  }

  override now(): number {
    return super.now() + this.#shift;
  }
}
