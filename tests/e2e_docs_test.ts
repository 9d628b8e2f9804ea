/**
 * The commands of the documents, run as a reader would: with this machine and free ports in place of the hosts and ports
 * named, and without waiting a second for each line of ping. What they print is compared with what the document shows,
 * digits, addresses and times masked; there "..." stands for any lines.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { BALANCED_PAIR_NEEDS, BalancedPair } from "./balanced_pair.ts";
import { e2e } from "./harness.ts";
import {
  copyCertificates,
  eventually,
  Folder,
  freePort,
  ROOT,
  run,
  Running,
  ServerProcess,
  startHaproxy,
  TESTDATA,
  TSECHO,
  within,
} from "./helpers.ts";
import { type CodeBlock, inlineCode, readMarkdown, section } from "./markdown.ts";
import { needsTlsServer } from "./tls_helpers.ts";

/** How late a slow server is in a test: far more than a busy machine makes any other. */
const CLEAR_DELAY_MS = 150;

/** A command that a document shows, and what it is to print. */
interface Shown {
  command: string;
  output: string[];
}

/** The commands after "$ " in a block. */
function transcriptOf({ text }: CodeBlock): Shown[] {
  return text.split(/^\$ /m).slice(1).map((part) => {
    const [command, ...output] = part.trimEnd().split("\n");
    return { command: withoutComment(command!), output };
  });
}

/** The commands of a block that shows no output. */
function listOf({ text }: CodeBlock): string[] {
  return /^\$ /m.test(text)
    ? []
    : text.split("\n").map(withoutComment).filter((it) => /^(?:[\w ]+\| )?tsecho \w/.test(it));
}

