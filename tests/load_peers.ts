/** What stands between load and a server, and servers that answer wrongly. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { writeAll } from "../net/stream.ts";
import { EventLoopClock } from "../probe/pacing_clock.ts";
import { within } from "./helpers.ts";

/** Listens over TCP on this machine, and serves each connection by itself. */
abstract class Peer implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serving = this.#serve();

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Serves a connection until its end, and may reject then; it is closed afterwards. */
  protected abstract serve(conn: Deno.TcpConn): Promise<void>;

  async #serve(): Promise<void> {
    const serving: Promise<void>[] = [];
    try {
      for (;;) {
        const conn = await this.#listener.accept();
        conn.setNoDelay();
        serving.push(this.serve(conn).catch(() => {}).finally(() => conn.close()));
      }
    } catch {
      await Promise.all(serving); // the listener is closed
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await within(this.#serving, "the peer to end");
  }
}

/** Passes what comes to a server on this machine, and its replies back. */
abstract class Relay extends Peer {
  readonly #target: number;

  constructor(target: number) {
    super();
    this.#target = target;
  }

  /** Passes what `from` sends until its end. */
  protected abstract passUp(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void>;

  protected override async serve(client: Deno.TcpConn): Promise<void> {
    using server = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    server.setNoDelay();
    const up = this.passUp(client, server).finally(() => server.closeWrite()).catch(() => {});
    await Promise.all([up, passBack(server, client)]);
  }
}

async function passBack(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65536);
  for (let n; (n = await from.read(buffer)) !== null;) await writeAll(to, buffer.subarray(0, n));
  await to.closeWrite();
}

/** Gives each line that comes, with its LF, until the end or until `take` wants no more. */
async function eachLine(
  conn: Deno.TcpConn,
  take: (line: Uint8Array<ArrayBuffer>) => boolean | Promise<boolean>,
): Promise<void> {
  const buffer = new Uint8Array(65536);
  let held = 0;
  for (let n; (n = await conn.read(buffer.subarray(held))) !== null;) {
    const end = held + n;
    let begin = 0;
    for (let lf; (lf = buffer.subarray(0, end).indexOf(10, begin)) >= 0; begin = lf + 1) {
      if (!await take(buffer.slice(begin, lf + 1))) return;
    }
    buffer.copyWithin(0, begin, end);
    held = end - begin;
  }
}

/** Takes so many bytes from each connection, and then nothing for a while. */
export class SlowReader extends Relay {
  readonly #bytes: number;
  readonly #millis: number;

  constructor(target: number, bytes: number, millis: number) {
    super(target);
    this.#bytes = bytes;
    this.#millis = millis;
  }

  protected override async passUp(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(this.#bytes);
    for (let n; (n = await from.read(buffer)) !== null;) {
      await writeAll(to, buffer.subarray(0, n));
      await new Promise((resolve) => setTimeout(resolve, this.#millis));
    }
  }
}

/**
 * A queue of all lines: one after the other is worked on for so many milliseconds, and then passed on. The moments are
 * absolute, so that what a timer is late by does not add up.
 */
export class QueueingRelay extends Relay {
  /** How late the latest line was passed on, in ms. */
  maxLate = 0;
  readonly #millis: number;
  readonly #clock = new EventLoopClock();
  readonly #closed = new AbortController();
  readonly #queue: { line: Uint8Array; to: Deno.TcpConn; due: number }[] = [];
  readonly #working: Promise<void>;
  #due = -Infinity;
  #wake = () => {};

  constructor(target: number, millis: number) {
    super(target);
    this.#millis = millis;
    this.#working = this.#work();
  }

  protected override passUp(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    return eachLine(from, (line) => {
      this.#due = Math.max(this.#clock.now(), this.#due) + this.#millis;
      this.#queue.push({ line, to, due: this.#due });
      this.#wake();
      return true;
    });
  }

  async #work(): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      const next = this.#queue.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => this.#wake = resolve);
        continue;
      }
      await this.#clock.until(next.due, signal);
      this.maxLate = Math.max(this.maxLate, this.#clock.now() - next.due);
      await writeAll(next.to, next.line).catch(() => {}); // its client may be gone
    }
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    this.#closed.abort();
    this.#wake();
    await this.#working;
    this.#clock.close();
  }
}

/** A line that is answered only after the next one. */
interface Held {
  line?: Uint8Array;
}

/** What a server does to the replies of each thousand lines, and how often it did. */
class Faults {
  /** Lines that arrived. */
  arrived = 0;
  dropped = 0;
  duplicated = 0;
  swapped = 0;
  changed = 0;

