import type { ProbeEvent } from "../stats/events.ts";

/** Hands events from a prober to one consumer, and holds the prober back while the consumer is at work. */
export class EventQueue {
  #events: ProbeEvent[] = [];
  #ended = false;
  /** Resolves when there are events, or the end. */
  #filled = Promise.withResolvers<void>();
  /** Resolves when the consumer is done with all events. */
  #emptied = Promise.withResolvers<void>();

  /** Adds an event. @returns what resolves when the consumer is done with it; undefined after the end. */
  push(event: ProbeEvent): Promise<void> | undefined {
    this.#events.push(event);
    this.#filled.resolve();
    return this.#ended ? undefined : this.#emptied.promise;
  }

  /** No consumer is waited for any more. One that comes back still gets the events that are left. */
  end(): void {
    this.#ended = true;
    this.#filled.resolve();
    this.#emptied.resolve();
  }

  /** The next events, once there are any; none at the end. To call it means to be done with those before. */
  async take(): Promise<ProbeEvent[]> {
    if (this.#events.length === 0 && !this.#ended) {
      this.#emptied.resolve();
      this.#emptied = Promise.withResolvers();
      this.#filled = Promise.withResolvers();
      await this.#filled.promise;
    }
    const events = this.#events;
    this.#events = [];
    return events;
  }
}