function withoutComment(line: string): string {
  return line.replace(/\s+# .*$/, "").replace(/ {4,}mutual TLS$/, "");
}

async function blocksOf(document: string, heading?: string): Promise<CodeBlock[]> {
  const text = await Deno.readTextFile(ROOT + document);
  return readMarkdown(heading === undefined ? text : section(text, heading)).code;
}

const DOCUMENTS = [
  "README",
  "docs/clock",
  "docs/compare",
  "docs/deploy",
  "docs/json",
  "docs/load",
  "docs/protocol",
  "docs/report",
].map((
  it,
) => `${it}.md`);

async function allBlocks(): Promise<CodeBlock[]> {
  return (await Promise.all(DOCUMENTS.map((it) => blocksOf(it)))).flat();
}

/** What a document calls web, and its files: servers on this machine and a folder. */
class Reader implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly folder: Folder;
  /** The endpoint by the scheme that a document names; "" for none. */
  readonly targets: Record<string, string> = {};

  private constructor(folder: Folder) {
    this.folder = this.#stack.use(folder);
  }

  static async start(): Promise<Reader> {
    const reader = new Reader(await Folder.make());
    const { folder } = reader;
    await Deno.mkdir(folder.file("bin"));
    const command = TSECHO.map((it) => `'${it}'`).join(" ");
    await Deno.writeTextFile(folder.file("bin/tsecho"), `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
    return reader;
  }

  /** Has the hosts that documents name stand for a server of this endpoint. */
  use(target: string): void {
    this.targets[/^(?:tls|udp|unix)(?=:)/.exec(target)?.[0] ?? ""] = target;
  }

  /** Starts a server as the document has it, on free ports. */
  async server(command: string): Promise<ServerProcess> {
    const args = command.replace(/^tsecho server ?/, "")
      .replaceAll(/:\d{4,5}\b/g, ":0")
      .replaceAll("unix:/run/", `unix:${this.folder.path}/`)
      .replaceAll(/(?<=--(?:cert|key|client-ca) )/g, `${this.folder.path}/`)
      .split(" ").filter((it) => it !== "");
    const named = args.some((it) => /^(?:\w+:\/\/|unix:|\S*:0$|--port$)/.test(it));
    const started = await ServerProcess.start(named ? args : [...args, "--port", "0"]);
    return this.#stack.use(started);
  }

  /**
   * Runs a client's or ping's command line in a shell; stderr joins stdout.
   *
   * @param pace seconds between ping's lines; 0 costs this machine least, and prints what no other interval does. Load
   * then runs for a third of a second, too short for p99.9.
   */
  async run(command: string, pace = 0.02): Promise<{ code: number; output: string }> {
    const { targets } = this;
    const tcp = targets[""]!;
    let line = command
      .replaceAll(/\btls:\/\/web(:\d+)?/g, `${targets.tls}`)
      .replaceAll(/\budp:\/\/web(:\d+)?/g, `${targets.udp}`)
      .replaceAll(/\bunix:\/run\/\S+/g, `${targets.unix}`)
      .replaceAll(/(?<!--server-name) (?:web|localhost)(?::\d+)?(?= |$)/g, ` ${tcp}`);
    if (line.includes(targets.tls ?? "no TLS") && !line.includes("--ca ")) line += " --ca ca.pem";
    if (!/ (?:\w+:\/\/|unix:|--from )/.test(line)) {
      line = line.replace(/(?<=tsecho (?:client|ping|load))/, ` ${tcp}`);
    }
    if (/\btsecho ping\b/.test(line) && !line.includes("--from")) {
      // `head` counts the objects of a stream, and a busy machine adds one for lines that it misses.
      const interval = line.includes("--json-stream") ? 0.5 : pace;
      const short = ` -i ${interval}${/ -[cw] /.test(line) ? "" : " -c 3"}`;
      line = line.replace(/ -i [\d.]+/, "").replace(/(?<=tsecho ping)/, short);
    }
    if (/\btsecho load\b/.test(line)) {
      const [rate, duration] = pace === 0 ? [500, 0.3] : [1500, 1];
      line = line.replace(/ -t \S+/, "").replace(/ -R \S+/, ` -R ${rate}`).replace(/ -n \S+/, "")
        .replace(/ --stages \S+/, ` --stages 0s:50,${duration}s:50`).replace(/ -c \S+/, " -c 5")
        .replace(/ --repeat \S+/, "").replace(/(?= --against )/, " --repeat 1")
        .replace(
          /(?<=tsecho load)/,
          ` --warmup 0.1${/ --stages | --find /.test(line) ? "" : ` -t ${duration}`}`,
        );
    }
    const script = `cd '${this.folder.path}' && PATH="$PWD/bin:$PATH" && { ${line}; } 2>&1`;
    const { code, stdout } = await run(["sh", "-c", script], "hello\n");
    return { code, output: stdout };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** What two runs of a command have in common, on a busy machine too. */
function masked(lines: string[]): string[] {
  return lines.filter((line) =>
    !/^\s*(?:this machine was too busy|\d+ lines? (?:was|were|not)\b)|^send lag |^blocked |^response |^generator /
      .test(line)
  )
    .map((line) =>
      line.replaceAll(/(?:localhost|web|127\.0\.0\.1|\[::1?\])(?::\d+)?(?![\w-])/g, "HOST")
        .replace(/, time [\d.]+ m?s\b/, ", time N") // a document's pings take seconds, these less
        .replaceAll(/, \d+ (?:reordered|not sent in time)|,"busy":[\d.]+/g, "")
        .replace(/ in the time of the plan, and \d+ lines? after its end$/, "") // a reply of the last moment is late
        .replace(/^downstream (?:has|seems to have) most of the delay\b.*/, "DOWNSTREAM, PROVEN OR NOT")
        .replaceAll(/[+-]?\d+(?:\.\d+)?/g, "N")
        .replaceAll(/\s*[\u2588-\u258f]+$/g, " BAR")
        .replaceAll(/\s+/g, " ").trim()
    ).filter((line, i, all) => !line.endsWith("BAR") || line !== all[i - 1]);
}

/** Asserts that what was printed is what the document shows. */
function assertShown(printed: string, { command, output }: Shown): void {
  const actual = masked(printed.trimEnd().split("\n"));
  const expected = masked(output);
  const pattern = expected.map((line) => line === "..." ? "(?:.*\n)*" : `${RegExp.escape(line)}\n`).join("");
  if (new RegExp(`^${pattern}$`).test(actual.map((line) => `${line}\n`).join(""))) return;
  assertEquals(actual, expected, `$ ${command}`);
}

/** What ping claims is statistics, and what is late is missed: a busy machine may spoil one run, and not three. */
function inOneOfThree(test: () => Promise<void>): () => Promise<void> {
  return () => test().catch(test).catch(test);
}

/** Documents whose transcripts have a test of their own, by the command. */
const OTHERWISE = /--reconnect|^for |-c 200|--find|load .*(?:-s 32|-R 600)|tsecho compare|--against/;

e2e("a document's transcript is what its commands print", { level: "slow" }, async () => {
  let shown = 0;
  for (const document of DOCUMENTS) {
    await using reader = await Reader.start();
    reader.use((await reader.server("tsecho server tcp://127.0.0.1:0")).url("tcp"));
    for (const step of (await blocksOf(document)).flatMap(transcriptOf)) {
      if (OTHERWISE.test(step.command) || !/\btsecho\b/.test(step.command)) continue;
      shown++;
      if (step.command.startsWith("tsecho server")) {
        const server = await reader.server(step.command);
        reader.use(server.url("tcp"));
        assertShown(server.stdout.text, step);
      } else {
        await inOneOfThree(async () => {
          const { code, output } = await reader.run(step.command);
          assertShown(output, step);
          assertEquals(code, 0, step.command);
        })();
      }
    }
  }
  assert(shown >= 5, `${shown} commands`);
});

e2e(
  "ping behind a balancer prints what the README shows",
  { needs: BALANCED_PAIR_NEEDS, level: "slow" },
  inOneOfThree(async () => {
    await using pair = await BalancedPair.start(CLEAR_DELAY_MS);
    await using reader = await Reader.start();
    reader.use(`tcp://127.0.0.1:${pair.port}`);
    const steps = (await blocksOf("README.md", "## Ping")).flatMap(transcriptOf);
    assertEquals(steps.length, 1);
    const { code, output } = await reader.run(steps[0]!.command);
    assertShown(output, steps[0]!);
    assertEquals(code, 3);
  }),
);

