/** The programs that the benchmark compares, and how each is built and started. */

import { compile, path, run, tsecho } from "./tools.ts";

/** Where things are and how long they run; seconds. */
export interface Setup {
  directory: string;
  load: string;
  tlsLoad: string;
  /** The tsecho that is measured, and the one it is compared with: a binary, a checkout, or these sources. */
  bin: string | undefined;
  before: string | undefined;
  duration: number;
  warmup: number;
}

/** What a server listens on: a transport, or TCP with a PROXY protocol header in front of each connection. */
export type Path = "tcp" | "tls" | "unix" | "udp" | "proxy";

/** Programs without which a path is left out. The load generator over TLS is in Go. */
export const PATH_NEEDS: Record<Path, string[]> = {
  tcp: [],
  tls: ["go", "openssl"],
  unix: [],
  udp: [],
  proxy: [],
};

export interface Peer {
  name: string;
  /** Programs without which it is left out. */
  needs: string[];
  /** The server on the paths that it has; clients and bare programs have none. */
  server?: Partial<Record<Path, (setup: Setup) => string[]>>;
  /** The client that copies stdin's lines to a server and the replies to stdout, until all replies are in. */
  client?: (setup: Setup, host: string, port: string) => string[];
  /** A program that starts and ends. */
  start?: (setup: Setup) => string[];
}

const certificate = ({ directory }: Setup) => [`${directory}/cert.pem`, `${directory}/key.pem`] as const;

function tsechoPeer(name: string, from: (setup: Setup) => string | undefined): Peer {
  const server = (endpoint: string, ...options: string[]) => (setup: Setup) =>
    tsecho(from(setup), "server", endpoint, "--quiet", ...options);
  return {
    name,
    needs: [],
    server: {
      tcp: server("tcp://127.0.0.1:0"),
      tls: (setup) => {
        const [cert, key] = certificate(setup);
        return server("tls://127.0.0.1:0", "--cert", cert, "--key", key)(setup);
      },
      unix: (setup) => server(`unix:${setup.directory}/${name}.sock`)(setup),
      udp: server("udp://127.0.0.1:0", "--udp-rate", "0"),
      proxy: server("tcp://127.0.0.1:0", "--proxy-protocol", "--proxy-from", "127.0.0.0/8"),
    },
    client: (setup, host, port) => tsecho(from(setup), "client", `tcp://${host}:${port}`),
    start: (setup) => tsecho(from(setup), "--version"),
  };
}

export const PEERS: Peer[] = [
  tsechoPeer("tsecho", ({ bin }) => bin),
  tsechoPeer("before", ({ before }) => before),
  {
    name: "C",
    needs: ["gcc"],
    server: {
      tcp: ({ directory }) => [`${directory}/epoll`, "0"],
      unix: ({ directory }) => [`${directory}/epoll`, `unix:${directory}/C.sock`],
    },
  },
  {
    name: "Go",
    needs: ["go"],
    server: {
      tcp: ({ directory }) => [`${directory}/server`, "0"],
      tls: (setup) => [`${setup.directory}/tls_server`, "0", ...certificate(setup)],
      unix: ({ directory }) => [`${directory}/server`, `unix:${directory}/Go.sock`],
      udp: ({ directory }) => [`${directory}/server`, "udp:0"],
      proxy: ({ directory }) => [`${directory}/server`, "0", "--proxy"],
    },
  },
  {
    name: "Node",
    needs: ["node"],
    server: { tcp: () => ["node", path("peers/node_net.mjs"), "0"] },
    start: () => ["node", "-e", "0"],
  },
  {
    name: "Deno node:net",
    needs: [],
    server: { tcp: () => [Deno.execPath(), "run", "--allow-net", path("peers/node_net.mjs"), "0"] },
  },
  {
    name: "Deno TLS",
    needs: [],
    server: {
      tls: (setup) => [
        ...[Deno.execPath(), "run", "--v8-flags=--max-semi-space-size=8", "--allow-net", "--allow-read"],
        ...[path("peers/tls_handle.ts"), "0", ...certificate(setup)],
      ],
    },
  },
  {
    name: "asyncio",
    needs: ["python3"],
    server: { tcp: () => ["python3", path("peers/asyncio_server.py"), "0"] },
  },
  {
    name: "ncat",
    needs: ["ncat", "ts"],
    server: { tcp: () => [path("peers/ncat.sh"), "0"] },
    // Ncat 7.93 half-closes at stdin's end and ends with the server's close. With --no-shutdown it would not
    // half-close, the server would wait for more, and ncat for ever.
    client: (_, host, port) => ["ncat", host, port],
  },
  {
    name: "socat",
    needs: ["socat", "ts"],
    server: { tcp: () => [path("peers/socat.sh"), "0"] },
    // It half-closes too, but then waits half a second only for replies, unless told otherwise.
    client: (_, host, port) => ["socat", "-t", "10", "-", `TCP:${host}:${port}`],
  },
];

/** Builds the load generators and the servers in C and Go, and makes a certificate, where the tools are installed. */
export async function build(directory: string, programs: { go: boolean; openssl: boolean }): Promise<void> {
  await compile("load.c", directory);
  await compile("peers/epoll.c", directory);
  if (programs.go) {
    await buildGo(directory, "server", "echo");
    await buildGo(directory, "tls_server", "echo");
    await buildGo(directory, "tls_load");
  }
  if (programs.openssl) await makeCertificate(directory);
}

async function buildGo(directory: string, program: string, ...shared: string[]): Promise<void> {
  const sources = [program, ...shared].map((name) => path(`peers/${name}.go`));
  await run(["go", "build", "-o", `${directory}/${program}`, ...sources]);
}

/** Writes cert.pem and key.pem into `directory`: its own issuer, for localhost and 127.0.0.1. */
export async function makeCertificate(directory: string): Promise<void> {
  await run([
    "openssl",
    "req",
    "-x509",
    ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-keyout", `${directory}/key.pem`, "-out", `${directory}/cert.pem`],
    ...["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
    ...["-addext", "basicConstraints=critical,CA:FALSE"],
  ]);
}
