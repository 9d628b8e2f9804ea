/** Runs of load in virtual time, against servers without a network that fail as they are told. */
import { assert } from "@std/assert";
import { Failure } from "../failure.ts";
import { DatagramConnection } from "../load/datagram_connection.ts";
import { Engine } from "../load/engine.ts";
import { type LoadOptions, planOf } from "../load/options.ts";
import type { Paths } from "../load/paths.ts";
import { StreamConnection } from "../load/stream_connection.ts";
import type { Stream } from "../net/stream.ts";
import type { DatagramPeer } from "../net/transport.ts";
import { LoadInterval } from "../stats/load_interval.ts";
import { settlePromises, VirtualClock } from "./virtual_clock.ts";

/** What servers do, each at random: shares are of lines, reads and connects. Times in ms. */
export interface Faults {
  /** The longest that a reply takes, and the share of them that takes so long, others being quick. */
  delay: number;
  slow: number;
  /** Whether datagrams keep their order. */
  inOrder: boolean;
  /** Of lines. */
  drop: number;
  change: number;
  duplicate: number;
  /** Of lines: the connection ends instead of the reply. */
  end: number;
  /** Of connects, and how long one takes at most. */
  refuse: number;
  connect: number;
  /** Of writes: how long one is blocked at most, and how many bytes it takes at least. */
  block: number;
  blockFor: number;
  partial: boolean;
}

export const NO_FAULTS: Faults = {
  delay: 1,
  slow: 0,
  inOrder: false,
  drop: 0,
  change: 0,
  duplicate: 0,
  end: 0,
  refuse: 0,
  connect: 0,
  block: 0,
  blockFor: 0,
  partial: false,
};

/** What servers did. */
export interface Done {
  lines: number;
  dropped: number;
  changed: number;
  duplicated: number;
  ended: number;
  refused: number;
}

const STAMP = new TextEncoder().encode("[2026-11-23T03:37:00.123456Z web-1] ");

/** The server's side of what lines come by: it answers each as the faults say. */
class FakePeer {
  readonly #arrived: (Uint8Array | null | Error)[] = [];
  #wake = () => {};
  #answersAt = 0;
  isClosed = false;

  constructor(readonly world: LoadWorld, readonly ordered: boolean) {}

  async next(): Promise<Uint8Array | null> {
    while (this.#arrived.length === 0) {
      if (this.isClosed) throw new Deno.errors.Interrupted("closed");
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.isClosed) throw new Deno.errors.BadResource("closed");
    const next = this.#arrived.shift()!;
    if (next instanceof Error) throw next;
    return next;
  }

  /** Gives back what a read had no room for. */
  unread(bytes: Uint8Array): void {
    this.#arrived.unshift(bytes);
  }

  close(): void {
    this.isClosed = true;
    this.#wake();
  }

  push(what: Uint8Array | null | Error): void {
    this.#arrived.push(what);
    this.#wake();
  }

  take(line: Uint8Array): void {
    const { faults, done, clock, chance, random } = this.world;
    done.lines++;
    const delay = random() * (chance(faults.slow) ? faults.delay : 1);
    const isOrdered = this.ordered || faults.inOrder;
    const at = Math.max(clock.now() + delay, isOrdered ? this.#answersAt : 0);
    this.#answersAt = at;
    const answers = this.#answersTo(line);
    void clock.sleep(at - clock.now()).then(() => answers.forEach((it) => this.push(it)));
  }

  #answersTo(line: Uint8Array): (Uint8Array | null | Error)[] {
    const { faults, done, chance, random } = this.world;
    if (this.ordered && chance(faults.end)) {
      done.ended++;
      const words = new TextEncoder().encode("error: out of order\n");
      const ends = [[null], [new Deno.errors.ConnectionReset("reset")], [words, null]];
      return ends[Math.floor(random() * ends.length)]!;
    }
    if (chance(faults.drop)) {
      done.dropped++;
      return [];
    }
    const reply = new Uint8Array(STAMP.length + line.length);
    reply.set(STAMP);
    reply.set(line, STAMP.length);
    if (chance(faults.change)) {
      done.changed++;
      reply[STAMP.length + Math.floor(random() * (line.length - 1))]! ^= 0x20;
    } else if (chance(faults.duplicate)) {
      done.duplicated++;
      return [reply, reply];
    }
    return [reply];
  }
}