e2e(
  "the picture and docs/clock.md show what ping prints",
  { needs: BALANCED_PAIR_NEEDS, level: "slow" },
  inOneOfThree(async () => {
    const svg = await Deno.readTextFile(`${ROOT}docs/ping.svg`);
    await using pair = await BalancedPair.start(CLEAR_DELAY_MS);
    await using reader = await Reader.start();
    reader.use(`tcp://127.0.0.1:${pair.slow.port}`);
    const [command] = /tsecho ping [^<]+/.exec(svg)!;
    const { output } = await reader.run(command);
    for (const step of (await blocksOf("docs/clock.md")).flatMap(transcriptOf)) {
      assertEquals(step.command, command);
      assertShown(output, step);
    }
    // Every piece of text in the picture, in its order; the histogram's rows are as many as the run makes.
    const pieces = [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, it]) => it!).slice(3);
    const shown = pieces.filter((it) => !/^[\d.]+ (?:to|ms)|^\d+$/.test(it));
    const printed = output.split("\n").filter((it) => it !== "" && !/^ *[\d.]+ to /.test(it));
    assertEquals(masked(shown), masked(printed));
  }),
);

/** Whether the command under test can be a TLS server, and openssl makes certificates for it. */
const TLS = await needsTlsServer();
const runnable = (command: string) => !TLS.ignore || !/tls:\/\//.test(command);

e2e(
  "every server that a document shows starts, and ends in order",
  { needs: ["openssl"], level: "slow" },
  async () => {
    await using reader = await readerWithCertificates();
    const commands = (await allBlocks()).flatMap((block) => [
      ...listOf(block),
      ...transcriptOf(block).map(({ command }) => command),
    ]).filter((it) => it.startsWith("tsecho server") && runnable(it));
    assert(commands.length >= 8, `${commands.length} commands`);
    await inTurns(new Set(commands), async (command) => {
      const server = await reader.server(command);
      assertEquals(await server.stop(), 0, `${command}: ${server.stderr.text}`);
    });
  },
);

e2e(
  "every client, ping and load that a document lists gets its replies",
  { needs: ["openssl"], level: "slow" },
  async () => {
    await using reader = await readerWithCertificates();
    const server = await reader.server("tsecho server tcp://127.0.0.1:0 udp://127.0.0.1:0 unix:/run/s");
    reader.use(server.url("tcp"));
    reader.use(server.url("udp"));
    reader.use(`unix:${reader.folder.path}/s`);
    if (!TLS.ignore) {
      const tls = await reader.server("tsecho server tls://127.0.0.1:0 --cert chain.pem --key key.pem");
      reader.use(tls.url("tls").replace("127.0.0.1", "localhost"));
    }
    const saved = await reader.run("tsecho ping -c 3 --json run.json");
    assertEquals(saved.code, 0, saved.output);
    const commands = (await allBlocks()).flatMap(listOf)
      .filter((it) => /\btsecho (?:client|ping|load)\b/.test(it) && !it.includes("--find") && runnable(it));
    assert(commands.length >= 8, `${commands.length} commands`);
    await inTurns(new Set(commands), async (command) => {
      const { code, output } = await reader.run(command, 0);
      const codes = command.includes("--fail-if") ? [0, 3] : [0];
      assert(codes.includes(code), `${command}: exit code ${code}, ${output}`);
      assertMatch(output, /\[.*\] |statistics|COMPARE/, command);
    });
  },
);

