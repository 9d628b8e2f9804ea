import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { closeQuietly, type Stream } from "./stream.ts";
import { HandleMaker } from "./tls_handle.ts";
import { TlsStream } from "./tls_stream.ts";
import { ClientRefused, type ServerTls, type ServerTlsOptions } from "./transport.ts";
import { ClientVerifier } from "./trust.ts";

/** What the handshakes between two reloads share. */
interface Terms {
  context: SecureContext;
  clientCa: string | undefined;
  /** Undefined where clients need no certificate. */
  verifier: ClientVerifier | undefined;
  /** Undefined where clients need a certificate, of which only a socket tells, or where Deno makes handles otherwise. */
  handles: HandleMaker | undefined;
}

/** The server's side of TLS. */
export class TlsAcceptor implements ServerTls {
  readonly #alpn: string[];
  #terms: Terms;
  /** The closed streams that have not sent their close_notify yet. */
  readonly #closing = new Set<Promise<void>>();
  readonly #onClose = (closing: Promise<void>) => {
    this.#closing.add(closing);
    closing.finally(() => this.#closing.delete(closing));
  };

  constructor(options: ServerTlsOptions, alpn: string[]) {
    this.#alpn = alpn;
    this.#terms = termsOf(options, alpn);
  }

  renew(options: ServerTlsOptions): void {
    const { clientCa, verifier } = this.#terms;
    this.#terms = termsOf(options, this.#alpn);
    // Sessions from before stay valid, unless the CAs have changed.
    if (options.clientCa === clientCa) this.#terms.verifier = verifier;
  }

  async secure(raw: Stream, early: Uint8Array): Promise<Stream> {
    const { context, verifier, handles } = this.#terms;
    if (handles !== undefined) return await this.#accept(raw, handles, early);
    const options = {
      isServer: true,
      secureContext: context,
      ALPNProtocols: this.#alpn,
      requestCert: verifier !== undefined,
      rejectUnauthorized: verifier !== undefined,
    };
    const stream = new TlsStream(raw, (wire) => new TLSSocket(wire, options), this.#onClose);
    const socket = await stream.handshake("secure", early);
    const refusal = await verifier?.refusal(socket);
    if (refusal === undefined) return stream;
    throw new ClientRefused(refusal, socket.getPeerX509Certificate()?.subject, stream);
  }

  async close(): Promise<void> {
    await Promise.all(this.#closing);
  }

  async #accept(raw: Stream, handles: HandleMaker, early: Uint8Array): Promise<Stream> {
    let handle;
    try {
      handle = handles.make();
    } catch (error) {
      closeQuietly(raw);
      throw error;
    }
    const stream = new TlsStream(raw, handle, this.#onClose);
    await stream.accept(early);
    return stream;
  }
}

function termsOf({ identity, clientCa }: ServerTlsOptions, alpn: string[]): Terms {
  const context = createSecureContext({ ...identity, ...(clientCa !== undefined && { ca: clientCa }) });
  return {
    context,
    clientCa,
    verifier: clientCa === undefined ? undefined : new ClientVerifier(clientCa),
    handles: clientCa === undefined ? HandleMaker.of(context, alpn) : undefined,
  };
}
