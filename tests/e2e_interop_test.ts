/** Every transport against the tools that people have, as a table: tsecho as the server, then as the client. */
import { assertEquals } from "@std/assert";
import { e2e as test } from "./harness.ts";
import { copyCertificates, Folder, freePort, run, Running, ServerProcess, TSECHO } from "./helpers.ts";
import { servesTls } from "./tls_helpers.ts";

const programs = { needs: ["ncat", "socat", "openssl", "python3"], level: "slow" } as const;

const TRANSPORTS = ["tcp 4", "tcp 6", "udp 4", "udp 6", "unix", "tls"] as const;
type Transport = typeof TRANSPORTS[number];

/** Where a server is. */
interface Place {
  host: string;
  port: number;
  path: string;
  ca: string;
}

const PYTHON_CLIENT = `import socket, ssl, sys
transport, host, port, path, ca = sys.argv[1:]
kind = socket.SOCK_DGRAM if transport.startswith("udp") else socket.SOCK_STREAM
family = socket.AF_UNIX if transport == "unix" else socket.AF_INET6 if ":" in host else socket.AF_INET
peer = socket.socket(family, kind)
peer.settimeout(20)
peer.connect(path if transport == "unix" else (host, int(port)))
if transport == "tls":
    peer = ssl.create_default_context(cafile=ca).wrap_socket(peer, server_hostname="localhost")
peer.send(b"hello\\n")
sys.stdout.write(peer.recv(1000).decode())`;

/** A command that sends what is on its stdin and prints what comes back; undefined where the tool has no such transport. */
type Client = (transport: Transport, place: Place) => string[] | undefined;

const bracketed = (host: string) => host.includes(":") ? `[${host}]` : host;

const CLIENTS: Record<string, Client> = {
  tsecho: (transport, { host, port, path, ca }) => [
    ...TSECHO,
    "client",
    transport === "unix" ? `unix:${path}` : `${transport.split(" ")[0]}://${bracketed(host)}:${port}`,
    ...(transport === "tls" ? ["--ca", ca] : []),
  ],
  ncat: (transport, { host, port, path, ca }) => {
    if (transport === "unix") return ["ncat", "-U", path];
    const tls = ["--ssl-verify", "--ssl-trustfile", ca, "--ssl-servername", "localhost"];
    const options = transport === "tls" ? tls : transport.startsWith("udp") ? ["-u", "-i", "1"] : [];
    return ["ncat", ...options, transport === "tls" ? "localhost" : host, String(port)];
  },
  socat: (transport, { host, port, path, ca }) => {
    const at = `${bracketed(host)}:${port}`;
    const addresses: Record<Transport, string> = {
      "tcp 4": `TCP4:${at}`,
      "tcp 6": `TCP6:${at}`,
      "udp 4": `UDP4:${at}`,
      "udp 6": `UDP6:${at}`,
      unix: `UNIX-CONNECT:${path}`,
      tls: `OPENSSL:${at},cafile=${ca},commonname=localhost`,
    };
    return ["socat", "-t", "2", "-", addresses[transport]];
  },
  "openssl s_client": (transport, { host, port, ca }) =>
    transport !== "tls" ? undefined : [
      ...["openssl", "s_client", "-quiet", "-no_ign_eof", "-verify_return_error", "-verify_quiet"],
      ...["-CAfile", ca, "-verify_hostname", "localhost", "-alpn", "tsecho", "-connect", `${host}:${port}`],
    ],
  python: (transport, { host, port, path, ca }) => [
    ...["python3", "-c", PYTHON_CLIENT, transport, host, String(port), path, ca],
  ],
};

/** Prints a table whose rows are the tools. */
function print(title: string, table: Map<string, Map<string, string>>): void {
  const columns = [...new Set([...table.values()].flatMap((row) => [...row.keys()]))];
  const line = (cells: string[]) => cells.map((cell, i) => cell.padEnd(i === 0 ? 18 : 7)).join("").trimEnd();
  console.log(title);
  console.log(line(["", ...columns]));
  for (const [tool, row] of table) {
    console.log(line([tool, ...columns.map((column) => row.get(column) ?? "-")]));
  }
}

test("every client speaks to the tsecho server over the transports that it has", programs, async () => {
  await using folder = await Folder.make();
  await copyCertificates(folder);
  const tls = await servesTls();
  await using server = await ServerProcess.start([
    ...["tcp://:0", "udp://:0", `unix:${folder.file("s.sock")}`],
    ...(tls
      ? ["tls://127.0.0.1:0", "--cert", folder.file("server.pem"), "--key", folder.file("server.key")]
      : []),
  ]);
  const table = new Map<string, Map<string, string>>();
  for (const [tool, client] of Object.entries(CLIENTS)) {
    const row = new Map<string, string>();
    table.set(tool, row);
    for (const transport of TRANSPORTS) {
      if (transport === "tls" && !tls) continue;
      const command = client(transport, {
        host: transport.endsWith("6") ? "::1" : "127.0.0.1",
        port: transport === "unix" ? 0 : server.portOf(transport.split(" ")[0]!),
        path: folder.file("s.sock"),
        ca: folder.file("ca.pem"),
      });
      if (command === undefined) continue;
      // Some tools end with their input, not with the server: they get it until they have answered.
      await using process = new Running(command);
      await process.write("hello\n");
      const answered = await process.stdout.until(/^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\] hello\n/)
        .then(() => "ok", (error: Error) => `${error.message} ${process.stderr.text}`);
      row.set(transport, answered);
    }
  }
  print("clients against the tsecho server", table);
  const wrong = [...table].flatMap(([tool, row]) =>
    [...row].filter(([, cell]) => cell !== "ok").map(([transport, cell]) => `${tool} ${transport}: ${cell}`)
  );
  assertEquals(wrong, []);
});

