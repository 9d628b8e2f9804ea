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

  // Not async, as each promise takes memory that an idle server does not give back.
  secure(raw: Stream, early: Uint8Array): Promise<Stream> {
    const { handles } = this.#terms;
    return handles === undefined ? this.#secureBySocket(raw, early) : this.#accept(raw, handles, early);
  }

  async close(): Promise<void> {
    await Promise.all(this.#closing);
  }

  #accept(raw: Stream, handles: HandleMaker, early: Uint8Array): Promise<Stream> {
    try {
      return new TlsStream(raw, handles.make(), this.#onClose).accept(early);
    } catch (error) {
      closeQuietly(raw);
      return Promise.reject(error);
    }
  }

  async #secureBySocket(raw: Stream, early: Uint8Array): Promise<Stream> {
    const { context, verifier } = this.#terms;
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