e2e(
  "HAProxy passes lines on as docs/deploy.md sets it up",
  { needs: ["haproxy", "python3"], level: "slow" },
  async () => {
    const blocks = await blocksOf("docs/deploy.md", "## Behind HAProxy");
    await using reader = await Reader.start();
    let config = blocks.find(({ language }) => language === "haproxy")!.text;
    for (const command of blocks.flatMap(listOf)) {
      const { port } = await reader.server(command);
      config = config.replace(/(?<=server .*):(\d+)/.exec(command)![0], `:${port}`);
    }
    const { process, port } = await startHaproxy(config, reader.folder.file("haproxy.cfg"));
    await using _balancer = process;
    reader.use(`tcp://127.0.0.1:${port}`);
    for (const step of blocks.flatMap(transcriptOf)) {
      const { code, output } = await reader.run(step.command);
      assertEquals(code, 0, output);
      // Which server is first depends on the health checks.
      assertEquals(output.match(/web-\d/g)?.toSorted(), step.output.join("\n").match(/web-\d/g));
      assertShown(output, step);
    }
  },
);

e2e("the certificate that docs/deploy.md makes is trusted", { ...TLS, level: "slow" }, async () => {
  const blocks = await blocksOf("docs/deploy.md", "## With TLS");
  const { text } = blocks.find((it) => it.text.startsWith("openssl req"))!;
  await using reader = await Reader.start();
  const { code, stderr } = await run(["sh", "-c", `cd '${reader.folder.path}' && ${text}`]);
  assertEquals(code, 0, stderr);
  const server = await reader.server("tsecho server tls://127.0.0.1:0 --cert cert.pem --key key.pem");
  reader.use(server.url("tls"));
  const asked = await reader.run("tsecho client tls://web -m hello --ca cert.pem --server-name web");
  assertMatch(asked.output, /^\[.*\] hello\n$/);
});

/** What a side sends in an exchange of docs/protocol.md, without its notes and its bytes in hexadecimal. */
function spoken(lines: string[]): string {
  return lines.map((line) => {
    const [text] = line.slice("client: ".length).split(/ {2,}| +\.\.\. /);
    if (/^(?:[0-9a-f]{2} )*[0-9a-f]{2}$/.test(text!)) return bytesOf(text!);
    const [, times, what] = /^([\d,]+) times "(.)"$/.exec(text!) ?? [];
    if (times !== undefined) return what!.repeat(Number(times.replaceAll(",", "")));
    return text!.replace(/(?:[0-9a-f]{2} ?){3,}$/, bytesOf).replaceAll("\\n", "\n").replaceAll("\\r", "\r");
  }).join("");
}

/** The characters that bytes in hexadecimal stand for, one for each. */
function bytesOf(hex: string): string {
  return hex.trim().split(" ").map((it) => String.fromCharCode(parseInt(it, 16))).join("");
}

e2e("the exchanges of docs/protocol.md go as they are written", async () => {
  await using server = await ServerProcess.start();
  const text = (await Deno.readTextFile(`${ROOT}docs/protocol.md`)).split("\n## Datagrams")[0]!;
  const exchanges = readMarkdown(text).code.filter((block) => block.text.startsWith("client: "));
  assert(exchanges.length >= 6, `${exchanges.length} exchanges`);
  for (const { text } of exchanges) {
    const lines = text.split("\n").filter((line) => !/^ +[0-9a-f]{2} /.test(line));
    const first = lines.findIndex((line) => line.startsWith("server: "));
    const sent = spoken(lines.slice(0, first));
    const expected = spoken(lines.slice(first)).replaceAll(/\[\d.*?Z\]/g, "[]");
    using conn = await server.connect();
    await conn.write(Uint8Array.from(sent, (char) => char.charCodeAt(0)));
    if (text.includes("FIN")) await conn.closeWrite();
    let received = "";
    const buffer = new Uint8Array(1024);
    while (received.replaceAll(/\[\d.*?Z\]/g, "[]").length < expected.length) {
      const n = await within(conn.read(buffer), expected);
      assert(n !== null, `the connection ended after ${received}`);
      received += String.fromCharCode(...buffer.subarray(0, n));
    }
    assertEquals(received.replaceAll(/\[\d.*?Z\]/g, "[]"), expected);
    if (text.includes("FIN")) assertEquals(await within(conn.read(buffer), "the end"), null);
  }
});

