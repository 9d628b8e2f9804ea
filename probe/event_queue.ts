import type { ProbeEvent } from "../stats/events.ts";

/** Hands events from a prober to one consumer, and holds the prober back while the consumer is at work. */
export class EventQueue implements AsyncIterable<ProbeEvent> {
  #events: ProbeEvent[] = [];
  #ended = false;
  /** Resolves when there are events, or the end. */
  #filled = Promise.withResolvers<void>();
  /** Resolves when the consumer is done with all events. */
  #emptied = Promise.withResolvers<void>();

  /** Adds an event. @returns what resolves when the consumer is done with it, or at the end. */
  push(event: ProbeEvent): Promise<void> | undefined {
    this.#events.push(event);
    this.#filled.resolve();
    return this.#ended ? undefined : this.#emptied.promise;
  }

  /** No consumer is waited for any more; events that are pushed before the consumer sees the end still reach it. */
  end(): void {
    this.#ended = true;
    this.#filled.resolve();
    this.#emptied.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ProbeEvent, void> {
    for (;;) {
      while (this.#events.length > 0) {
        const events = this.#events;
        this.#events = [];
        for (const event of events) yield event;
      }
      if (this.#ended) return;
      this.#emptied.resolve();
      this.#emptied = Promise.withResolvers();
      this.#filled = Promise.withResolvers();
      await this.#filled.promise;
    }
  }
}
