/** Servers of all kinds, what stands between ping and a server, and clocks that are off. */
import { closeQuietly } from "../net/stream.ts";
import { lacking } from "./harness.ts";
import { run, Running, TESTDATA, within } from "./helpers.ts";

/** Where the sequence number stands in a line of ping, and how long it is. */
const SEQ_AT = 9;
const SEQ_DIGITS = 10;

/** The number of a line of ping, or of the reply to it. */
export function seqOf(line: string): number {
  return Number(line.slice(line.lastIndexOf("] ") + 1).trimStart().slice(SEQ_AT, SEQ_AT + SEQ_DIGITS));
}

const LIBFAKETIME = await findLibfaketime();

/** The library's path, which differs between machines; "" where it or the permission to look for it is missing. */
async function findLibfaketime(): Promise<string> {
  if (lacking(["--allow-run", "faketime"]).length > 0) return "";
  return (await run(["sh", "-c", "ls /usr/lib/*/faketime/libfaketime.so.1"])).stdout.trim();
}

/** What to put in front of a command whose clock is to be off by so many seconds. */
export function faketime(seconds: number): string[] {
  // Not by the program `faketime`, which stays in between and would get the signals.
  return ["env", `LD_PRELOAD=${LIBFAKETIME}`, `FAKETIME=${seconds > 0 ? "+" : ""}${seconds}s`];
}

/** What a relay did to one line: for how many seconds it kept it, and its reply. */
export interface Kept {
  up: number;
  down: number;
}

/** How long what comes now is held on the way up and on the way down, in ms. */
interface Delays {
  up: () => number;
  down: () => number | Promise<number>;
}

/** Passes lines to a server on this machine and replies back, and keeps each back for so many milliseconds. */
export class DelayingRelay implements AsyncDisposable {
  /** By the line's number. */
  readonly kept = new Map<number, Kept>();
  readonly #listener: Deno.TcpListener;
  readonly #target: number;
  readonly #delay: Delays;
  readonly #serving: Promise<void>;

  /** @param port where to listen; 0 for a free port. */
  constructor(target: number, delay: Delays, port = 0) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.#target = target;
    this.#delay = delay;
    this.#serving = this.#serve();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async #serve(): Promise<void> {
    const relaying: Promise<void>[] = [];
    try {
      for (;;) relaying.push(this.#relay(await this.#listener.accept()));
    } catch {
      await Promise.all(relaying); // the listener is closed
    }
  }

  async #relay(client: Deno.TcpConn): Promise<void> {
    const server = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    await Promise.all([this.#pass(client, server, "up"), this.#pass(server, client, "down")]);
    client.close();
    server.close();
  }

  async #pass(from: Deno.TcpConn, to: Deno.TcpConn, direction: "up" | "down"): Promise<void> {
    const buffer = new Uint8Array(65536);
    const decoder = new TextDecoder();
    for (let n; (n = await from.read(buffer).catch(() => null)) !== null;) {
      const text = decoder.decode(buffer.subarray(0, n));
      const came = performance.now();
      const delay = await this.#delay[direction]();
      if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
      const kept = (performance.now() - came) / 1000;
      for (const line of text.trimEnd().split("\n")) {
        const seq = seqOf(line);
        this.kept.set(seq, { ...this.kept.get(seq) ?? { up: 0, down: 0 }, [direction]: kept });
      }
      await to.write(buffer.subarray(0, n)).catch(() => {});
    }
    await to.closeWrite().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await within(this.#serving, "the relay to end");
  }
}

/** A server made of a function; it serves one connection at a time, until the end of its scope. */
export function fakeServer(serve: (conn: Deno.TcpConn) => Promise<void>) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const loop = (async () => {
    for (;;) {
      let conn;
      try {
        conn = await listener.accept();
      } catch {
        return;
      }
      await serve(conn).catch(() => {});
      closeQuietly(conn); // it may have done so itself
    }
  })();
  return {
    url: `tcp://127.0.0.1:${listener.addr.port}`,
    async [Symbol.asyncDispose]() {
      listener.close();
      await within(loop, "the fake server to end");
    },
  };
}

/** A server in Python that answers after so many milliseconds. */
export async function delayingServer(delay: number): Promise<Running & { url: string }> {
  const server = new Running(["python3", `${TESTDATA}delaying_server.py`, String(delay)]);
  await server.stdout.until(/listening on .*\n/);
  const [, url] = /listening on (.*)\n/.exec(server.stdout.text)!;
  return Object.assign(server, { url: url! });
}
