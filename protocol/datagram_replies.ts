import { prefixLength } from "./stamps.ts";

/**
 * Matches replies to the datagrams sent, by payload: a reply is the payload behind a prefix, or alone if the server
 * writes no stamps.
 */
export class DatagramReplies {
  /** Datagrams answered so far. */
  answered = 0;
  /** Datagrams that {@linkcode expire} gave up. */
  lost = 0;
  /** Replies to datagrams sent before one that was answered earlier (RFC 4737, section 3.3). */
  reordered = 0;
  /** Datagrams received that answer no waiting one: late replies, duplicates, other peers'. */
  stray = 0;
  #next = 0;
  #highest = -1;
  /** Datagrams without a reply, in the order of sending. */
  readonly #waiting = new Map<number, { payload: string; sentAt: number }>();
  readonly #byPayload = new Map<string, number[]>();

  /** How many datagrams wait for a reply. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** When the longest-waiting datagram was sent; undefined if none waits. */
  get oldest(): number | undefined {
    for (const { sentAt } of this.#waiting.values()) return sentAt;
    return undefined;
  }

  /** Records a datagram sent at `now`, on any one clock. */
  sending(bytes: Uint8Array, now: number): void {
    const payload = keyOf(bytes);
    const number = this.#next++;
    this.#waiting.set(number, { payload, sentAt: now });
    const same = this.#byPayload.get(payload);
    if (same === undefined) this.#byPayload.set(payload, [number]);
    else same.push(number);
  }

  /** Records a datagram received. @returns whether it answers one that waits; of equal ones, the oldest. */
  arrived(reply: Uint8Array): boolean {
    const stamped = keyOf(reply.subarray(prefixLength(reply)));
    const payload = this.#byPayload.has(stamped) ? stamped : keyOf(reply);
    const [number] = this.#byPayload.get(payload) ?? [];
    if (number === undefined) {
      this.stray++;
      return false;
    }
    this.#forget(number, payload);
    this.answered++;
    if (number < this.#highest) this.reordered++;
    else this.#highest = number;
    return true;
  }

  /** Gives up the datagrams sent at `moment` or before. */
  expire(moment: number): void {
    for (const [number, { payload, sentAt }] of this.#waiting) {
      if (sentAt > moment) break;
      this.#forget(number, payload);
      this.lost++;
    }
  }

  #forget(number: number, payload: string): void {
    this.#waiting.delete(number);
    const same = this.#byPayload.get(payload)!;
    if (same.length === 1) this.#byPayload.delete(payload);
    else same.splice(same.indexOf(number), 1);
  }
}

/** A map's key for bytes of any kind: equal keys mean equal bytes. */
function keyOf(bytes: Uint8Array): string {
  return LATIN1.decode(bytes);
}

const LATIN1 = new TextDecoder("latin1");
