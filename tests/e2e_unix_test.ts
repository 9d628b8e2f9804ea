/** Unix sockets: the file, and who may have it. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { serve } from "../server.ts";
import { e2e as test } from "./harness.ts";
import {
  Collected,
  eventually,
  exists,
  failing,
  Folder,
  readLine,
  run,
  Running,
  send,
  ServerPeer,
  ServerProcess,
  TSECHO,
  tsecho,
  unstamped,
} from "./helpers.ts";

const options = { ignore: Deno.build.os === "windows" };

/** The error that a server on this endpoint ends with at once. */
async function refusal(endpoint: string, wrap: string[] = []): Promise<string> {
  const argv = ["server", endpoint];
  const { code, stdout, stderr } = wrap.length === 0
    ? await failing(argv)
    : await run([...wrap, ...TSECHO, ...argv]);
  assertEquals([code, stdout], [1, ""]);
  return stderr;
}

test(
  "the file of a Unix socket is there while the server is, and gone after SIGTERM and SIGINT",
  options,
  async () => {
    await using folder = await Folder.make();
    const path = folder.file("s.sock");
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      await using server = await ServerProcess.start([`unix:${path}`]);
      assertEquals(server.stdout.text, `listening on unix:${path}\n`);
      assertEquals((await Deno.lstat(path)).mode! & 0o777, 0o600);
      using conn = await Deno.connect({ transport: "unix", path });
      await send(conn, "hello\nthe rest");
      assertEquals(unstamped(await readLine(conn)), "hello\n");
      const { code, stdout } = await tsecho(["client", `unix:${path}`], "one\ntwo");
      assertEquals([code, stdout.split("\n").slice(0, 2).map((line) => unstamped(line))], [0, [
        "one",
        "two",
      ]]);
      await conn.closeWrite();
      assertEquals(unstamped(await readLine(conn)), "the rest\n");
      assertEquals(await server.stop(signal), 0);
      assert(!await exists(path), "the file is still there");
      assertStringIncludes(server.stderr.text, "open conn=1 peer=unix\n");
    }
  },
);

test("--unix-mode is the mode of the file", options, async () => {
  await using folder = await Folder.make();
  for (const [mode, expected] of [["660", 0o660], ["0777", 0o777], ["600", 0o600]] as const) {
    const path = folder.file(mode);
    await using _server = await ServerPeer.start([`unix:${path}`, "--unix-mode", mode]);
    assertEquals((await Deno.lstat(path)).mode! & 0o777, expected);
  }
});

test("a file that a killed server has left is replaced, a live one is not", options, async () => {
  await using folder = await Folder.make();
  const path = folder.file("s.sock");
  {
    await using server = await ServerProcess.start([`unix:${path}`]);
    server.kill("SIGKILL");
    await server.code();
    assert(await exists(path), "SIGKILL left no file: nothing is tested here");
  }
  await using server = await ServerProcess.start([`unix:${path}`]);
  assertEquals(
    await refusal(`unix:${path}`),
    `tsecho: Cannot listen on "unix:${path}": another server listens on it\n`,
  );
  const { stdout } = await tsecho(["client", `unix:${path}`, "-m", "still there?"]);
  assertEquals(unstamped(stdout), "still there?\n");
  assertEquals(await server.stop(), 0);
});

