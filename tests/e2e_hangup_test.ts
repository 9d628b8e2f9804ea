/** A terminal that is closed while a command measures: what was measured is saved. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { e2e as test, type Options } from "./harness.ts";
import { eventually, Folder, Running, ServerPeer, TESTDATA, TSECHO } from "./helpers.ts";

const NEEDS: Options = { needs: ["python3"] };
const LOAD = ["load", "-c", "1", "-R", "50", "--warmup", "0"];
const ENDLESS = [...LOAD, "-t", "10m"];

/** Closes the terminal of a command once something was measured, and checks what it leaves. */
async function closes(command: string[], measured: RegExp | "rows", env: string[] = []): Promise<void> {
  await using server = await ServerPeer.start();
  await using folder = await Folder.make();
  const [json, html, rows] = [folder.file("run.json"), folder.file("run.html"), folder.file("rows")];
  const address = `127.0.0.1:${server.port}`;
  const args = [...command, "--json", json, "--html", html, ...measured === "rows" ? ["--csv", rows] : []];
  for (const it of [json, html]) await Deno.writeTextFile(it, "old");
  const onTerminal = ["python3", `${TESTDATA}closed_terminal.py`, "env", "-u", "NO_COLOR", ...env];
  await using running = new Running([
    ...onTerminal,
    ...TSECHO,
    ...args.map((it) => it === "OTHER" ? address : it),
    address,
  ]);
  if (measured === "rows") {
    const hasRow = async () => (await Deno.readTextFile(rows).catch(() => "")).split("\n").length > 2;
    await eventually(hasRow, "a row");
  } else {
    await running.stdout.until(measured);
  }
  await running.closeInput();
  const code = await running.code();
  const name = [...env, ...command].join(" ");
  // Whether it writes to the terminal that has gone before it is told so is a matter of luck.
  assertMatch(
    running.stderr.text,
    /^(?:tsecho: Cannot write "standard output": the device failed\n)?$/,
    name,
  );
  assertEquals(code, running.stderr.text === "" ? 0 : 1, name);
  const saved = JSON.parse(await Deno.readTextFile(json));
  assert(command.includes("--against") ? saved.runs.length > 1 : saved.end.received > 0, name);
  assertMatch(await Deno.readTextFile(html), /<\/html>\s*$/, name);
}

test("a load, a search and a ping whose terminal is closed save what they measured", NEEDS, async () => {
  await Promise.all([
    closes(ENDLESS, "rows"),
    closes([...LOAD, "--find", "max<1h", "--trial", "0.3"], /^ +50 +\d/m),
    closes(["ping", "-i", "0.05"], /seq=3 /),
  ]);
});

test("so do those that show little, and a comparison", { ...NEEDS, level: "slow" }, async () => {
  await closes([...ENDLESS, "-q"], "rows");
  await closes(ENDLESS, "rows", ["TERM=dumb"]);
  await closes(["ping", "-i", "0.05", "--no-tty"], /seq=3 /);
  await closes(["ping", "-i", "0.05", "-q"], "rows");
  await closes([...LOAD, "-t", "0.3", "--against", "OTHER", "--repeat", "100"], /after-1 /);
});
