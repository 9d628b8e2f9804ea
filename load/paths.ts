import { dialDatagrams, type DialOptions, dialStream } from "../net/dial.ts";
import { leanStream } from "../net/lean_stream.ts";
import { transportOf } from "../net/transports.ts";
import type { Clock } from "../time/timers.ts";
import type { MakeConnection } from "./connection.ts";
import { DatagramConnection } from "./datagram_connection.ts";
import { StreamConnection } from "./stream_connection.ts";
import { TurnClock } from "./turn_clock.ts";

/** Where an engine's connections come from. */
export interface Paths {
  /** Whether they are sockets for datagrams. */
  datagrams: boolean;
  make: MakeConnection;
}

/** Connections to an endpoint. */
export function pathsTo(options: DialOptions, clock: Clock): Paths {
  if (transportOf(options.endpoint).kind === "datagram") {
    return {
      datagrams: true,
      async make(lines, events, signal) {
        const peer = await dialDatagrams(options, signal);
        return { connection: new DatagramConnection(peer, lines, clock, events), times: undefined };
      },
    };
  }
  const turn = new TurnClock(clock);
  return {
    datagrams: false,
    async make(lines, events, signal) {
      const { stream, connectMs, handshakeMs } = await dialStream(options, signal);
      const times = { connectMs, ...(handshakeMs !== undefined && { handshakeMs }) };
      return { connection: new StreamConnection(leanStream(stream), lines, clock, events, turn), times };
    },
  };
}
