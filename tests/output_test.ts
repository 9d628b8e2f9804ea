/** What becomes of a file that an output is written to. */
import { assertEquals, assertRejects } from "@std/assert";
import { TextOutput } from "../cli/output.ts";
import type { OutputKind } from "../cli/output_file.ts";
import { Failure } from "../failure.ts";
import { e2e as test } from "./harness.ts";
import { Folder } from "./helpers.ts";

const open = (path: string, kind: OutputKind = "document") => TextOutput.open(path, "--html", kind, []);

/** Larger than what waits before it is written. */
const LARGE = "new ".repeat(1 << 20);

/** Resolves when a part of what was written is in a file, while its writer may still be at it. */
async function partWritten(output: TextOutput): Promise<void> {
  output.write(LARGE);
  await output.whenRoom();
}

test("a document takes the place of what a file held once it is whole, with its permissions", async () => {
  await using folder = await Folder.make();
  const path = folder.file("run.html");
  await Deno.writeTextFile(path, "old", { mode: 0o640 });
  await Deno.chmod(path, 0o640); // whatever the umask
  const output = await open(path);
  await partWritten(output);
  assertEquals(await Deno.readTextFile(path), "old");
  output.write("end");
  await output.flush();
  await output.close();
  assertEquals(await Deno.readTextFile(path), `${LARGE}end`);
  assertEquals([(await Deno.stat(path)).mode! & 0o777, await folder.names()], [0o640, ["run.html"]]);
});

test("nothing is left of a document that is not whole, and an old one stays", async () => {
  await using folder = await Folder.make();
  const [old, fresh] = [folder.file("old.html"), folder.file("new.html")];
  await Deno.writeTextFile(old, "old");
  for (const path of [old, fresh]) {
    const output = await open(path);
    await partWritten(output);
    await output.close();
  }
  assertEquals([await Deno.readTextFile(old), await folder.names()], ["old", ["old.html"]]);
});

test("lines are in the file as soon as they are written, and stay there", async () => {
  await using folder = await Folder.make();
  const path = folder.file("run.csv");
  await Deno.writeTextFile(path, "old");
  const output = await open(path, "lines");
  assertEquals(await Deno.readTextFile(path), "old");
  await partWritten(output);
  assertEquals(await Deno.readTextFile(path), LARGE);
  await output.close();
  assertEquals(await Deno.readTextFile(path), LARGE);
});

test("a file with several names keeps them, and a link leads to the new document", async () => {
  await using folder = await Folder.make();
  const [file, twin, other, link] = ["a", "twin", "b", "link"].map((it) => folder.file(it)) as [
    ...[string, string, string, string],
  ];
  for (const it of [file, other]) await Deno.writeTextFile(it, "old");
  await Deno.link(file, twin);
  await Deno.symlink("b", link);
  for (const path of [file, link]) {
    const output = await open(path);
    output.write("new");
    await output.flush();
    await output.close();
  }
  for (const it of [file, twin, other]) assertEquals(await Deno.readTextFile(it), "new");
  assertEquals(await Deno.readLink(link), "b");
  assertEquals(await folder.names(), ["a", "b", "link", "twin"]);
});

test("what somebody moves away before the first write stays as it is, and a new file has its name", async () => {
  for (const kind of ["document", "lines"] as const) {
    await using folder = await Folder.make();
    const [path, link, away, twin] = ["a", "link", "away", "twin"].map((it) => folder.file(it)) as [
      ...[string, string, string, string],
    ];
    await Deno.symlink("a", link);
    const acts = [
      () => Deno.rename(path, away),
      () => Deno.remove(path),
      () => Deno.rename(path, away).then(() => Deno.writeTextFile(path, "somebody else's")),
      () => Deno.link(path, twin).then(() => Deno.rename(path, away)),
    ];
    for (const act of acts) {
      for (const name of [path, link]) {
        await Deno.writeTextFile(path, "old");
        await Deno.writeTextFile(away, "old");
        const output = await open(name, kind);
        await act();
        output.write("new");
        await output.flush();
        await output.close();
        assertEquals([await Deno.readTextFile(path), await Deno.readTextFile(away)], ["new", "old"]);
        await Deno.remove(twin).catch(() => {});
        assertEquals(await folder.names(), ["a", "away", "link"]);
      }
    }
  }
});

