import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import type { Stream } from "./stream.ts";
import { TlsStream } from "./tls_stream.ts";
import { ClientRefused, type ServerTls, type ServerTlsOptions } from "./transport.ts";
import { ClientVerifier } from "./trust.ts";

/** What handshakes of one time have in common. */
interface Terms {
  context: SecureContext;
  clientCa: string | undefined;
  /** Where clients need a certificate. */
  verifier: ClientVerifier | undefined;
}

/** The server's side of TLS. */
export class TlsAcceptor implements ServerTls {
  readonly #alpn: string[];
  #terms: Terms;
  /** For each closed stream that has not told its peer yet. */
  readonly #farewells = new Set<Promise<void>>();

  constructor(options: ServerTlsOptions, alpn: string[]) {
    this.#alpn = alpn;
    this.#terms = termsOf(options);
  }

  renew(options: ServerTlsOptions): void {
    const { clientCa, verifier } = this.#terms;
    this.#terms = termsOf(options);
    // Sessions from before go on, unless other clients are meant now.
    if (options.clientCa === clientCa) this.#terms.verifier = verifier;
  }

  async secure(raw: Stream, early: Uint8Array): Promise<Stream> {
    const { context, verifier } = this.#terms;
    const options = {
      isServer: true,
      secureContext: context,
      ALPNProtocols: this.#alpn,
      requestCert: verifier !== undefined,
      rejectUnauthorized: verifier !== undefined,
    };
    const stream = new TlsStream(raw, (wire) => new TLSSocket(wire, options), (farewell) => {
      this.#farewells.add(farewell);
      farewell.finally(() => this.#farewells.delete(farewell));
    });
    await stream.handshake("secure", early);
    const refusal = await verifier?.refusal(stream.socket);
    if (refusal === undefined) return stream;
    throw new ClientRefused(refusal, stream.socket.getPeerX509Certificate()?.subject, stream);
  }

  async close(): Promise<void> {
    await Promise.all(this.#farewells);
  }
}

function termsOf({ identity, clientCa }: ServerTlsOptions): Terms {
  const context = createSecureContext({ ...identity, ...(clientCa !== undefined && { ca: clientCa }) });
  return { context, clientCa, verifier: clientCa === undefined ? undefined : new ClientVerifier(clientCa) };
}
