import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import type { Stream } from "./stream.ts";
import { TlsStream } from "./tls_stream.ts";
import type { ServerTls } from "./transport.ts";

/** The server's side of TLS. */
export class TlsAcceptor implements ServerTls {
  readonly #context: SecureContext;
  readonly #alpn: string[];
  /** For each closed stream that has not told its peer yet. */
  readonly #farewells = new Set<Promise<void>>();

  constructor({ cert, key }: { cert: string; key: string }, alpn: string[]) {
    this.#context = createSecureContext({ cert, key });
    this.#alpn = alpn;
  }

  async secure(raw: Stream, early: Uint8Array): Promise<Stream> {
    const options = { isServer: true, secureContext: this.#context, ALPNProtocols: this.#alpn };
    const stream = new TlsStream(raw, (wire) => new TLSSocket(wire, options), (farewell) => {
      this.#farewells.add(farewell);
      farewell.finally(() => this.#farewells.delete(farewell));
    });
    await stream.handshake("secure", early);
    return stream;
  }

  async close(): Promise<void> {
    await Promise.all(this.#farewells);
  }
}
