import { assert, assertEquals, assertMatch } from "@std/assert";
import { Log } from "../cli/log.ts";
import { test } from "./harness.ts";

test("a log whose reader stalls keeps a bounded number of lines, and says how many it dropped", {
  level: "heavy",
}, async () => {
  const flows = Promise.withResolvers<void>();
  let text = "";
  const sink = {
    async write(bytes: Uint8Array) {
      await flows.promise;
      text += new TextDecoder().decode(bytes);
      return bytes.length;
    },
  };
  const log = new Log({ format: "text", quiet: false }, sink);
  const LINES = 30_000;
  const peer = "x".repeat(400);
  for (let i = 0; i < LINES; i++) {
    log.info("open", { conn: i, peer });
    if (i % 100 === 0) await Promise.resolve();
  }
  flows.resolve();
  await log.flush(60_000);
  const [, dropped] = /warn log reason="(\d+) lines dropped" dropped=\1\n/.exec(text)!;
  const kept = text.split(" open conn=").length - 1;
  assertEquals(kept + Number(dropped), LINES);
  assert(text.length < 9 * 1024 * 1024, `${text.length} characters`);
  // What comes now is written again, behind what was said of the others.
  log.info("close", { conn: 1 });
  await log.flush(60_000);
  assertMatch(text, /lines dropped" dropped=\d+\n\S+ info close conn=1\n$/);
});
