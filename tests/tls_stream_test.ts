/** TLS over a stream in memory: how the buffer for its reads grows and shrinks, and what a read gives. */
import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { connect, createSecureContext, TLSSocket } from "node:tls";
import { type Stream, writeAll } from "../net/stream.ts";
import { TlsStream } from "../net/tls_stream.ts";
import cert from "./testdata/certificates/server.pem" with { type: "text" };
import key from "./testdata/certificates/server.key" with { type: "text" };

const MIN_READ_SIZE = 512;
/** What a TLS record holds at most. */
const RECORD = 16 * 1024;

/** One end of a connection in memory; it keeps the length of each buffer that it was given to read into. */
class End implements Stream {
  readonly readSizes: number[] = [];
  peer: End | undefined;
  #arrived: Uint8Array[] = [];
  #arrival: PromiseWithResolvers<void> | undefined;

  async read(buffer: Uint8Array): Promise<number> {
    this.readSizes.push(buffer.length);
    if (this.#arrived.length === 0) await (this.#arrival = Promise.withResolvers()).promise;
    const all = concat(this.#arrived);
    const n = Math.min(all.length, buffer.length);
    buffer.set(all.subarray(0, n));
    this.#arrived = n < all.length ? [all.subarray(n)] : [];
    return n;
  }

  write(bytes: Uint8Array): Promise<number> {
    this.peer!.#arrived.push(bytes.slice());
    this.peer!.#arrival?.resolve();
    return Promise.resolve(bytes.length);
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}
}

/** Both sides of a TLS connection, and the server's end of what it runs over. */
async function pair(): Promise<{ client: TlsStream; server: TlsStream; raw: End }> {
  const [near, raw] = [new End(), new End()];
  near.peer = raw;
  raw.peer = near;
  const secureContext = createSecureContext({ cert, key });
  const server = new TlsStream(raw, (wire) => new TLSSocket(wire, { isServer: true, secureContext }));
  const client = new TlsStream(near, (socket) => connect({ socket, rejectUnauthorized: false }));
  await Promise.all([server.handshake("secure"), client.handshake("secureConnect")]);
  raw.readSizes.length = 0;
  return { client, server, raw };
}

/** Sends bytes and reads until they are there. */
async function pass(from: TlsStream, to: TlsStream, bytes: Uint8Array): Promise<void> {
  const sent = writeAll(from, bytes);
  const buffer = new Uint8Array(2 * bytes.length);
  let length = 0;
  while (length < bytes.length) {
    const n = await to.read(buffer.subarray(length));
    assert(n !== null, "the stream has ended");
    length += n;
  }
  await sent;
  assertEquals(buffer.subarray(0, length), bytes);
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i * 31 >> 3);
}

Deno.test("a record that is a little longer than a power of two does not make the read buffer swing", async () => {
  const { client, server, raw } = await pair();
  for (let batch = 0; batch < 20; batch++) await pass(client, server, pattern(RECORD));
  const sizes = raw.readSizes.slice(-10);
  assertEquals(sizes, new Array(10).fill(2 * RECORD), "each record of the end in one read, of one size");
});

Deno.test("a read buffer that grew becomes small again once the reads are short", async () => {
  const { client, server, raw } = await pair();
  for (let batch = 0; batch < 5; batch++) await pass(client, server, pattern(RECORD));
  for (let line = 0; line < 40; line++) await pass(client, server, pattern(20));
  assertEquals(raw.readSizes.at(-1), MIN_READ_SIZE);
});

Deno.test("a read with a small buffer takes its part of the plaintext, and the next ones the rest", async () => {
  const { client, server } = await pair();
  const bytes = pattern(1000);
  await writeAll(client, bytes);
  const parts: number[] = [];
  for (let length = 0; length < bytes.length; length += parts.at(-1)!) {
    const part = new Uint8Array(300);
    parts.push((await server.read(part))!);
    assertEquals(part.subarray(0, parts.at(-1)), bytes.subarray(length, length + parts.at(-1)!));
  }
  assertEquals(parts, [300, 300, 300, 100]);
});