  /** What is sent when this line arrives. */
  answer(line: Uint8Array, held: Held): Uint8Array[] {
    const before = held.line === undefined ? [] : [held.line];
    delete held.line;
    return [...this.#replies(line, held), ...before];
  }

  #replies(line: Uint8Array, held: Held): Uint8Array[] {
    switch (this.arrived++ % 1000) {
      case 100:
        this.dropped++;
        return [];
      case 300:
        this.duplicated++;
        return [line, line];
      case 500:
        this.swapped++;
        held.line = line.slice();
        return [];
      case 700:
        this.changed++;
        return [line.with(line.length >> 1, 33)];
      default:
        return [line];
    }
  }
}

/** A server that commits faults. */
export interface FaultyServer extends AsyncDisposable {
  readonly url: string;
  readonly faults: Faults;
}

/** Answers lines over TCP without a stamp, and drops, repeats, swaps and changes some replies. */
export class FaultyStreams extends Peer implements FaultyServer {
  readonly faults: Faults = new Faults();

  get url(): string {
    return `tcp://127.0.0.1:${this.port}`;
  }

  protected override serve(conn: Deno.TcpConn): Promise<void> {
    const held = {};
    return eachLine(conn, async (line) => {
      for (const reply of this.faults.answer(line, held)) await writeAll(conn, reply);
      return true;
    });
  }
}

/** The same over UDP. */
export class FaultyDatagrams implements FaultyServer {
  readonly faults: Faults = new Faults();
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #serving = this.#serve();

  get url(): string {
    return `udp://127.0.0.1:${(this.#socket.addr as Deno.NetAddr).port}`;
  }

  async #serve(): Promise<void> {
    const peers = new Map<number, Held>();
    const buffer = new Uint8Array(2000);
    try {
      for (;;) {
        const [bytes, from] = await this.#socket.receive(buffer);
        const { port } = from as Deno.NetAddr;
        const held = peers.get(port) ?? {};
        peers.set(port, held);
        for (const reply of this.faults.answer(bytes, held)) await this.#socket.send(reply, from);
      }
    } catch {
      // The socket is closed.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await within(this.#serving, "the faulty server to end");
  }
}

/** Answers so many lines on each connection over TCP, and resets it at the next one. */
export class ResettingServer implements AsyncDisposable {
  resets = 0;
  readonly #server: Server;

  private constructor(lines: number) {
    // Not by Deno.listen, whose connections end in order before they are reset.
    this.#server = createServer({ noDelay: true }, (socket) => {
      let left = lines;
      socket.on("error", () => {}); // the client has gone
      socket.on("data", (bytes: Uint8Array) => {
        for (
          let end = 0;
          left > 0 && (end = bytes.indexOf(10) + 1) > 0;
          bytes = bytes.subarray(end), left--
        ) {
          socket.write(bytes.subarray(0, end));
        }
        if (bytes.length === 0 || left > 0 && bytes.indexOf(10) < 0) return;
        this.resets++;
        socket.resetAndDestroy();
      });
    });
  }

  /** @param lines more than a client has in flight, so that most are answered. */
  static async start(lines: number): Promise<ResettingServer> {
    const server = new ResettingServer(lines);
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  get url(): string {
    return `tcp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await within(new Promise<void>((resolve) => this.#server.close(() => resolve())), "the server to end");
  }
}

/** Sends a line over and over that nobody asked for, as fast as it is taken, and reads nothing. */
export class FloodingPeer extends Peer {
  protected override async serve(conn: Deno.TcpConn): Promise<void> {
    const lines = new TextEncoder().encode("y\n".repeat(65536));
    for (;;) await writeAll(conn, lines);
  }
}

/** A peer that takes connections and never answers. */
export async function silentPeer(use: (address: string) => Promise<void>): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conns: Deno.Conn[] = [];
  const accepting = (async () => {
    for (;;) {
      try {
        conns.push(await listener.accept());
      } catch {
        return;
      }
    }
  })();
  try {
    await use(`127.0.0.1:${listener.addr.port}`);
  } finally {
    listener.close();
    await accepting;
    for (const conn of conns) conn.close();
  }
}
