import { type DialOptions, dialStream } from "../net/dial.ts";
import { transportOf } from "../net/transports.ts";
import type { Clock } from "../time/timers.ts";
import type { Paths } from "./engine.ts";
import { StreamConnection } from "./stream_connection.ts";

/** Connections to an endpoint. */
export function pathsTo(options: DialOptions, clock: Clock): Paths {
  return {
    datagrams: transportOf(options.endpoint).kind === "datagram",
    async make(lines, _place, events, signal) {
      const { stream, connectMs, handshakeMs } = await dialStream(options, signal);
      const times = { connectMs, ...(handshakeMs !== undefined && { handshakeMs }) };
      return { connection: new StreamConnection(stream, lines, clock, events), times };
    },
  };
}
