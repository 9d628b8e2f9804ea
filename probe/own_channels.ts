import type { Opened, Setup } from "./channel.ts";

/** A line's own channel, from the attempt to open it on. */
interface OwnChannel {
  attempt: AbortController;
  opened?: Opened;
}

/** The channels of lines that have one of their own, by their numbers, while the fate of the line is unknown. */
export class OwnChannels {
  readonly #channels = new Map<number, OwnChannel>();

  /** Records that a line's channel is being opened. @returns a signal that is aborted once it is to be closed. */
  attempt(seq: number): AbortSignal {
    const attempt = new AbortController();
    this.#channels.set(seq, { attempt });
    return attempt.signal;
  }

  /** Records that it is open; false if the line's fate is known already. */
  open(seq: number, opened: Opened): boolean {
    const own = this.#channels.get(seq);
    if (own !== undefined) own.opened = opened;
    return own !== undefined;
  }

  has(seq: number): boolean {
    return this.#channels.has(seq);
  }

  /** Whether it is still being opened. */
  isOpening(seq: number): boolean {
    const own = this.#channels.get(seq);
    return own !== undefined && own.opened === undefined;
  }

  /** Closes it, for its line's fate is known. @returns what opening it took. */
  finish(seq: number): Setup | undefined {
    const own = this.#channels.get(seq);
    this.#channels.delete(seq);
    if (own !== undefined) closeOwn(own);
    return own?.opened?.setup;
  }

  /** Closes all of them. */
  close(): void {
    for (const own of this.#channels.values()) closeOwn(own);
  }
}

function closeOwn({ attempt, opened }: OwnChannel): void {
  attempt.abort();
  opened?.channel.close();
}
