/** TLS over a stream in memory: how the buffer for its reads grows and shrinks, and what reads and writes give. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { concat } from "@std/bytes/concat";
import nodeProcess from "node:process";
import { connect, createSecureContext, TLSSocket } from "node:tls";
import { TlsFailure } from "../net/errors.ts";
import { type Stream, writeAll } from "../net/stream.ts";
import { TlsAcceptor } from "../net/tls_acceptor.ts";
import { HandleMaker } from "../net/tls_handle.ts";
import { TlsStream } from "../net/tls_stream.ts";
import cert from "./testdata/certificates/server.pem" with { type: "text" };
import key from "./testdata/certificates/server.key" with { type: "text" };

const MIN_READ_SIZE = 512;
const process = nodeProcess as unknown as { _getActiveHandles(): unknown[] };
/** What a TLS record holds at most. */
const RECORD = 16 * 1024;

/** One end of a connection in memory; it keeps the length of each buffer that it was given to read into. */
class End implements Stream {
  readonly readSizes: number[] = [];
  peer: End | undefined;
  /** Whether a write takes a turn of the event loop longer than its bytes. */
  slow = false;
  #writing = false;
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

  async write(bytes: Uint8Array): Promise<number> {
    assert(!this.#writing, "two writes at a time");
    this.peer!.arrive(bytes.slice());
    this.#writing = true;
    if (this.slow) await new Promise((resolve) => setTimeout(resolve, 0));
    this.#writing = false;
    return bytes.length;
  }

  arrive(bytes: Uint8Array): void {
    this.#arrived.push(bytes);
    this.#arrival?.resolve();
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}
}

/** The two ends of a connection in memory. */
function ends(): [near: End, raw: End] {
  const [near, raw] = [new End(), new End()];
  near.peer = raw;
  raw.peer = near;
  return [near, raw];
}

/** Whether the server does its handshake without a socket. */
let withoutSocket = false;

/** Both sides of a TLS connection, what they run over, and the server's socket. */
async function pair({ slow = false } = {}) {
  const [near, raw] = ends();
  raw.slow = slow;
  const secureContext = createSecureContext({ cert, key });
  const client = new TlsStream(near, (socket) => connect({ socket, rejectUnauthorized: false }));
  const server = withoutSocket
    ? new TlsStream(raw, HandleMaker.of(secureContext, [])!.make())
    : new TlsStream(raw, (wire) => new TLSSocket(wire, { isServer: true, secureContext }));
  const [socket] = await Promise.all([
    withoutSocket ? server.accept(new Uint8Array()) : server.handshake("secure"),
    client.handshake("secureConnect"),
  ]);
  raw.readSizes.length = 0;
  return { client, server, raw, socket: socket as TLSSocket & { _handle: object | null } };
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

/** Runs a test with one method of the native part missing, as on a Deno that makes it in another way. */
async function without(method: string, test: () => Promise<void>): Promise<void> {
  const native = Object.getPrototypeOf((await pair()).socket._handle);
  const original = native[method];
  native[method] = undefined;
  try {
    await test();
  } finally {
    native[method] = original;
  }
}

/** Tests a server that has sockets until their first read, one that has none, and one that has nothing else. */
function each(name: string, test: () => Promise<void>): void {
  Deno.test(name, test);
  Deno.test(`${name}, without a socket from the handshake on`, async () => {
    withoutSocket = true;
    try {
      await test();
    } finally {
      withoutSocket = false;
    }
  });
  Deno.test(`${name}, by the sockets' public methods`, () => without("useUserBuffer", test));
}

each("a record that is a little longer than a power of two does not make the read buffer swing", async () => {
  const { client, server, raw } = await pair();
  for (let batch = 0; batch < 20; batch++) await pass(client, server, pattern(RECORD));
  const sizes = raw.readSizes.slice(-10);
  assertEquals(sizes, new Array(10).fill(2 * RECORD), "each record of the end in one read, of one size");
});

each("a read buffer that grew becomes small again once the reads are short", async () => {
  const { client, server, raw } = await pair();
  for (let batch = 0; batch < 5; batch++) await pass(client, server, pattern(RECORD));
  for (let line = 0; line < 40; line++) await pass(client, server, pattern(20));
  assertEquals(raw.readSizes.at(-1), MIN_READ_SIZE);
});

each("a read with a small buffer takes its part of the plaintext, and the next ones the rest", async () => {
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

each("more than is encrypted at once arrives whole, both ways", async () => {
  const { client, server } = await pair();
  await pass(client, server, pattern(300_000));
  await pass(server, client, pattern(300_000));
});

each("a first reply waits until the last bytes of the handshake are written", async () => {
  const { client, server } = await pair({ slow: true });
  await pass(server, client, pattern(100));
});

each("bytes that are no TLS end a connection, and the peer is told", async () => {
  const { client, server, raw } = await pair();
  await pass(client, server, pattern(100));
  const refused = assertRejects(() => server.read(new Uint8Array(100)), TlsFailure);
  raw.arrive(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  await refused;
  await assertRejects(() => server.read(new Uint8Array(100)), TlsFailure);
  await assertRejects(() => server.write(pattern(1)), TlsFailure);
  const alert = await assertRejects(() => client.read(new Uint8Array(100)), TlsFailure);
  assertEquals(alert.message, "the peer refused the TLS handshake (DecodeError)"); // which the alert names
});

each("a close_notify ends a stream, after what came before it", async () => {
  const { client, server } = await pair();
  await writeAll(client, pattern(100));
  await client.closeWrite();
  assertEquals(await server.read(new Uint8Array(1000)), 100);
  assertEquals(await server.read(new Uint8Array(1000)), null);
  await pass(server, client, pattern(50));
  server.close();
  assertEquals(await client.read(new Uint8Array(1000)), null);
  client.close();
});

Deno.test("after the first read the socket is garbage", async () => {
  const { client, server, socket } = await pair();
  assert(process._getActiveHandles().includes(socket));
  await pass(client, server, pattern(100));
  assertEquals(socket._handle, null);
  assert(!process._getActiveHandles().includes(socket));
});

/** A client's stream whose first bytes the server has already, and the server's raw end. */
async function firstBytes(): Promise<
  { client: TlsStream; shaken: Promise<unknown>; raw: End; early: Uint8Array }
> {
  const [near, raw] = ends();
  const client = new TlsStream(near, (socket) => connect({ socket, rejectUnauthorized: false }));
  const shaken = client.handshake("secureConnect");
  shaken.catch(() => {});
  const early = new Uint8Array(1000);
  return { client, shaken, raw, early: early.subarray(0, await raw.read(early)) };
}

/** A server accepts a client and exchanges bytes with it. @returns how many sockets it needed for the handshake. */
async function accepts(): Promise<number> {
  const { client, shaken, raw, early } = await firstBytes();
  const before = process._getActiveHandles().length;
  const acceptor = new TlsAcceptor({ identity: { cert, key } }, ["tsecho"]);
  const [server] = await Promise.all([acceptor.secure(raw, early), shaken]);
  const sockets = process._getActiveHandles().length - before;
  await pass(client, server as TlsStream, pattern(100));
  await pass(server as TlsStream, client, pattern(100));
  return sockets;
}

Deno.test("a server does the handshake without a socket", async () => {
  assertEquals(await accepts(), 0);
});

Deno.test("a server does the handshake by sockets where handles are made in another way", async () => {
  await without("getBytesRead", async () => assert(await accepts() > 0));
  const secureContext = createSecureContext({ cert, key });
  for (const method of ["initServerTls", "attachJsStream", "setHandle", "setAlpnProtocols", "start"]) {
    await without(method, () => Promise.resolve(assertEquals(HandleMaker.of(secureContext, []), undefined)));
  }
  assertEquals(HandleMaker.of({} as typeof secureContext, []), undefined);
});

Deno.test("what is no TLS ends a handshake without a socket, and the peer is told", async () => {
  const [near, raw] = ends();
  const acceptor = new TlsAcceptor({ identity: { cert, key } }, ["tsecho"]);
  const refused = await assertRejects(() =>
    acceptor.secure(raw, new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"))
  );
  assert(!(refused instanceof Deno.errors.ConnectionReset), "a fault, not an end");
  const alert = new Uint8Array(100);
  assertEquals(await near.read(alert), 7);
  assertEquals([...alert.subarray(0, 2)], [21, 3], "a record of an alert (RFC 8446, 5.1)");
});

Deno.test("a peer that leaves in a handshake without a socket is an end", async () => {
  const { raw, early } = await firstBytes();
  const acceptor = new TlsAcceptor({ identity: { cert, key } }, ["tsecho"]);
  raw.read = () => Promise.resolve(null as unknown as number);
  await assertRejects(() => acceptor.secure(raw, early), Deno.errors.UnexpectedEof);
});
