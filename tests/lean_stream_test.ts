/** The operations beneath a connection do what its methods do, over real sockets. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { leanStream } from "../net/lean_stream.ts";
import { closeQuietly, type Stream } from "../net/stream.ts";
import { type Options, test } from "./harness.ts";

/** The two ends of a connection over loopback. */
async function pair(): Promise<{ near: Deno.TcpConn; far: Deno.TcpConn; [Symbol.dispose](): void }> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [near, far] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
  return { near, far, [Symbol.dispose]: () => [near, far].forEach(closeQuietly) };
}

const NET: Options = { needs: ["--allow-net"] };
const BYTES = new TextEncoder().encode("hello\n");

test(
  "a lean stream reads, writes and half-closes as its connection does, and gives 0 at the end",
  NET,
  async () => {
    using ends = await pair();
    const lean = leanStream(ends.near);
    assert(lean !== ends.near, "this Deno makes connections in another way");
    const buffer = new Uint8Array(100);
    assertEquals(await lean.write(BYTES), BYTES.length);
    assertEquals(await ends.far.read(buffer), BYTES.length);
    const reading = lean.read(buffer.subarray(10));
    await ends.far.write(BYTES);
    assertEquals(await reading, BYTES.length);
    assertEquals(buffer.subarray(10, 10 + BYTES.length), BYTES);
    await lean.closeWrite();
    assertEquals(await ends.far.read(buffer), null);
    await ends.far.closeWrite();
    assertEquals(await lean.read(buffer), 0);
  },
);

test("a lean stream that is closed here fails as its connection does", NET, async () => {
  using ends = await pair();
  const lean = leanStream(ends.near);
  const buffer = new Uint8Array(100);
  const reading = lean.read(buffer);
  lean.close();
  await assertRejects(() => reading, Deno.errors.Interrupted);
  await assertRejects(() => lean.read(buffer), Deno.errors.BadResource);
  await assertRejects(() => lean.write(BYTES), Deno.errors.BadResource);
});

test("a stream that is no connection of Deno's stays as it is", () => {
  const stream: Stream = {
    read: () => Promise.resolve(null),
    write: (bytes) => Promise.resolve(bytes.length),
    closeWrite: () => Promise.resolve(),
    close: () => {},
  };
  assert(leanStream(stream) === stream);
});
