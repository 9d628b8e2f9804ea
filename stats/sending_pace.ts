import type { ProbeEvent, ReplyEvent } from "./events.ts";

/** When a line was written. */
interface Sending {
  seq: number;
  /** In seconds on the run's clock; undefined for a line without a reply. */
  at: number | undefined;
  /** In µs on the wall clock. */
  wall: number;
}

/** How far apart lines were sent, on average, whatever the plan was. */
export class SendingPace {
  #first: Sending | undefined;
  #last: Sending | undefined;
  /** The latest line of which both moments are known. */
  #answeredAt = 0;
  #answeredWall: number | undefined;

  /** Records what became of a line. */
  add(event: ProbeEvent): void {
    const { seq, at, rtt, sent } = event as ReplyEvent;
    if (sent === undefined) return;
    if (rtt !== undefined) {
      this.#answeredAt = at - rtt / 1e6;
      this.#answeredWall = sent;
    }
    // Fates become known in any order.
    const last = this.#last ??= { seq, at: undefined, wall: sent };
    if (seq >= last.seq) put(last, event as ReplyEvent, sent);
    const first = this.#first ??= { ...last };
    if (seq < first.seq) put(first, event as ReplyEvent, sent);
  }

  /** From one line sent to the next on average, in seconds; null for fewer than two. */
  get interval(): number | null {
    const [first, last] = [this.#first, this.#last];
    if (first === undefined || last === undefined || last.seq === first.seq) return null;
    return Math.max(0, this.#moment(last) - this.#moment(first)) / (last.seq - first.seq);
  }

  /** In seconds; by the wall clock where nothing else is known, counted from an answered line if there is one. */
  #moment({ at, wall }: Sending): number {
    return at ?? this.#answeredAt + (wall - (this.#answeredWall ?? 0)) / 1e6;
  }
}

function put(into: Sending, { seq, at, rtt }: ReplyEvent, wall: number): void {
  into.seq = seq;
  into.at = rtt === undefined ? undefined : at - rtt / 1e6;
  into.wall = wall;
}
