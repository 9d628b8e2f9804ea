/** Is told of an error of TLS or of the stream below, and returns the first one of the connection. */
export type OnFailure = (error: Error) => Error;

/** The records of one TLS connection: decrypts what arrives, encrypts and sends what is written. */
export interface Records {
  /** Plaintext that has been decrypted and is to be read, in order. */
  readonly plain: Uint8Array[];
  /** Whether the peer has ended its side with a close_notify. */
  readonly ended: boolean;
  /** Whether a write is under way. */
  readonly writing: boolean;
  /**
   * Decrypts bytes, which may be overwritten afterwards.
   *
   * @param target where plaintext may be put, while {@linkcode plain} is empty.
   * @returns how much of it is there; what follows is in {@linkcode plain}.
   */
  decrypt(bytes: Uint8Array, target: Uint8Array): number;
  /**
   * Encrypts and sends some of the bytes, at least one, and says how many; one call at a time. It is done when the
   * stream below has taken the records. An error is the connection's first.
   */
  write(bytes: Uint8Array): Promise<number>;
  /** Sends a close_notify. */
  end(): Promise<void>;
  /** Frees everything. @param error what a write under way rejects with, at once or when the stream is closed. */
  destroy(error: Error): void;
}

/**
 * Frees the memory of bytes that nothing uses any more, unless it holds others too. TLS allocates a buffer for each
 * record: left to the garbage collector, they take a third of the speed of large batches.
 */
export function freeNow({ buffer, length }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}
