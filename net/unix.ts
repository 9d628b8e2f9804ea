import type { PathEndpoint } from "./endpoint.ts";
import type { StreamListener, StreamTransport } from "./transport.ts";

export const unix: StreamTransport = {
  kind: "stream",
  addressing: "path",

  async listen(endpoint: PathEndpoint, { unixMode }) {
    const listener = await listenUnix(endpoint.path, unixMode);
    return [{ endpoint, listener: accepting(listener) }];
  },

  async connect({ path }: PathEndpoint) {
    const start = performance.now();
    const stream = await Deno.connect({ transport: "unix", path });
    return { stream, connectMs: performance.now() - start };
  },
};

/**
 * Listens on a socket file of the given mode. A file that an ended server has left is replaced, but nothing else: not
 * a socket on which somebody answers, and no file of another kind.
 */
async function listenUnix(path: string, mode: number): Promise<Deno.UnixListener> {
  try {
    return bind(path, mode);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
  }
  const found = await Deno.lstat(path);
  if (!found.isSocket) throw new Error("there is a file, and it is not a socket");
  if (await answers(path)) throw new Error("another server listens on it");
  // Another server may have had the same thought, and be listening there by now: then it is another file.
  if ((await Deno.lstat(path).catch(() => undefined))?.ino === found.ino) await Deno.remove(path);
  return bind(path, mode);
}

function bind(path: string, mode: number): Deno.UnixListener {
  const listener = Deno.listen({ transport: "unix", path });
  // Until the next line the mode is what the umask leaves. Usually that lets nobody else in, who would need to write;
  // Deno sets the umask only with all permissions of the kind "sys".
  if (Deno.build.os !== "windows") Deno.chmodSync(path, mode);
  return listener;
}

async function answers(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    // A full backlog (EAGAIN) is an answer as well.
    return !(error instanceof Deno.errors.ConnectionRefused || error instanceof Deno.errors.NotFound);
  }
}

function accepting(listener: Deno.UnixListener): StreamListener {
  return {
    accept: async () => ({ stream: await listener.accept(), peer: undefined }),
    close: () => listener.close(), // removes the file
  };
}