/** Streams and datagrams to servers that fail as they are told. */
export class LoadWorld {
  readonly clock = new VirtualClock(settlePromises);
  readonly done: Done = { lines: 0, dropped: 0, changed: 0, duplicated: 0, ended: 0, refused: 0 };
  readonly faults: Faults;
  readonly random: () => number;
  /** Connections that are open at the server. */
  readonly peers = new Set<FakePeer>();

  constructor(faults: Partial<Faults>, random: () => number) {
    this.faults = { ...NO_FAULTS, ...faults };
    this.random = random;
  }

  readonly chance = (share: number): boolean => share > 0 && this.random() < share;

  paths(datagrams: boolean): Paths {
    return {
      datagrams,
      make: async (lines, events, signal) => {
        const { faults, clock } = this;
        await clock.sleep(this.random() * faults.connect, signal);
        if (signal.aborted) throw new Failure("connect to", "fake", "interrupted");
        if (this.chance(faults.refuse)) {
          this.done.refused++;
          throw new Failure("connect to", "fake", "connection refused");
        }
        const peer = new FakePeer(this, !datagrams);
        this.peers.add(peer);
        if (datagrams) {
          return {
            connection: new DatagramConnection(this.#datagrams(peer), lines, clock, events),
            times: undefined,
          };
        }
        return {
          connection: new StreamConnection(this.#stream(peer), lines, clock, events),
          times: { connectMs: 1 },
        };
      },
    };
  }

  #datagrams(peer: FakePeer): DatagramPeer {
    return {
      address: "fake",
      maxSize: 65_507,
      send: (bytes) => {
        peer.take(Uint8Array.from([...bytes, 10]));
        return Promise.resolve();
      },
      receive: async () => (await peer.next())!.subarray(0, -1),
      close: () => peer.close(),
    };
  }

  #stream(peer: FakePeer): Stream {
    let begun: number[] = [];
    const { faults, clock, random } = this;
    return {
      read: async (buffer) => {
        const bytes = await peer.next();
        if (bytes === null) return null;
        // Now and then a reply comes in two pieces.
        const length = Math.min(
          buffer.length,
          this.chance(0.1) ? Math.ceil(random() * bytes.length) : bytes.length,
        );
        buffer.set(bytes.subarray(0, length));
        if (length < bytes.length) peer.unread(bytes.subarray(length));
        return length;
      },
      write: async (bytes) => {
        if (this.chance(faults.block)) await clock.sleep(random() * faults.blockFor);
        else await Promise.resolve();
        if (peer.isClosed) throw new Deno.errors.BrokenPipe("closed");
        const taken = faults.partial ? Math.ceil(random() * bytes.length) : bytes.length;
        for (const byte of bytes.subarray(0, taken)) {
          begun.push(byte);
          if (byte !== 10) continue;
          peer.take(Uint8Array.from(begun));
          begun = [];
        }
        return taken;
      },
      closeWrite: () => Promise.resolve(),
      close: () => peer.close(),
    };
  }

  /**
   * Runs to the end.
   *
   * @param during is called when the run has begun; @param limit the most ms that it may take.
   * @returns its intervals.
   */
  async run(
    options: LoadOptions & { datagrams?: boolean },
    during: (engine: Engine) => void = () => {},
    limit = 120_000,
  ): Promise<LoadInterval[]> {
    const { clock } = this;
    const plan = planOf({ connections: 3, size: 12, warmup: 0, seed: 1, udpRate: 0, ...options });
    const intervals: LoadInterval[] = [];
    const engine = new Engine(plan, this.paths(options.datagrams ?? false), clock, {
      onInterval: (it) => intervals.push(it),
      onExchange() {},
      onServer() {},
      onBegin() {},
    }, new LoadInterval());
    let ended = false;
    const running = (async () => {
      try {
        await engine.open();
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        return; // the first connection was refused
      }
      during(engine);
      await engine.run(clock.now());
    })().finally(() => ended = true);
    running.catch(() => {});
    for (let step = 0; !ended && clock.now() < limit; step++) await clock.advance(step < 10 ? 20 : 500);
    assert(ended, "the run does not end");
    await running;
    return intervals;
  }
}
