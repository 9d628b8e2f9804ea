/** Runs of a prober in virtual time, over channels without a network. */
import { Failure } from "../failure.ts";
import type { Channel, Opened } from "../probe/channel.ts";
import { Prober } from "../probe/prober.ts";
import type { Observer } from "../probe/recorder.ts";
import type { Plan } from "../probe/run.ts";
import type { ProbeEvent } from "../stats/events.ts";
import { VirtualClock } from "./virtual_clock.ts";

/** A server at the end of a channel: it records when lines come, and answers as the test says. */
export class FakeServer implements Channel {
  readonly datagrams = false;
  closed = false;
  /** What a write waits for, once it has begun. */
  blocked: Promise<void> | undefined;
  /** When each line came, in ms. */
  readonly moments: number[] = [];
  readonly lines: Uint8Array[] = [];
  readonly #clock: VirtualClock;
  readonly #delays: (number | undefined)[];
  readonly #incoming: (Uint8Array | null)[] = [];
  #wake = () => {};

  /** @param delays ms until the reply to each line, the last for all further ones; undefined for none. */
  constructor(clock: VirtualClock, delays: (number | undefined)[]) {
    this.#clock = clock;
    this.#delays = delays;
  }

  async send(lines: Uint8Array): Promise<void> {
    if (this.blocked !== undefined) await this.blocked;
    for (let from = 0, to; from < lines.length; from = to) {
      to = lines.indexOf(10, from) + 1;
      this.#take(lines.slice(from, to));
    }
    await Promise.resolve();
  }

  #take(line: Uint8Array): void {
    this.moments.push(this.#clock.now());
    this.lines.push(line);
    const delay = this.#delays[Math.min(this.moments.length, this.#delays.length) - 1];
    if (delay === undefined) return;
    if (delay > 0) void this.#clock.sleep(delay).then(() => this.push(line));
    else this.push(line);
  }

  push(bytes: Uint8Array | null): void {
    this.#incoming.push(bytes);
    this.#wake();
  }

  async receive(): Promise<Uint8Array | null> {
    while (this.#incoming.length === 0) {
      if (this.closed) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#incoming.shift()!;
  }

  close(): void {
    this.closed = true;
    this.#wake();
  }
}

const PLAN: Plan = {
  count: Infinity,
  interval: 100,
  size: 30,
  timeout: 250,
  deadline: 0,
  udpRate: 0,
  reconnect: false,
};

/** Lines that were due and not sent, by what the events say. */
export function missed(events: ProbeEvent[]): number {
  return events.reduce((sum, it) => sum + (it.fate === "missed" ? it.count : 0), 0);
}

/**
 * A run in virtual time that has been started.
 *
 * @param opening how long each connection takes, in ms, the last for all further ones; undefined for ever.
 */
export async function startRun(
  plan: Partial<Plan>,
  delays: (number | undefined)[],
  observe: Observer = () => undefined,
  opening: (number | undefined)[] = [0],
) {
  const clock = new VirtualClock();
  const servers: FakeServer[] = [];
  const events: [fate: string, seq: number, at: number][] = [];
  const told: ProbeEvent[] = [];
  let attempts = 0;
  const open = async (signal: AbortSignal): Promise<Opened> => {
    const takes = opening[Math.min(attempts++, opening.length - 1)];
    if (takes === undefined) await new Promise(() => {});
    else if (takes > 0) await clock.sleep(takes, signal);
    if (signal.aborted) throw new Failure("connect to", "x", "interrupted");
    const channel = new FakeServer(clock, servers.length === 0 ? delays : delays.slice(servers.length));
    servers.push(channel);
    return { channel, setup: { connect: takes! * 1000 } };
  };
  const prober = new Prober(
    open,
    { ...PLAN, ...plan },
    (event) => {
      events.push([event.fate, event.seq, Math.round(event.at * 1000)]);
      told.push(event);
      return observe(event);
    },
    clock,
  );
  await prober.open();
  const ended = prober.run();
  await clock.advance(0);
  return { clock, prober, events, told, servers, server: servers[0]!, ended };
}