const PYTHON_SERVER = `import socket, ssl, sys
transport, path, cert, key = sys.argv[1:]
if transport == "unix":
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
else:
    family = socket.AF_INET6 if transport.endswith("6") else socket.AF_INET
    server = socket.socket(family, socket.SOCK_DGRAM if transport.startswith("udp") else socket.SOCK_STREAM)
    server.bind(("::1" if transport.endswith("6") else "127.0.0.1", 0))
if not transport.startswith("udp"):
    server.listen()
print("port", 0 if transport == "unix" else server.getsockname()[1], flush=True)
if transport.startswith("udp"):
    data, peer = server.recvfrom(1000)
    server.sendto(data, peer)
    sys.exit()
peer = server.accept()[0]
if transport == "tls":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    peer = context.wrap_socket(peer, server_side=True)
while data := peer.recv(1000):
    peer.sendall(data)
if transport == "tls":
    peer = peer.unwrap()
peer.close()`;

/** A server that echoes: its command, and what it says once it listens. */
interface EchoServer {
  command: string[];
  ready: RegExp;
  /** What comes back for "hello"; "hello" itself for all but one. */
  reply?: string;
}

type Server = (
  transport: Transport,
  port: number,
  files: Omit<Place, "host" | "port"> & { cert: string; key: string },
) =>
  | EchoServer
  | undefined;

const SERVERS: Record<string, Server> = {
  python: (transport, _, { path, cert, key }) => ({
    command: ["python3", "-c", PYTHON_SERVER, transport, path, cert, key],
    ready: /port (\d+)/,
  }),
  socat: (transport, port, { path, cert, key }) => {
    const addresses: Record<Transport, string> = {
      "tcp 4": `TCP4-LISTEN:${port},bind=127.0.0.1`,
      "tcp 6": `TCP6-LISTEN:${port},bind=[::1]`,
      "udp 4": `UDP4-RECVFROM:${port},bind=127.0.0.1`,
      "udp 6": `UDP6-RECVFROM:${port},bind=[::1]`,
      unix: `UNIX-LISTEN:${path}`,
      tls: `OPENSSL-LISTEN:${port},bind=127.0.0.1,cert=${cert},key=${key},verify=0`,
    };
    return {
      command: ["socat", "-d", "-d", addresses[transport], "EXEC:cat"],
      ready: /listening on|receiving|starting/,
    };
  },
  ncat: (transport, port, { path, cert, key }) => {
    const host = transport.endsWith("6") ? "::1" : "127.0.0.1";
    const options = transport.startsWith("udp")
      ? ["-u"]
      : transport === "tls"
      ? ["--ssl", "--ssl-cert", cert, "--ssl-key", key]
      : [];
    const place = transport === "unix" ? ["-U", path] : [host, String(port)];
    return { command: ["ncat", "-v", "-l", ...options, ...place, "-e", "/bin/cat"], ready: /Listening on/ };
  },
  "openssl s_server": (transport, port, { cert, key }) =>
    transport !== "tls" ? undefined : {
      command: [
        ...[
          "openssl",
          "s_server",
          "-rev",
          "-accept",
          `127.0.0.1:${port}`,
          "-cert",
          cert,
          "-key",
          key,
          "-naccept",
          "1",
        ],
      ],
      ready: /ACCEPT/,
      reply: "olleh",
    },
};

test("the tsecho client speaks to every server over the transports that it has", programs, async () => {
  await using folder = await Folder.make();
  await copyCertificates(folder);
  const table = new Map<string, Map<string, string>>();
  let count = 0;
  for (const [tool, serve] of Object.entries(SERVERS)) {
    const row = new Map<string, string>();
    table.set(tool, row);
    for (const transport of TRANSPORTS) {
      const path = folder.file(`${count++}.sock`);
      const ca = folder.file("ca.pem");
      const files = { path, ca, cert: folder.file("server.pem"), key: folder.file("server.key") };
      const host = transport.endsWith("6") ? "::1" : "127.0.0.1";
      let port = freePort(host, transport.startsWith("udp") ? "udp" : "tcp");
      const server = serve(transport, port, files);
      if (server === undefined) continue;
      await using process = new Running(server.command);
      const [, picked] = await Promise.any([
        process.stdout.until(server.ready),
        process.stderr.until(server.ready),
      ]);
      if (picked !== undefined) port = Number(picked);
      const place = { host, port, path, ca };
      const command = [...CLIENTS.tsecho!(transport, place)!, "-m", "hello"];
      if (server.reply !== undefined) command.push("--no-verify");
      const { code, stdout, stderr } = await run(command);
      row.set(
        transport,
        code === 0 && stdout === `${server.reply ?? "hello"}\n` ? "ok" : `${code} ${stdout}${stderr}`,
      );
    }
  }
  print("the tsecho client against servers", table);
  const wrong = [...table].flatMap(([tool, row]) =>
    [...row].filter(([, cell]) => cell !== "ok").map(([transport, cell]) => `${tool} ${transport}: ${cell}`)
  );
  assertEquals(wrong, []);
});