test("a server that ends leaves the file of the one that has its path now", options, async () => {
  await using folder = await Folder.make();
  const path = folder.file("s.sock");
  await using first = await ServerPeer.start([`unix:${path}`]);
  await Deno.remove(path);
  await using second = await ServerPeer.start([`unix:${path}`]);
  assertEquals(await first.stop(), 0);
  assertEquals(unstamped((await tsecho(["client", `unix:${path}`, "-m", "hello"])).stdout), "hello\n");
  assertEquals(await second.stop(), 0);
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

test("of servers that look at one left file in turns, one gets the path", options, async () => {
  await using folder = await Folder.make();
  const [path, made] = [folder.file("s.sock"), folder.file("made.sock")];
  const listener = Deno.listen({ transport: "unix", path: made });
  await Deno.link(made, path);
  listener.close(); // which removes its file, and leaves the other
  // In one process each step of theirs follows the same step of the others.
  const started = await Promise.allSettled(
    Array.from({ length: 6 }, () => serve({ listen: [`unix:${path}`] })),
  );
  const servers = started.filter((it) => it.status === "fulfilled").map(({ value }) => value);
  for (const server of servers) await server[Symbol.asyncDispose]();
  assertEquals(servers.length, 1);
  for (const it of started) {
    if (it.status === "rejected") assertStringIncludes(it.reason.message, "another server listens on it");
  }
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

test(
  "of processes that start at once where a file was left, one gets the path",
  { ...options, level: "long" },
  async () => {
    await using folder = await Folder.make();
    const path = folder.file("s.sock");
    for (let round = 0; round < 3; round++) {
      await run([
        "python3",
        "-c",
        "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])",
        path,
      ]);
      await using stack = new AsyncDisposableStack();
      const servers = Array.from(
        { length: 6 },
        () => stack.use(new Running([...TSECHO, "server", `unix:${path}`])),
      );
      const started = await Promise.all(
        servers.map(({ stdout }) => stdout.until(/listening on/).then(() => true, () => false)),
      );
      assertEquals(started.filter((it) => it).length, 1);
      for (const [i, server] of servers.entries()) {
        if (started[i]) server.kill("SIGTERM");
        assertEquals(await server.code(), started[i] ? 0 : 1);
        if (!started[i]) assertStringIncludes(server.stderr.text, "another server listens on it\n");
      }
      assertEquals([...Deno.readDirSync(folder.path)], []);
    }
  },
);

test("a file that is no socket is left alone", options, async () => {
  await using folder = await Folder.make();
  const path = folder.file("precious");
  await Deno.writeTextFile(path, "precious");
  assertEquals(
    await refusal(`unix:${path}`),
    `tsecho: Cannot listen on "unix:${path}": there is a file, and it is not a socket\n`,
  );
  assertEquals(await Deno.readTextFile(path), "precious");
  assertEquals(
    await refusal(`unix:${folder.path}`),
    `tsecho: Cannot listen on "unix:${folder.path}": it is a directory\n`,
  );
  for (const [file, reason] of [[path, "it is not a socket"], [folder.path, "it is a directory"]]) {
    const { code, stderr } = await failing(["client", `unix:${file}`, "-m", "x"]);
    assertEquals([code, stderr], [1, `tsecho: Cannot connect to "unix:${file}": ${reason}\n`]);
  }
  assertEquals(
    await refusal("unix:/proc/tsecho", ["env"]), // with its own permissions
    'tsecho: Cannot listen on "unix:/proc/tsecho": Deno lets only programs with all permissions use it\n',
  );
});

test("what is wrong with a path is said", options, async () => {
  await using folder = await Folder.make();
  const long = folder.file("x".repeat(200));
  assertEquals(
    await refusal(`unix:${long}`),
    `tsecho: Cannot listen on "unix:${long}": the path is too long: ` +
      `from / on a Unix socket's has at most 107 bytes, and this ${long.length}\n`,
  );
  const missing = folder.file("missing/s.sock");
  const reason = "there is no such file or directory";
  assertEquals(await refusal(`unix:${missing}`), `tsecho: Cannot listen on "unix:${missing}": ${reason}\n`);
  const client = await failing(["client", `unix:${missing}`, "-m", "x"]);
  assertEquals([client.code, client.stderr], [1, `tsecho: Cannot connect to "unix:${missing}": ${reason}\n`]);
  // Nobody listens: a socket file that was left.
  const path = folder.file("left.sock");
  await run(["python3", "-c", "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])", path]);
  assertEquals(
    (await failing(["client", `unix:${path}`, "-m", "x"])).stderr,
    `tsecho: Cannot connect to "unix:${path}": connection refused; is a server running there?\n`,
  );
});

/** Another program's lock on a folder, held until the end of the scope. */
async function lockOf(folder: string): Promise<Running> {
  const script = `import fcntl, os, sys, time
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(600)`;
  const program = new Running(["python3", "-c", script, folder]);
  await program.stdout.until(/locked/);
  return program;
}

test("a folder that another program has locked is waited for, and named in the end", {
  ...options,
  level: "slow",
}, async () => {
  await using folder = await Folder.make();
  const path = folder.file("s.sock");
  {
    await using _lock = await lockOf(folder.path);
    assertEquals(
      await refusal(`unix:${path}`),
      `tsecho: Cannot listen on "unix:${path}": another program has locked the folder ${folder.path}, for 5 s so far\n`,
    );
    await using waiting = new Running([...TSECHO, "server", "tcp://127.0.0.1:0", `unix:${path}`]);
    await holds(waiting, folder.path);
    waiting.kill("SIGTERM");
    assertEquals(await waiting.code(), 1);
    assertEquals(waiting.stderr.text, `tsecho: Cannot listen on "unix:${path}": interrupted\n`);
    await using patient = new Running([...TSECHO, "server", `unix:${path}`]);
    await holds(patient, folder.path);
    _lock.kill("SIGKILL");
    await patient.stdout.until(/listening on/);
  }
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["s.sock"]);
});

/** Waits until a process has a file or folder open. */
async function holds(process: Running, path: string): Promise<void> {
  await eventually(
    async () => (await run(["ls", "-l", `/proc/${process.pid}/fd`])).stdout.includes(`-> ${path}\n`),
    `the server to open ${path}`,
  );
}

test("a file PATH.lock, a link or a FIFO, is neither opened nor followed", options, async () => {
  await using folder = await Folder.make();
  await Deno.writeTextFile(folder.file("precious"), "precious");
  await Deno.symlink(folder.file("precious"), folder.file("link.lock"));
  await run(["mkfifo", folder.file("fifo.lock")]);
  for (const name of ["link", "fifo"]) {
    await using server = await ServerPeer.start([`unix:${folder.file(name)}`]);
    assertEquals(await server.stop(), 0);
  }
  assertEquals(await Deno.readTextFile(folder.file("precious")), "precious");
  assertEquals([...Deno.readDirSync(folder.path)].length, 3);
  await run(["mkfifo", folder.file("fifo")]);
  const inFifo = folder.file("fifo/s.sock");
  assertEquals(
    await refusal(`unix:${inFifo}`),
    `tsecho: Cannot listen on "unix:${inFifo}": a part of the path is not a directory\n`,
  );
});

test("no link is followed to the socket's place", options, async () => {
  await using folder = await Folder.make();
  const [link, target, circle] = [folder.file("link"), folder.file("target"), folder.file("circle")];
  await Deno.symlink(target, link);
  const reason = "there is a link, and links are not followed";
  assertEquals(await refusal(`unix:${link}`), `tsecho: Cannot listen on "unix:${link}": ${reason}\n`);
  assert(!await exists(target));
  await Deno.symlink(circle, circle);
  assertEquals(
    await refusal(`unix:${circle}/s.sock`),
    `tsecho: Cannot listen on "unix:${circle}/s.sock": its links lead in a circle\n`,
  );
});

test(
  "a socket is bound in a private folder, and reaches its path with its mode",
  { ...options, needs: ["strace"] },
  async () => {
    await using folder = await Folder.make();
    const [path, trace] = [folder.file("s.sock"), folder.file("trace")];
    const calls = "bind,chmod,fchmodat,mkdir,mkdirat,rename,renameat,renameat2";
    const strace = ["strace", "-D", "-f", "-o", trace, "-e", `trace=${calls}`];
    await using server = await ServerProcess.start([`unix:${path}`], [
      ...["sh", "-c", 'umask 0; exec "$@"', "sh", ...strace],
    ]);
    assertEquals(await server.stop(), 0);
    const lines = (await Deno.readTextFile(trace)).split("\n").filter((line) => line.includes(folder.path));
    const [, home] = /mkdir\w*\(.*?"([^"]+)", 0700\)/.exec(lines[0]!)!;
    assert(home!.startsWith(`${folder.path}/`), home);
    const [, bound] = /bind\(.*sun_path="([^"]+)"/.exec(lines[1]!)!;
    assert(bound!.startsWith(`${home}/`), bound);
    assertStringIncludes(lines[2]!, `"${bound}", 0600`);
    assertMatch(lines[3]!, new RegExp(`rename.*"${bound}".*"${path}"`));
    assertEquals(lines.length, 4, lines.join("\n"));
    assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["trace"]);
  },
);

