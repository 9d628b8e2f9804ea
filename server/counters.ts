/** What a server has done so far. */
import type { DropCode, RejectionCode } from "../net/rejection.ts";

/** The figures of a server, since its start. Sizes are in bytes. */
export interface ServerFigures {
  /** Connections served, those that are open included. */
  connections: number;
  /** Connections that are open. */
  open: number;
  /** Connections that ended without a byte from the peer, served or not, as health checks do. */
  silent: number;
  /** Lines answered; messages in chunk framing. Datagrams are not lines. */
  lines: number;
  /** Read from connections, and of the datagrams that were answered. */
  bytesIn: number;
  /** Written, prefixes included. */
  bytesOut: number;
  /** Connections closed in the middle of a reply. */
  cut: number;
  /** Connections that were not served, by reason. */
  rejected: Partial<Record<RejectionCode, number>>;
  /** Datagrams answered. */
  datagrams: number;
  /** Datagrams not answered, by reason. */
  dropped: Partial<Record<DropCode, number>>;
}

/** Figures that can be read at any moment. */
export interface LiveCounters {
  /** The figures at this moment, those of open connections included. */
  snapshot(): ServerFigures;
}

/** What a connection has done so far. */
export interface ConnectionFigures {
  readonly lines: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Counts as things happen. The figures of open connections are read from them when somebody asks. */
export class Counters implements LiveCounters {
  readonly #ended = noFigures();
  readonly #open = new Set<ConnectionFigures>();

  /** A connection is served from now on. */
  opened(connection: ConnectionFigures): void {
    this.#ended.connections++;
    this.#open.add(connection);
  }

  /** A connection has ended. @param cut whether in the middle of a reply. */
  closed(connection: ConnectionFigures, cut: boolean): void {
    this.#open.delete(connection);
    addConnection(this.#ended, connection);
    if (cut) this.#ended.cut++;
  }

  /** A connection has ended without a byte from the peer. */
  silent(): void {
    this.#ended.silent++;
  }

  /** A connection was not served. */
  rejected(code: RejectionCode): void {
    this.#ended.rejected[code] = (this.#ended.rejected[code] ?? 0) + 1;
  }

  /** A datagram was answered. */
  answered(bytesIn: number, bytesOut: number): void {
    this.#ended.datagrams++;
    this.#ended.bytesIn += bytesIn;
    this.#ended.bytesOut += bytesOut;
  }

  /** A datagram was not answered. */
  dropped(code: DropCode): void {
    this.#ended.dropped[code] = (this.#ended.dropped[code] ?? 0) + 1;
  }

  snapshot(): ServerFigures {
    const figures = mergeFigures(this.#ended);
    figures.open = this.#open.size;
    for (const connection of this.#open) addConnection(figures, connection);
    return figures;
  }
}

/** The figures of several servers together. */
export function mergeFigures(...all: ServerFigures[]): ServerFigures {
  const sum = noFigures();
  for (const figures of all) {
    for (
      const name of [
        "connections",
        "open",
        "silent",
        "lines",
        "bytesIn",
        "bytesOut",
        "cut",
        "datagrams",
      ] as const
    ) {
      sum[name] += figures[name];
    }
    mergeCounts(sum.rejected, figures.rejected);
    mergeCounts(sum.dropped, figures.dropped);
  }
  return sum;
}

function noFigures(): ServerFigures {
  return {
    connections: 0,
    open: 0,
    silent: 0,
    lines: 0,
    bytesIn: 0,
    bytesOut: 0,
    cut: 0,
    rejected: {},
    datagrams: 0,
    dropped: {},
  };
}

function addConnection(sum: ServerFigures, { lines, bytesIn, bytesOut }: ConnectionFigures): void {
  sum.lines += lines;
  sum.bytesIn += bytesIn;
  sum.bytesOut += bytesOut;
}

function mergeCounts<Code extends string>(
  sum: Partial<Record<Code, number>>,
  counts: Partial<Record<Code, number>>,
): void {
  for (const [code, count] of Object.entries(counts) as [Code, number][]) {
    sum[code] = (sum[code] ?? 0) + count;
  }
}
