import type { PathEndpoint } from "./endpoint.ts";
import type { StreamListener, StreamTransport } from "./transport.ts";

export const unix: StreamTransport = {
  kind: "stream",
  addressing: "path",

  async listen(endpoint: PathEndpoint, { unixMode }) {
    const listener = await listenUnix(endpoint.path, unixMode);
    return [{ endpoint, listener: accepting(listener, endpoint.path) }];
  },

  async connect({ path }: PathEndpoint) {
    const start = performance.now();
    try {
      const stream = await Deno.connect({ transport: "unix", path });
      return { stream, connectMs: performance.now() - start };
    } catch (error) {
      const found = await Deno.stat(path).catch(() => undefined);
      if (found === undefined || found.isSocket) throw error;
      throw new Error(found.isDirectory ? "it is a directory" : "it is not a socket", { cause: error });
    }
  },
};

/**
 * Listens on a socket file of the given mode. A file that an ended server has left is replaced, but nothing else: not
 * a socket on which somebody answers, and no file of another kind.
 */
async function listenUnix(path: string, mode: number): Promise<Deno.UnixListener> {
  using _lock = await lockFor(path);
  try {
    return bind(path, mode);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
  }
  const found = await Deno.lstat(path);
  if (found.isDirectory) throw new Error("it is a directory");
  if (!found.isSocket) throw new Error("there is a file, and it is not a socket");
  if (await answers(path)) throw new Error("another server listens on it");
  await Deno.remove(path);
  return bind(path, mode);
}

/**
 * Of several servers that start at once on one path, one at a time may look, remove and bind: another's file may be
 * new, and not listened on yet. The lock is a file, gone when it is given back.
 */
async function lockFor(path: string): Promise<Disposable> {
  const lockPath = `${path}.lock`;
  for (;;) {
    const file = await Deno.open(lockPath, { create: true, write: true, mode: 0o600 });
    await file.lock(true);
    const { dev, ino } = await file.stat();
    // Whoever had it before may have removed it: then the lock is on a file that nobody else finds.
    if (fileAt(lockPath) !== `${dev}:${ino}`) {
      file.close();
      continue;
    }
    return {
      [Symbol.dispose]() {
        Deno.removeSync(lockPath);
        file.close();
      },
    };
  }
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

function accepting(listener: Deno.UnixListener, path: string): StreamListener {
  const own = fileAt(path);
  let accepting = false;
  let aside: string | undefined;
  const putBack = () => {
    if (aside !== undefined) Deno.renameSync(aside, path);
    aside = undefined;
  };
  return {
    async accept() {
      accepting = true;
      try {
        return { stream: await listener.accept(), peer: undefined };
      } finally {
        accepting = false;
        putBack();
      }
    },
    close() {
      // Closing removes the file at the path, which may be another server's by now: that is put out of the way, until
      // no accept is under way, for only then is the listener really closed.
      const found = fileAt(path);
      if (found !== undefined && found !== own) {
        aside = `${path}.${Deno.pid}`;
        Deno.renameSync(path, aside);
      }
      listener.close();
      if (!accepting) putBack();
    },
  };
}

/** What tells a file from others that have had its path: device and inode. */
function fileAt(path: string): string | undefined {
  try {
    const { dev, ino } = Deno.lstatSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
