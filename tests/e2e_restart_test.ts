/** Restarts behind a balancer, as docs/deploy.md has them: no line is lost, and no connection reset. */
import { assert, assertEquals } from "@std/assert";
import { e2e as test, volume } from "./harness.ts";
import {
  eventually,
  Folder,
  freePort,
  readAll,
  ROOT,
  ServerProcess,
  startHaproxy,
  unstamped,
} from "./helpers.ts";

const CLIENTS = volume(20, 50);
const SECONDS = volume(1, 20);
const LINES = 10;
/** The pause before each line: at full speed a client finds more moments of a restart, and takes a core. */
const PAUSE_MS = volume(5, 0);
/** The balancer has turned away by then, and the conversations that had begun are over, on a busy machine too. */
const DELAY = ["--drain-delay", "2s"];

/** What became of the conversations of clients. */
interface Outcome {
  conversations: number;
  failures: string[];
}

/** Connects, asks some lines one by one, half-closes and reads to the end, again and again. */
async function converse(port: number, stopped: () => boolean, outcome: Outcome): Promise<void> {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4096);
  while (!stopped()) {
    let replies = "";
    try {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      for (let i = 0; i < LINES; i++) {
        if (PAUSE_MS > 0) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        await conn.write(encoder.encode(`line ${i}\n`));
        while (replies.split("\n").length < i + 2) {
          const n = await conn.read(buffer);
          if (n === null) throw new Error(`the end after ${i} lines`);
          replies += decoder.decode(buffer.subarray(0, n), { stream: true });
        }
      }
      await conn.closeWrite();
      replies += await readAll(conn);
      const lines = replies.split("\n").slice(0, -1).map((line) => unstamped(line.replace(/ web-\d\]/, "]")));
      assertEquals(lines, Array.from({ length: LINES }, (_, i) => `line ${i}`));
    } catch (error) {
      outcome.failures.push(`${(error as Error).message}, after ${JSON.stringify(replies.slice(-100))}`);
    }
    outcome.conversations++;
  }
}

/** A balancer's administration, through its socket. */
async function tellHaproxy(path: string, command: string): Promise<string> {
  using conn = await Deno.connect({ transport: "unix", path });
  await conn.write(new TextEncoder().encode(`${command}\n`));
  return await readAll(conn);
}

async function isUp(path: string, name: string): Promise<boolean> {
  const stat = await tellHaproxy(path, "show stat").catch(() => ""); // HAProxy has yet to make its socket
  const [header, ...rows] = stat.split("\n").map((line) => line.split(","));
  const row = rows.find(([backend, server]) => backend === "tsecho" && server === name);
  return row?.[header!.indexOf("status")] === "UP";
}

test(
  `${CLIENTS} clients of HAProxy lose nothing while both servers are restarted in turn`,
  { needs: ["haproxy", "python3"], level: "large" },
  async () => {
    await using folder = await Folder.make();
    const guide = await Deno.readTextFile(`${ROOT}docs/deploy.md`);
    const socket = folder.file("admin.sock");
    let config = /```haproxy\n([^]*?)```/.exec(guide)![1]!
      .replace("inter 2s", "inter 100ms")
      .replace(/^ *server web-3.*\n/m, "");
    const proxy = ["--proxy-protocol", "--proxy-from", "127.0.0.1"];
    const start = (name: string, port: number) =>
      ServerProcess.start([`tcp://127.0.0.1:${port}`, "--tag", name, ...proxy, ...DELAY]);
    const servers = new Map<string, ServerProcess>();
    await using stack = new AsyncDisposableStack();
    stack.defer(async () => {
      for (const server of servers.values()) await server[Symbol.asyncDispose]();
    });
    for (const name of ["web-1", "web-2"]) {
      const server = await start(name, freePort());
      servers.set(name, server);
      config = config.replace(new RegExp(`(server ${name} 127.0.0.1:)\\d+`), `$1${server.port}`);
    }
    const haproxy = await startHaproxy(
      `global\n    stats socket ${socket} level admin\n${config}`,
      folder.file("haproxy.cfg"),
    );
    stack.use(haproxy.process);
    for (const name of servers.keys()) await eventually(() => isUp(socket, name), `${name} to be up`);

    const end = performance.now() + SECONDS * 1000;
    let restarts = 0;
    const isOver = () => performance.now() >= end && restarts >= 2;
    const outcome: Outcome = { conversations: 0, failures: [] };
    const clients = Array.from({ length: CLIENTS }, () => converse(haproxy.port, isOver, outcome));
    const codes: number[] = [];
    while (!isOver()) {
      for (const [name, server] of servers) {
        await tellHaproxy(socket, `set server tsecho/${name} state drain`);
        codes.push(await server.stop());
        await server[Symbol.asyncDispose]();
        servers.set(name, await start(name, server.port));
        await tellHaproxy(socket, `set server tsecho/${name} state ready`);
        await eventually(() => isUp(socket, name), `${name} to be up again`);
        restarts++;
      }
    }
    await Promise.all(clients);
    console.log(
      `${outcome.conversations} conversations, ${restarts} restarts, ${outcome.failures.length} failures`,
    );
    assertEquals(outcome.failures, []);
    assert(codes.every((code) => code === 0), codes.join());
    assert(outcome.conversations > CLIENTS);
  },
);