test("a path may have 107 bytes, and a short name at its end", options, async () => {
  await using folder = await Folder.make();
  const deep = folder.file("d".repeat(107 - folder.path.length - 1 - "/sock".length));
  await Deno.mkdir(deep);
  const path = `${deep}/sock`;
  assertEquals(path.length, 107);
  {
    await using _server = await ServerProcess.start([`unix:${path}`]);
    assertEquals(unstamped((await tsecho(["client", `unix:${path}`, "-m", "hello"])).stdout), "hello\n");
  }
  const reason = "the path is too long: from / on a Unix socket's has at most 107 bytes, and this 108\n";
  assertEquals(await refusal(`unix:${path}x`), `tsecho: Cannot listen on "unix:${path}x": ${reason}`);
  const client = await tsecho(["client", `unix:${path}x`, "-m", "hello"]);
  assertEquals(client.stderr, `tsecho: Cannot connect to "unix:${path}x": ${reason}`);
  const inDeep = new Deno.Command(TSECHO[0]!, {
    args: [...TSECHO.slice(1), "server", "unix:s", "unix:./t"],
    cwd: deep,
    stdout: "piped",
    stderr: "null",
  }).spawn();
  try {
    const stdout = new Collected(inDeep.stdout);
    await stdout.until(/listening on unix:s\nlistening on unix:\.\/t\n/);
    assertEquals([...Deno.readDirSync(deep)].map(({ name }) => name).sort(), ["s", "sock", "t"]);
  } finally {
    inDeep.kill("SIGTERM");
    await inDeep.status;
  }
});

