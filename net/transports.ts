/** The list of transports, and what is the same for all of them. */
import { type Endpoint, type EndpointDefaults, type MinPort, parseAddress } from "./endpoint.ts";
import { TIMED_OUT, unlessAborted, withTimeout } from "../time/timers.ts";
import { closeQuietly } from "./stream.ts";
import { tcp, type TcpListenOptions } from "./tcp.ts";
import { tls, type TlsConnectOptions, type TlsListenOptions } from "./tls.ts";
import type {
  Cancellable,
  Connected,
  DatagramPeer,
  DatagramTransport,
  StreamTransport,
} from "./transport.ts";
import { udp } from "./udp.ts";
import { unix, type UnixConnectOptions, type UnixListenOptions } from "./unix.ts";

/** How to listen, whatever the transport: each takes what is its own. */
export type ListenOptions = TcpListenOptions & TlsListenOptions & UnixListenOptions & Cancellable;

/** How to connect, whatever the transport. */
export interface ConnectOptions extends TlsConnectOptions, UnixConnectOptions, Cancellable {
  /** Milliseconds for the name, the connection and the TLS handshake together; 0 for as long as the system tries. */
  timeout: number;
}

export type Transport =
  | StreamTransport<ListenOptions, ConnectOptions>
  | DatagramTransport<ListenOptions, ConnectOptions>;

/** The one list: a transport is a file that is named here. The first is the one meant where none is named. */
const TRANSPORTS: Record<string, Transport> = { tcp, tls, udp, unix };
const DEFAULT_TRANSPORT = "tcp";

/** The names of those that have connections. */
export const STREAM_TRANSPORTS: readonly string[] = Object.keys(TRANSPORTS)
  .filter((name) => TRANSPORTS[name]!.kind === "stream");

/** The forms of an endpoint, for people. */
export const ENDPOINT_FORMS = `${
  Object.entries(TRANSPORTS).map(([name, { addressing }]) =>
    addressing === "path" ? `${name}:/path` : `${name}://host:port`
  ).join(", ")
}, host:port, host, :port or [::1]:port`;
const SYNTAX = `expected ${ENDPOINT_FORMS}`;

/** The transport of an endpoint. */
export function transportOf(endpoint: Endpoint): Transport {
  return TRANSPORTS[endpoint.transport]!;
}

/** The endpoint of the default transport that is made of `defaults` alone. */
export function defaultEndpoint(defaults: EndpointDefaults): Endpoint {
  return { transport: DEFAULT_TRANSPORT, ...defaults };
}

/**
 * Reads an endpoint: `tcp://[::1]:21567`, `unix:/run/tsecho.sock`, or a short form without a scheme.
 *
 * @throws {Error} whose message says what was expected.
 */
export function parseEndpoint(text: string, defaults: EndpointDefaults, minPort: MinPort): Endpoint {
  if (text === "") throw new Error(SYNTAX);
  for (const [name, { addressing }] of Object.entries(TRANSPORTS)) {
    if (addressing !== "path") continue;
    // `unix:/path` and `unix:///path` are the same; `unix://host/path` is neither a path nor a host.
    const match = new RegExp(`^${name}:(?://(?=/))?(?<path>.*)$`, "is").exec(text);
    if (match === null) continue;
    const path = match.groups!.path!;
    if (path === "" || path.startsWith("//") || path.includes("\0")) {
      throw new Error(`expected a path, as in ${name}:/path`);
    }
    // It is shown as it is, on stdout and in logs.
    if (/\p{Cc}/u.test(path)) throw new Error("expected a path without control characters");
    return { transport: name, path };
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text);
  const name = scheme === null ? DEFAULT_TRANSPORT : scheme[1]!.toLowerCase();
  if (!Object.hasOwn(TRANSPORTS, name)) throw new Error(`unknown scheme "${scheme![1]}", ${SYNTAX}`);
  const rest = text.slice(scheme?.[0].length ?? 0);
  if (rest === "") return { transport: name, ...defaults };
  if (/^\d+$/.test(rest)) throw new Error(`is it a port? write ${scheme?.[0] ?? ""}:${rest}`);
  try {
    return { transport: name, ...parseAddress(rest, defaults, minPort) };
  } catch (error) {
    const [, meant] = /^([a-z]+):/i.exec(text) ?? [];
    if (scheme === null && /^\.{0,2}\/[^/]|\.sock$/.test(text)) {
      throw new Error(`is it a Unix socket? write unix:${text}`);
    }
    const known = scheme === null && meant !== undefined && Object.hasOwn(TRANSPORTS, meant.toLowerCase());
    throw known ? new Error(`expected ${meant.toLowerCase()}://host:port`) : error;
  }
}

/**
 * Connects to a stream endpoint.
 *
 * @throws the errors of `Deno.connect` and of the TLS handshake; `Deno.errors.TimedOut` after the timeout.
 */
export async function connectStream(endpoint: Endpoint, options: ConnectOptions): Promise<Connected> {
  const transport = transportOf(endpoint);
  if (transport.kind !== "stream") throw new TypeError(`${endpoint.transport} has no streams`);
  return await inTime(
    options,
    (signal) => transport.connect(endpoint, { ...options, signal }),
    ({ stream }) => {
      closeQuietly(stream);
    },
  );
}

/** Opens a socket for datagrams with one peer. Nothing is sent. @throws likewise. */
export async function connectDatagrams(endpoint: Endpoint, options: ConnectOptions): Promise<DatagramPeer> {
  const transport = transportOf(endpoint);
  if (transport.kind !== "datagram") throw new TypeError(`${endpoint.transport} has no datagrams`);
  return await inTime(options, (signal) => transport.connect(endpoint, { ...options, signal }), closeQuietly);
}

/**
 * Waits for an attempt until the timeout or the signal. The attempt's signal ends a TCP handshake, but neither the
 * look-up of a name nor a TLS handshake: `discard` is given what comes too late.
 */
async function inTime<T>(
  { timeout, signal }: ConnectOptions,
  attempt: (signal: AbortSignal) => Promise<T>,
  discard: (late: T) => void,
): Promise<T> {
  signal?.throwIfAborted();
  const ended = new AbortController();
  const attempted = attempt(ended.signal);
  try {
    const result = await withTimeout(unlessAborted(attempted, signal), timeout);
    if (result === TIMED_OUT) throw new Deno.errors.TimedOut(`no answer in ${timeout} ms`);
    return result;
  } catch (error) {
    ended.abort(error);
    attempted.then(discard, () => {});
    throw error;
  }
}
