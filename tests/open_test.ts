/** Opening a FIFO, which waits for its other end. */
import { assertEquals, assertRejects } from "@std/assert";
import { openWaiting } from "../net/open.ts";
import { e2e as test } from "./harness.ts";
import { Folder, run, within } from "./helpers.ts";

const READ = { read: true } as const;
const WRITE = { write: true } as const;

for (const [thread, waitsApart] of [["the runtime's thread", true], ["one of our own", false]] as const) {
  test(`a FIFO is open once its other end is, and nobody has to wait for that, in ${thread}`, {
    needs: ["mkfifo"],
  }, async () => {
    await using folder = await Folder.make();
    const [lonely, fifo] = [folder.file("lonely"), folder.file("fifo")];
    assertEquals((await run(["mkfifo", lonely, fifo])).code, 0);
    const stop = new AbortController();
    const waiting = openWaiting(lonely, WRITE, stop.signal, waitsApart);
    stop.abort();
    await assertRejects(() => within(waiting, "the end of a wait"), DOMException);
    (await Deno.open(lonely, { read: true, write: true })).close(); // the thread waits no more

    const ends = [READ, WRITE].map((it) => openWaiting(fifo, it, undefined, waitsApart));
    const [reader, writer] = await within(Promise.all(ends), "both ends");
    await writer!.write(new TextEncoder().encode("a line\n"));
    writer!.close();
    assertEquals(await within(new Response(reader!.readable).text(), "the end"), "a line\n");
    await assertRejects(() => openWaiting(folder.file("none"), READ), Deno.errors.NotFound);
  });
}
