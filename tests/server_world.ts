/** A server's connections without a server, in virtual time: for tests. */
import type { Stream } from "../net/stream.ts";
import type { Capacity } from "../server/capacity.ts";
import { Connections } from "../server/connections.ts";
import { Counters } from "../server/counters.ts";
import type { CloseEvent, ServerEvent } from "../server/events.ts";
import { IdleClock } from "../server/idle_clock.ts";
import { SERVER_DEFAULTS, type ServerSettings } from "../server/settings.ts";
import { VirtualClock } from "./virtual_clock.ts";

/** A connection whose peer is the test: what it sends is said, what it reads is kept, and it may stop reading. */
export class FakeStream implements Stream {
  /** What the peer has read, as text. */
  received = "";
  /** Whether this side has half-closed, or closed. */
  halfClosed = false;
  closed = false;
  /** Whether two writes were under way at once, or one after the half-close. */
  misused = false;
  #arrived: Uint8Array[] = [];
  #ended: "no" | "in order" | "reset" = "no";
  #isReading = true;
  #writing = false;
  #changed = Promise.withResolvers<void>();

  /** The peer sends. */
  send(text: string): void {
    if (this.#ended === "no" && text !== "") this.#arrived.push(new TextEncoder().encode(text));
    this.#change();
  }

  /** The peer half-closes. */
  end(): void {
    if (this.#ended === "no") this.#ended = "in order";
    this.#change();
  }

  /** The peer resets the connection. */
  reset(): void {
    this.#ended = "reset";
    this.#change();
  }

  /** The peer reads no more, or again. */
  setReading(isReading: boolean): void {
    this.#isReading = isReading;
    this.#change();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    for (;;) {
      this.#check();
      const first = this.#arrived[0];
      if (first !== undefined) {
        const n = Math.min(first.length, buffer.length);
        buffer.set(first.subarray(0, n));
        if (n === first.length) this.#arrived.shift();
        else this.#arrived[0] = first.subarray(n);
        return n;
      }
      if (this.#ended === "in order") return null;
      await this.#changed.promise;
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#writing || this.halfClosed) this.misused = true;
    this.#writing = true;
    try {
      do {
        this.#check();
        if (this.#isReading) break;
        await this.#changed.promise;
      } while (!this.#isReading);
      await Promise.resolve();
      this.#check();
      // As a socket may, it takes a part: the first 40 bytes of more.
      const taken = bytes.subarray(0, 40);
      this.received += new TextDecoder().decode(taken);
      return taken.length;
    } finally {
      this.#writing = false;
    }
  }

  closeWrite(): Promise<void> {
    if (this.#writing) this.misused = true;
    this.halfClosed = true;
    return Promise.resolve();
  }

  close(): void {
    if (this.closed) throw new Deno.errors.BadResource("closed");
    this.closed = true;
    this.#change();
  }

  #check(): void {
    if (this.closed) throw new Deno.errors.Interrupted("closed");
    if (this.#ended === "reset") throw new Deno.errors.ConnectionReset("reset");
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** A server's connections, without a server. */
export class World {
  readonly clock = new VirtualClock();
  readonly counters = new Counters();
  readonly events: ServerEvent[] = [];
  readonly connections: Connections;
  readonly released: FakeStream[] = [];
  readonly idleClock = new IdleClock(this.clock, 1000);
  readonly #stop = new AbortController();
  readonly #ticking: Promise<void>;

  constructor(settings: Partial<ServerSettings> = {}, capacity: Partial<Capacity> = {}) {
    this.connections = new Connections({
      settings: { ...SERVER_DEFAULTS, stamp: "none", ...settings },
      capacity: { conns: 10, pending: 10, rejected: 10, ...capacity },
      counters: this.counters,
      report: (event) => this.events.push(event),
      clock: this.clock,
      idleClock: this.idleClock,
    });
    this.#ticking = this.idleClock.run((now) => this.connections.tick(now), this.#stop.signal);
  }

  connect(): FakeStream {
    const stream = new FakeStream();
    this.connections.admit({ stream, peer: undefined, release: () => this.released.push(stream) });
    return stream;
  }

  closes(): CloseEvent[] {
    return this.events.filter((it) => it.type === "close");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ticking;
  }
}
