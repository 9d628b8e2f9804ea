/** What a server can be asked for, its defaults, and what is out of the question. */
import { DEFAULT_PORT, type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { ALL_INTERFACES } from "../net/hosts.ts";
import { parseEndpoint, transportOf } from "../net/transports.ts";
import { Failure } from "../failure.ts";
import type { ServerEvent } from "./events.ts";
import { isTag, SERVER_DEFAULTS, type ServerSettings } from "./settings.ts";

/** How to serve. Every option has a default. */
export interface ServerOptions extends Partial<ServerSettings> {
  /** Where to listen, as URLs or short forms; port 0 picks a free one. Default: port 21567 of all interfaces. */
  listen?: (string | Endpoint)[];
  /** Drains the server when aborted. */
  signal?: AbortSignal;
  /** Is told what happens. It must not throw. */
  onEvent?: (event: ServerEvent) => void;
}

/** The settings that options and defaults make. @throws {RangeError} for one that is out of range. */
export function settingsOf(options: ServerOptions): ServerSettings {
  const { listen: _listen, signal: _signal, onEvent: _onEvent, ...given } = options;
  const settings = { ...SERVER_DEFAULTS, ...given };
  const { tag } = settings;
  if (tag !== undefined && !isTag(tag)) {
    throw new RangeError(
      `Cannot use tag ${
        JSON.stringify(tag)
      }: expected 1 to 64 visible ASCII characters without blanks and brackets`,
    );
  }
  const minima = {
    maxLine: 1,
    maxMemory: 1,
    maxConns: 1,
    maxConnsPerIp: 1,
    idleTimeout: 0,
    lineTimeout: 0,
    drainDelay: 0,
    drainTimeout: 0,
    handshakeTimeout: 0,
    udpRate: 0,
  } satisfies Partial<Record<keyof ServerSettings, number>>;
  for (const [name, min] of Object.entries(minima)) {
    const value = settings[name as keyof typeof minima];
    if (value !== undefined && !(value >= min)) {
      throw new RangeError(`Cannot use ${name} ${value}: expected a number from ${min}`);
    }
  }
  return settings;
}

/** Where to listen. @throws {Failure} for an endpoint that is none, or cannot be used with these settings. */
export function endpointsOf({ listen = [`:${DEFAULT_PORT}`], stamp }: ServerOptions): Endpoint[] {
  const endpoints = listen.map((it) => {
    if (typeof it !== "string") return it;
    try {
      return parseEndpoint(it, { hostname: ALL_INTERFACES, port: DEFAULT_PORT }, 0);
    } catch (error) {
      throw new Failure("listen on", it, (error as Error).message, { cause: error });
    }
  });
  const datagrams = endpoints.find((it) => transportOf(it).kind === "datagram");
  if (datagrams !== undefined && stamp === "none") {
    throw new Failure("listen on", formatEndpoint(datagrams), UNSTAMPED_DATAGRAMS);
  }
  return endpoints;
}

/** Why datagrams are not answered without stamps. */
export const UNSTAMPED_DATAGRAMS =
  "with stamp none a reply looks like a request, and two servers could echo each other for ever";
