import { note } from "../cli/stdio.ts";
import { Failure, reasonOf } from "../failure.ts";
import { isClosedHere } from "../net/errors.ts";
import type { DatagramPeer } from "../net/transport.ts";
import { concat } from "@std/bytes/concat";
import { DatagramReplies, LF } from "../protocol.ts";
import { durationText } from "../time/duration.ts";
import { TIMED_OUT, withTimeout } from "../time/timers.ts";
import { type Dialogue, notAnswered } from "./dialogue.ts";

/** A dialogue over UDP. A line whose reply is lost is noted on stderr, and the conversation goes on. */
export class DatagramDialogue implements Dialogue {
  readonly framing = "line";
  readonly #peer: DatagramPeer;
  readonly #server: string;
  readonly #timeout: number;
  readonly #replies = new DatagramReplies();
  readonly #received: Uint8Array[] = [];
  #receiving: Promise<boolean> | undefined;

  /** @param timeout the longest wait for a reply, in milliseconds; 0 for none. */
  constructor(peer: DatagramPeer, server: string, timeout: number) {
    this.#peer = peer;
    this.#server = server;
    this.#timeout = timeout;
  }

  async ask(message: Uint8Array): Promise<Uint8Array> {
    await sendDatagram(this.#peer, this.#server, message, this.#replies);
    const deadline = this.#timeout === 0 ? Infinity : performance.now() + this.#timeout;
    for (;;) {
      for (let reply; (reply = this.#received.shift()) !== undefined;) {
        if (this.#replies.arrived(reply)) return asLine(reply);
      }
      const left = deadline - performance.now();
      const event = left <= 0 ? TIMED_OUT : await withTimeout(this.more(), left === Infinity ? 0 : left);
      if (event === TIMED_OUT) break;
      if (!event) throw this.gone();
    }
    this.#replies.expire(Infinity);
    await note(`no reply in ${durationText(this.#timeout)}`);
    return new Uint8Array();
  }

  more(): Promise<boolean> {
    return this.#receiving ??= this.#receive().finally(() => this.#receiving = undefined);
  }

  takeUnasked(): Uint8Array {
    return concat(this.#received.splice(0).map(asLine));
  }

  gone(): Failure {
    return this.failure("the socket is closed");
  }

  failure(reason: string): Failure {
    return new Failure("talk to", this.#server, reason);
  }

  end(): Promise<void> {
    return checkAnswered(this.#replies, this.#server, this.#timeout);
  }

  async #receive(): Promise<boolean> {
    try {
      this.#received.push(await this.#peer.receive());
      return true;
    } catch (error) {
      return !isClosedHere(error);
    }
  }
}

/** A reply as it is printed: a line. */
export function asLine(reply: Uint8Array): Uint8Array {
  return reply.at(-1) === LF ? reply : concat([reply, Uint8Array.of(LF)]);
}

/** Sends a datagram and records it among those that wait for a reply. @throws {Failure} */
export async function sendDatagram(
  peer: DatagramPeer,
  server: string,
  bytes: Uint8Array,
  replies: DatagramReplies,
): Promise<void> {
  if (bytes.length > peer.maxSize) {
    throw new Failure(
      "send to",
      server,
      `a line of ${peer.maxSize} bytes is the longest that a datagram carries`,
    );
  }
  replies.sending(bytes, performance.now());
  try {
    await peer.send(bytes);
  } catch (error) {
    throw new Failure("send to", server, reasonOf(error), { cause: error });
  }
}

/** @param timeout how long each line has waited, in milliseconds. @throws {Failure} unless all were answered. */
export async function checkAnswered(
  replies: DatagramReplies,
  server: string,
  timeout: number,
): Promise<void> {
  const { answered, waiting, lost, reordered } = replies;
  const order = `${reordered} of ${answered} replies came out of order`;
  const missing = lost + waiting;
  if (missing > 0) {
    const count = notAnswered(missing, answered + missing);
    const reason = `no reply in ${durationText(timeout)}; ${count}${reordered === 0 ? "" : `; ${order}`}`;
    throw new Failure("get every line answered by", server, reason);
  }
  if (reordered > 0) await note(order);
}