e2e("the server of docs/sockets.md answers the chapter's client", { needs: ["python3"] }, async () => {
  const { text } = (await blocksOf("docs/sockets.md")).find(({ language }) => language === "ts")!;
  await using folder = await Folder.make();
  const port = freePort();
  await Deno.writeTextFile(folder.file("server.ts"), text.replace("21567", String(port)));
  await using _server = new Running([Deno.execPath(), "run", "--allow-net", folder.file("server.ts")]);
  await listens(port);
  const client = ["python3", `${TESTDATA}classic_client.py`, "127.0.0.1", String(port)];
  const { stdout } = await run(client, "hi\n\n");
  assertMatch(stdout, /^\[.*\] hi\n$/);
});

e2e("docs/json.md lists the fields of a run, all of them and no others", async () => {
  await using reader = await Reader.start();
  reader.use((await reader.server("tsecho server tcp://127.0.0.1:0")).url("tcp"));
  const { output } = await reader.run("tsecho ping -c 2 --json-stream");
  const objects = output.trimEnd().split("\n").map((it) => JSON.parse(it));
  const text = await Deno.readTextFile(`${ROOT}docs/json.md`);
  const [start, end] = ["start", "end"].map((type) => objects.find((it) => it.type === type));
  const [ofEnd, ofServer] = fieldTables(section(text, "## end"));
  assertEquals(Object.keys(start).toSorted(), fieldTables(section(text, "## start"))[0]);
  assertEquals(Object.keys(end).toSorted(), ofEnd);
  assertEquals(Object.keys(end.servers[0]).toSorted(), ofServer);
});

e2e("docs/json.md lists the fields of a load, all of them and no others", { level: "slow" }, async () => {
  await using reader = await Reader.start();
  reader.use((await reader.server("tsecho server tcp://127.0.0.1:0")).url("tcp"));
  const text = await Deno.readTextFile(`${ROOT}docs/json.md`);
  for (const loop of ["-R 50", "-c 5 --think 20ms"]) {
    const { output } = await reader.run(`tsecho load ${loop} --json -`, 0);
    const { start, seconds, end } = JSON.parse(output);
    const second = Object.keys(seconds[0]).map((it) => it === "service" ? "response" : it);
    for (
      const [part, fields] of Object.entries({
        start: Object.keys(start),
        seconds: second,
        end: Object.keys(end),
      })
    ) {
      assertEquals(fields.toSorted(), fieldTables(section(text, `### Load's ${part}`))[0], part);
    }
    for (const it of Object.keys(end.servers[0])) {
      assertMatch(text, new RegExp(`A server has [^.]*\`${it}\``));
    }
  }
});

/** The fields that each table of a text lists, sorted. */
function fieldTables(text: string): string[][] {
  const tables: string[][] = [];
  for (const [field] of readMarkdown(text).rows) {
    if (field === "field") tables.push([]);
    else tables.at(-1)!.push(...inlineCode(field!));
  }
  return tables.map((it) => it.toSorted());
}

/** A reader with the files that documents name. */
async function readerWithCertificates(): Promise<Reader> {
  const reader = await Reader.start();
  const { folder } = reader;
  await copyCertificates(folder);
  const from = async (...names: string[]) =>
    (await Promise.all(names.map((it) => Deno.readTextFile(folder.file(it))))).join("");
  const files: Record<string, string[]> = {
    "all.pem": ["server.pem", "server.key"],
    "chain.pem": ["server.pem"],
    "fullchain.pem": ["server.pem"],
    "key.pem": ["server.key"],
    "privkey.pem": ["server.key"],
    "me.pem": ["server.pem"],
    "me.key": ["server.key"],
    "clients-ca.pem": ["ca.pem"],
  };
  for (const [name, parts] of Object.entries(files)) {
    await Deno.writeTextFile(folder.file(name), await from(...parts), { mode: 0o600 });
  }
  await Deno.writeTextFile(folder.file("access.log"), "GET /\nGET /\n");
  return reader;
}

/** Does it for each item, two at a time. */
async function inTurns<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const worker = async () => {
    for (let item; (item = rest.shift()) !== undefined;) await work(item);
  };
  await Promise.all([worker(), worker()]);
}

/** Waits until something listens on a port. */
async function listens(port: number): Promise<void> {
  const connect = () => Deno.connect({ port }).then((conn) => conn.close()).then(() => true, () => false);
  await eventually(connect, `a listener on port ${port}`);
}
