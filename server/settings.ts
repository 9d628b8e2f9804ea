/** How a server answers, and what it bears. */
import type { CidrSet } from "../net/cidr.ts";
import type { Framing, StampFormat } from "../protocol.ts";

/** Files (PEM) from which a server reads who it is, at the start and at each {@linkcode Server.reload}. */
export interface TlsFiles {
  /** The certificate, with its chain. */
  cert: string;
  /** Its key; may be the same file. */
  key: string;
  /** The CAs of clients' certificates; undefined where clients need none. */
  clientCa?: string;
}

/** How a server answers, and what it bears. Durations are in milliseconds, 0 for no limit; sizes in bytes. */
export interface ServerSettings {
  /** How messages are told apart: by LF, or by what one read delivers. */
  framing: Framing;
  /** The format of the stamp in front of each reply. `none` cannot be used with datagrams. */
  stamp: StampFormat;
  /** Shown after the stamp, to tell servers apart: 1 to 64 visible ASCII characters other than brackets. */
  tag?: string;
  /** The longest line, its LF not counted. */
  maxLine: number;
  /** The most bytes that the lines of all connections may take, with the replies under way. */
  maxMemory: number;
  /** The most connections at once; undefined for the smaller of 10,000 and what the descriptor limit leaves. */
  maxConns?: number;
  /** Whether other processes may listen on the same TCP ports and share connections (Linux, `--unstable-net`). */
  reusePort: boolean;
  /** A connection on which no byte moves for this long is closed. */
  idleTimeout: number;
  /** A line has to be complete this long after its first byte. */
  lineTimeout: number;
  /** How long the server goes on serving and accepting after the signal to stop, so that balancers turn away. */
  drainDelay: number;
  /** How long connections may take to end after that. What has not ended is half-closed, and cut a second later. */
  drainTimeout: number;
  /** Needed for `tls://` endpoints. */
  tls?: TlsFiles;
  /** How long a TLS handshake may take. */
  handshakeTimeout: number;
  /** The permissions of the files of Unix sockets. */
  unixMode: number;
  /** The most answers a second to datagrams from one source, an IPv4 address or an IPv6 network of /64. */
  udpRate: number;
  /** Streams begin with a PROXY protocol header, and come from these addresses alone. */
  proxyFrom?: CidrSet;
  /** The clients that are served; undefined for all. */
  allow?: CidrSet;
  /** The clients that are not, even if `allow` has them. */
  deny?: CidrSet;
  /** The most connections at once from one address; undefined for any number. */
  maxConnsPerIp?: number;
}

/** The settings that are used where none are given. */
export const SERVER_DEFAULTS = {
  framing: "line",
  stamp: "iso",
  maxLine: 64 * 1024,
  maxMemory: 256 * 1024 ** 2,
  reusePort: false,
  idleTimeout: 600_000,
  lineTimeout: 30_000,
  drainDelay: 0,
  drainTimeout: 10_000,
  handshakeTimeout: 10_000,
  unixMode: 0o600,
  udpRate: 1000,
} as const satisfies ServerSettings;

/** Whether a text can be a tag: it must not end the prefix that it stands in, nor look like a part of the stamp. */
export function isTag(text: string): boolean {
  return /^[!-Z\\^-~]{1,64}$/.test(text);
}
