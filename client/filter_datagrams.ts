import { readStdin } from "../cli/stdio.ts";
import type { PeerOutput } from "../cli/terminal.ts";
import { Failure } from "../failure.ts";
import type { DatagramPeer } from "../net/transport.ts";
import { DatagramReplies, LineSplitter } from "../protocol.ts";
import { withTimeout } from "../time/timers.ts";
import { asLine, checkAnswered, sendDatagram } from "./datagrams.ts";
import { CLOSE_WAIT_MS } from "./dialogue.ts";

/** How often the filter looks for replies that are late. */
const WATCH_MS = 100;
/** The most datagrams that wait for their replies at once: more could overflow a socket's buffer. */
const WINDOW = 32;
/** A filter that was kept from sending makes up for at most this long. */
const BURST_MS = 20;

interface FilterOptions {
  /** The longest wait for a reply, in milliseconds; 0 for none. */
  timeout: number;
  /** The most datagrams a second; 0 for any number. */
  udpRate: number;
}

/**
 * The filter over UDP: a line is a datagram, its LF included. Several are on their way at once, but nothing holds up a
 * sender of datagrams that is too fast: what keeps it from losing them is a window and a rate.
 */
export class DatagramFilter {
  readonly #peer: DatagramPeer;
  readonly #server: string;
  readonly #options: FilterOptions;
  readonly #output: PeerOutput;
  readonly #stop: AbortSignal;
  readonly #replies = new DatagramReplies();
  #arrived = Promise.withResolvers<void>();
  #printing = false;
  /** Since when replies have been read as they came: not while stdout was blocked. */
  #listeningSince = 0;
  /** When the rate allows the next datagram. */
  #nextAt = 0;

  constructor(
    peer: DatagramPeer,
    server: string,
    options: FilterOptions,
    output: PeerOutput,
    stop: AbortSignal,
  ) {
    this.#peer = peer;
    this.#server = server;
    this.#options = options;
    this.#output = output;
    this.#stop = stop;
  }

  /** Sends stdin and prints the replies. @throws {Failure} when not every line was answered. */
  async run(): Promise<void> {
    const receiving = this.#receive();
    receiving.catch(() => {}); // those who wait learn it
    const splitter = new LineSplitter(this.#peer.maxSize + 1); // one more is too long, whatever follows
    for await (const bytes of readStdin(this.#stop)) {
      for (const line of splitter.split(bytes)) await this.#send(line, receiving);
    }
    const rest = splitter.takeRest();
    if (rest.length > 0 && !this.#stop.aborted) await this.#send(rest, receiving);
    while (this.#replies.waiting > 0 || this.#printing) await this.#wait(WATCH_MS, receiving);
    if (this.#stop.aborted) throw new Failure("get every line answered by", this.#server, "interrupted");
    await checkAnswered(this.#replies, this.#server, this.#options.timeout);
  }

  async #receive(): Promise<never> {
    for (;;) {
      const reply = await this.#peer.receive();
      if (!this.#replies.arrived(reply)) continue;
      const began = performance.now();
      this.#printing = true;
      await this.#output.write(asLine(reply));
      this.#printing = false;
      if (performance.now() - began > WATCH_MS) this.#listeningSince = performance.now();
      this.#arrived.resolve();
    }
  }

  async #send(line: Uint8Array, receiving: Promise<never>): Promise<void> {
    const { udpRate } = this.#options;
    for (let early; udpRate > 0 && (early = this.#nextAt - performance.now()) > 0;) {
      await this.#wait(early, receiving);
    }
    while (this.#replies.waiting >= WINDOW) await this.#wait(WATCH_MS, receiving);
    if (udpRate > 0) this.#nextAt = Math.max(this.#nextAt, performance.now() - BURST_MS) + 1000 / udpRate;
    await sendDatagram(this.#peer, this.#server, line, this.#replies);
  }

  /** Waits for a reply, at most this long; gives up datagrams whose time is over. */
  async #wait(millis: number, receiving: Promise<never>): Promise<void> {
    await withTimeout(Promise.race([this.#arrived.promise, receiving]), millis);
    this.#arrived = Promise.withResolvers();
    const patience = this.#stop.aborted ? CLOSE_WAIT_MS : this.#options.timeout;
    const now = performance.now();
    if (this.#printing || patience === 0 || now - this.#listeningSince <= patience) return;
    this.#replies.expire(now - patience);
  }
}