test("lines cannot be written to a file that is gone at the end, and what was moved has them", async () => {
  await using folder = await Folder.make();
  const [path, away] = [folder.file("run.csv"), folder.file("away.csv")];
  const acts = [() => Deno.remove(path), () => Deno.rename(path, away), async () => {
    await Deno.rename(path, away);
    await Deno.writeTextFile(path, "somebody else's");
  }];
  for (const act of acts) {
    const output = await open(path, "lines");
    await partWritten(output);
    await act();
    output.write("end");
    const reason = `Cannot write "${path}": it was moved or removed while it was written`;
    await assertRejects(() => output.flush(), Failure, reason);
    await output.close();
    if (act !== acts[0]) assertEquals(await Deno.readTextFile(away), `${LARGE}end`);
  }
  assertEquals(await Deno.readTextFile(path), "somebody else's");
});

test("a new file that is not written leaves nothing, but what somebody put in its place", async () => {
  await using folder = await Folder.make();
  const path = folder.file("run.html");
  const [unwritten, replaced] = [await open(path), await open(folder.file("other.html"))];
  await Deno.remove(folder.file("other.html"));
  await Deno.writeTextFile(folder.file("other.html"), "");
  for (const output of [unwritten, replaced]) await output.close();
  assertEquals(await folder.names(), ["other.html"]);
});

test("a link to nothing leads to the new file, unless nothing is written", async () => {
  await using folder = await Folder.make();
  await Deno.mkdir(folder.file("far/off"), { recursive: true });
  await Deno.symlink(folder.file("far/off"), folder.file("near"));
  await Deno.symlink("near/link", folder.file("first"));
  await Deno.symlink("../target", folder.file("far/off/link"));
  for (const kind of ["document", "lines"] as const) {
    for (const text of ["", "new"]) {
      const output = await open(folder.file("first"), kind);
      if (text !== "") output.write(text);
      await output.flush();
      await output.close();
      const target = await Deno.readTextFile(folder.file("far/target")).catch(() => null);
      assertEquals([target, await Deno.readLink(folder.file("first"))], [text || null, "near/link"]);
    }
    assertEquals(await folder.names(), ["far", "first", "near"]);
    await Deno.remove(folder.file("far/target"));
  }
  await Deno.symlink("circle", folder.file("circle"));
  await Deno.symlink("none/file", folder.file("astray"));
  await assertRejects(() => open(folder.file("circle")), Failure, "its links lead in a circle");
  await assertRejects(() => open(folder.file("astray")), Failure, "there is no such file or directory");
});

test("where no file can be made beside it, a document is written in place", async () => {
  await using folder = await Folder.make();
  const path = folder.file("run.html");
  await Deno.writeTextFile(path, "older than the new one");
  await Deno.chmod(folder.path, 0o555); // root may make files all the same
  try {
    for (const isWhole of [true, false]) {
      const output = await open(path);
      output.write("new");
      if (isWhole) await output.flush();
      await output.close();
      const kept = await Deno.makeTempFile({ dir: folder.path }).then((it) => Deno.remove(it), () => null);
      assertEquals(await Deno.readTextFile(path), isWhole || kept !== null ? "new" : "");
    }
  } finally {
    await Deno.chmod(folder.path, 0o755);
  }
});

test("a file that cannot be written is told in our words", async () => {
  if (Deno.build.os !== "linux") return;
  const output = await open("/dev/full");
  output.write("new");
  await assertRejects(() => output.flush(), Failure, 'Cannot write "/dev/full": there is no space left');
  await output.close();
});
