import { Distribution } from "./distribution.ts";
import type { ProbeEvent, ReplyEvent } from "./events.ts";
import { type Counts, type Durations, durations } from "./summary.ts";

/** Whether an event is a reply in time. */
export function isInTime(event: ProbeEvent): event is ReplyEvent {
  return event.fate === "received" || event.fate === "reordered";
}

/** Counts and round trips: of a whole run, or of an interval of it. */
export class LineCounters {
  received = 0;
  lost = 0;
  late = 0;
  duplicates = 0;
  reordered = 0;
  corrupt = 0;
  pending = 0;
  missed = 0;
  readonly rtt = new Distribution();

  add(event: ProbeEvent): void {
    switch (event.fate) {
      case "reordered":
        this.reordered++;
        this.received++;
        break;
      case "duplicate":
        this.duplicates++;
        break;
      case "missed":
        this.missed += event.count;
        break;
      default:
        this[event.fate]++;
    }
    if (isInTime(event) && event.rtt !== undefined) this.rtt.record(event.rtt);
  }

  /** Resets all figures. New counters each second would be work for the garbage collector. */
  clear(): void {
    this.received =
      this.lost =
      this.late =
      this.duplicates =
      this.reordered =
      this.corrupt =
      this.pending =
      this.missed =
        0;
    this.rtt.clear();
  }

  /** All figures, durations in seconds. */
  summary(): Counts & { rtt: Durations | null } {
    return { ...this.counts(), rtt: durations(this.rtt) };
  }

  counts(): Counts {
    const { received, lost, late, duplicates, reordered, corrupt, pending, missed } = this;
    const known = received + lost;
    const loss = known === 0 ? null : lost / known;
    const sent = known + pending;
    return { sent, received, lost, late, duplicates, reordered, corrupt, pending, missed, loss };
  }
}
