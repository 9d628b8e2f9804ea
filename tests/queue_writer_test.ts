import { assert, assertEquals, assertRejects } from "@std/assert";
import { QueueWriter } from "../cli/queue_writer.ts";
import { Failure } from "../failure.ts";
import { test } from "./harness.ts";

/** A sink that takes a write, at most `size` bytes of it, when it is told to. */
class SlowSink {
  readonly writes: string[] = [];
  #size: number;
  #pending: (() => void)[] = [];
  #called = Promise.withResolvers<void>();
  error: Error | undefined;

  constructor(size = Infinity) {
    this.#size = size;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const taken = Promise.withResolvers<void>();
    this.#pending.push(taken.resolve);
    this.#called.resolve();
    await taken.promise;
    if (this.error !== undefined) throw this.error;
    const part = bytes.subarray(0, this.#size);
    this.writes.push(new TextDecoder().decode(part));
    return part.length;
  }

  /** Resolves when a write waits. */
  get called(): Promise<void> {
    return this.#called.promise;
  }

  /** Waits for a write, and lets it go on. */
  async take(): Promise<void> {
    await this.called;
    this.#called = Promise.withResolvers();
    this.#pending.shift()!();
  }
}

test("what is written in one turn goes out at once, in order, whatever part the sink takes", async () => {
  const sink = new SlowSink(4);
  const writer = new QueueWriter(sink, "sink", 100);
  for (const text of ["one ", "two ", "3"]) writer.write(text);
  await sink.take();
  writer.write("later");
  for (let i = 0; i < 4; i++) await sink.take();
  await writer.flush();
  assertEquals(sink.writes, ["one ", "two ", "3", "late", "r"]);
});

test("there is no room while more than the limit waits, and room again when the sink goes on", async () => {
  const sink = new SlowSink();
  const writer = new QueueWriter(sink, "sink", 3);
  writer.write("under way");
  assert(!writer.hasRoom); // nothing has been handed to the sink yet
  await sink.called;
  assert(writer.hasRoom);
  writer.write("abcd");
  assert(!writer.hasRoom);
  const room = writer.whenRoom();
  await sink.take();
  await room;
  assert(writer.hasRoom);
  await sink.take();
  await writer.flush();
  assertEquals(sink.writes, ["under way", "abcd"]);
});

test("a write that fails is told by flush, and frees those who wait for room", async () => {
  const sink = new SlowSink();
  const writer = new QueueWriter(sink, "the sink", 1);
  sink.error = new Error("the disk is full");
  writer.write("abc");
  const [room, failed] = [writer.whenRoom(), writer.failed];
  await sink.take();
  await Promise.all([room, failed]);
  const error = await assertRejects(() => writer.flush(), Failure);
  assertEquals(error.message, 'Cannot write "the sink": the disk is full');
});
