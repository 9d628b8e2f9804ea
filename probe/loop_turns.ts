/**
 * Turns of the event loop, by what is beneath `setImmediate`. Deno promises none of it: where it is not as it is used
 * here, `setImmediate` does it all.
 */
import { setImmediate } from "node:timers";

/** What Deno keeps of a function that is to be called at the next turn. */
interface Immediate {
  _onImmediate: (() => void) | null;
  _idleNext: Immediate | null;
  _idlePrev: Immediate | null;
  _destroyed: boolean;
  _argv: undefined;
  asyncId: number;
  triggerAsyncId: number;
  [isRefed: symbol]: boolean | null;
}

interface Core {
  queueImmediate(immediate: Immediate): void;
  /** Whether one more keeps the process alive, or one less. */
  immediateRefCount(increase: boolean): void;
  /** Names the property of an immediate that tells whether it does. */
  kRefed: symbol;
}

/** Calls a function at turns of the event loop. */
export interface LoopTurns {
  /** Has it called once, at the next turn. */
  next(): void;
}

/** Turns after which one that was asked for before them must have been made. */
const PATIENCE = 3;
/** How often that is tried: each immediate is used again. */
const TRIES = 4;

/**
 * Turns that make no garbage, where this Deno makes turns as the ones before: `setImmediate` makes 700 bytes in each,
 * which is a garbage collection every few ms where they follow each other.
 */
export async function loopTurns(onTurn: () => void): Promise<LoopTurns> {
  const core = findCore();
  return core !== undefined && await isAsExpected(core) ? new LeanTurns(core, onTurn) : plainTurns(onTurn);
}

export function plainTurns(onTurn: () => void): LoopTurns {
  return { next: () => void setImmediate(onTurn) };
}

class LeanTurns implements LoopTurns {
  readonly #core: Core;
  readonly #onTurn: () => void;
  // In a turn its immediate is still in use: the other one asks for the next.
  #this: Immediate;
  #other: Immediate;

  constructor(core: Core, onTurn: () => void) {
    this.#core = core;
    this.#onTurn = onTurn;
    this.#this = newImmediate(core);
    this.#other = newImmediate(core);
  }

  next(): void {
    const immediate = this.#other;
    this.#other = this.#this;
    this.#this = immediate;
    immediate._onImmediate = this.#onTurn;
    immediate._idleNext = immediate._idlePrev = null;
    immediate._destroyed = false;
    immediate[this.#core.kRefed] = true;
    this.#core.immediateRefCount(true);
    this.#core.queueImmediate(immediate);
  }
}

function newImmediate({ kRefed }: Core): Immediate {
  return {
    _onImmediate: null,
    _idleNext: null,
    _idlePrev: null,
    _destroyed: true,
    _argv: undefined,
    asyncId: 0,
    triggerAsyncId: 0,
    [kRefed]: null,
  };
}

function findCore(): Core | undefined {
  const deno = Deno as unknown as Record<PropertyKey, { core?: Partial<Core> } | undefined>;
  const { queueImmediate, immediateRefCount, kRefed } = deno[deno["internal"] as unknown as symbol]?.core ??
    {};
  if (typeof queueImmediate !== "function" || typeof immediateRefCount !== "function") return undefined;
  return typeof kRefed === "symbol" ? { queueImmediate, immediateRefCount, kRefed } : undefined;
}

/** Whether turns that are asked for in this way are made. */
async function isAsExpected(core: Core): Promise<boolean> {
  let made = 0;
  const turns = new LeanTurns(core, () => {
    if (++made < TRIES) turns.next();
  });
  try {
    turns.next();
  } catch {
    return false;
  }
  for (let i = 0; i < PATIENCE + TRIES; i++) await new Promise((resolve) => setImmediate(resolve));
  return made === TRIES;
}
