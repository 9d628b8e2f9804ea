import { dialDatagrams, type DialOptions, dialStream } from "../net/dial.ts";
import { closeQuietly, READ_SIZE, writeAll } from "../net/stream.ts";
import { transportOf } from "../net/transports.ts";

/** Where to connect to, and how. */
export type { DialOptions };

/** The path of lines and replies: a connection, or a socket for datagrams. */
export interface Channel {
  /** Whether each `receive` gives one message, rather than the next bytes of a stream. */
  readonly datagrams: boolean;
  /** Sends a line, which ends in LF; its bytes are the caller's again once this resolves. One at a time. */
  send(line: Uint8Array): Promise<void>;
  /** Bytes, valid until the next call; null when no more come. */
  receive(): Promise<Uint8Array | null>;
  close(): void;
}

/** What it took to open a channel. Datagrams need no connection. */
export interface Setup {
  /** Until the connection stood, in µs. */
  connect?: number;
  /** The TLS handshake after that, in µs. */
  handshake?: number;
}

/** A channel that has just been opened. */
export interface Opened {
  channel: Channel;
  setup: Setup;
}

/** Opens a channel to an endpoint. @throws {Failure} when that cannot be done, or the signal is aborted. */
export async function openChannel(options: DialOptions, signal: AbortSignal): Promise<Opened> {
  if (transportOf(options.endpoint).kind === "datagram") {
    const peer = await dialDatagrams(options, signal);
    return {
      setup: {},
      channel: {
        datagrams: true,
        send: (line) => peer.send(line.subarray(0, -1)),
        receive: () => peer.receive(),
        close: () => closeQuietly(peer),
      },
    };
  }
  const { stream, connectMs, handshakeMs } = await dialStream(options, signal);
  const buffer = new Uint8Array(READ_SIZE);
  return {
    setup: {
      connect: connectMs * 1000,
      ...(handshakeMs !== undefined && { handshake: handshakeMs * 1000 }),
    },
    channel: {
      datagrams: false,
      send: (line) => writeAll(stream, line),
      async receive() {
        const n = await stream.read(buffer);
        return n === null ? null : buffer.subarray(0, n);
      },
      close: () => closeQuietly(stream),
    },
  };
}