test("a server whose queue is full is told from one that is not there", options, async () => {
  await using folder = await Folder.make();
  const path = folder.file("full.sock");
  const script = `import socket, sys, time
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(0)
waiting = []
try:
    while True:
        waiting.append(socket.socket(socket.AF_UNIX))
        waiting[-1].setblocking(False)
        waiting[-1].connect(sys.argv[1])
except BlockingIOError:
    print("full", flush=True)
time.sleep(600)`;
  await using busy = new Running(["python3", "-c", script, path]);
  await busy.stdout.until(/full/);
  const client = await tsecho(["client", `unix:${path}`, "-m", "x"]);
  assertEquals([client.code, client.stderr], [
    1,
    `tsecho: Cannot connect to "unix:${path}": the server's queue of connections is full\n`,
  ]);
  const reason = "another server listens on it";
  assertEquals(await refusal(`unix:${path}`), `tsecho: Cannot listen on "unix:${path}": ${reason}\n`);
});

test("a missing permission is said, on either side", {
  ...options,
  needs: ["setpriv"],
}, async () => {
  await using folder = await Folder.make();
  const closed = folder.file("closed");
  await Deno.mkdir(closed);
  const path = `${closed}/s.sock`;
  await using _server = await ServerPeer.start([`unix:${path}`]);
  // Root, too, is kept out of another user's folder when it has not the right to pass all modes.
  const root = (await run(["id", "-u"])).stdout.trim() === "0";
  const lacking = "-dac_override,-dac_read_search";
  const drop = root ? ["setpriv", `--bounding-set=${lacking}`, `--inh-caps=${lacking}`] : [];
  if (root) await Deno.chown(closed, 65534, 65534);
  await Deno.chmod(closed, root ? 0o700 : 0o000);
  try {
    assertEquals(
      await refusal(`unix:${closed}/other`, drop),
      `tsecho: Cannot listen on "unix:${closed}/other": permission denied\n`,
    );
    const client = await run([...drop, ...TSECHO, "client", `unix:${path}`, "-m", "x"]);
    assertEquals([client.code, client.stderr], [
      1,
      `tsecho: Cannot connect to "unix:${path}": permission denied\n`,
    ]);
  } finally {
    await Deno.chmod(closed, 0o700);
  }
});
