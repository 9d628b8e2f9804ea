import { type Clock, systemClock, unlessAborted } from "../time/timers.ts";
import type { PathEndpoint } from "./endpoint.ts";
import { formatProxyHeader, type ProxyVersion } from "./proxy.ts";
import { writeAll } from "./stream.ts";
import type { StreamListener, StreamTransport } from "./transport.ts";

/** What a Unix listener is asked for. */
export interface UnixListenOptions {
  /** The permissions of the socket's file. */
  unixMode: number;
}

/** The most bytes of a socket's path: what `sockaddr_un` holds, less its NUL (unix(7)). */
const MAX_PATH_LENGTH = Deno.build.os === "linux" ? 107 : 103;

/** Bytes of a socket's path while it is private: a folder, a slash and a file, both with random names. */
const PRIVATE_NAME_LENGTH = 14;
/** Random names to try before giving up: short ones may be taken. */
const MAX_NAME_TRIES = 100;

/** Milliseconds for the lock on the folder. Other servers hold theirs for a few. */
const LOCK_TIMEOUT_MS = 5_000;
const LOCK_POLL_MS = 20;

/** What a Unix client is asked for. */
export interface UnixConnectOptions {
  /** Begins with a PROXY protocol header, which tells no address. */
  proxyHeader?: ProxyVersion;
}

export const unix: StreamTransport<UnixListenOptions, UnixConnectOptions> = {
  kind: "stream",
  addressing: "path",

  async listen(endpoint: PathEndpoint, { unixMode, signal }) {
    const listener = await listenUnix(fromRoot(endpoint.path), unixMode, signal);
    return [{ endpoint, listener }];
  },

  async connect(endpoint: PathEndpoint, { proxyHeader }) {
    const path = fromRoot(endpoint.path);
    checkLength(path);
    const start = performance.now();
    try {
      const stream = await Deno.connect({ transport: "unix", path });
      if (proxyHeader !== undefined) await writeAll(stream, formatProxyHeader(proxyHeader, undefined));
      return { stream, connectMs: performance.now() - start };
    } catch (error) {
      if ((error as { code?: string }).code === "EAGAIN") {
        throw new Error("the server's queue of connections is full", { cause: error });
      }
      const found = await Deno.stat(path).catch(() => undefined);
      if (found === undefined || found.isSocket) throw error;
      throw new Error(found.isDirectory ? "it is a directory" : "it is not a socket", { cause: error });
    }
  },
};

/**
 * Listens on a socket file of the given mode. A socket that an ended server left behind is replaced, and nothing else:
 * not a socket on which somebody answers, no file of another kind, no link.
 */
async function listenUnix(path: string, mode: number, signal?: AbortSignal): Promise<StreamListener> {
  const slash = path.lastIndexOf("/");
  if (["", ".", ".."].includes(path.slice(slash + 1))) throw new Error("it is a directory");
  checkLength(path);
  using _lock = await lockFolder(path.slice(0, slash) || "/", signal);
  const found = socketAt(path);
  if (found !== undefined && await answers(path)) throw new Error("another server listens on it");
  return accepting(bind(path, mode, found), path);
}

/**
 * Lets servers that start at once look, bind and rename one at a time: a socket that does not answer yet may be new.
 *
 * The lock is flock(2)'s on the folder itself: no file has to be opened that somebody else could have put there, and
 * a crash leaves nothing behind.
 *
 * @throws {Error} when another program holds it for long; the signal's reason.
 */
async function lockFolder(
  folder: string,
  signal?: AbortSignal,
  clock: Clock = systemClock,
): Promise<Disposable | undefined> {
  if (!(await Deno.stat(folder)).isDirectory) throw new Error("a part of the path is not a directory");
  let file: Deno.FsFile;
  try {
    file = await unlessAborted(Deno.open(folder), signal);
  } catch (error) {
    // Files can be made in a folder that cannot be read, and Windows opens none.
    if (error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
  try {
    for (const end = clock.now() + LOCK_TIMEOUT_MS; !await file.tryLock(true);) {
      signal?.throwIfAborted();
      if (clock.now() >= end) {
        throw new Error(
          `another program has locked the folder ${folder}, for ${LOCK_TIMEOUT_MS / 1000} s so far`,
        );
      }
      await clock.sleep(LOCK_POLL_MS, signal);
    }
    signal?.throwIfAborted();
  } catch (error) {
    file.close();
    throw error;
  }
  return { [Symbol.dispose]: () => file.close() };
}

/**
 * Binds a socket where nobody else can reach it, and moves it to its path when its mode is set: at no moment may more
 * users connect than the mode says, whatever the umask is.
 *
 * @param found what stands at the path and is to be replaced.
 */
function bind(path: string, mode: number, found: string | undefined): Deno.UnixListener {
  using home = privatePlace(path);
  const listener = Deno.listen({ transport: "unix", path: home.path });
  try {
    if (Deno.build.os !== "windows") Deno.chmodSync(home.path, mode);
    if (socketAt(path) !== found) throw new Error("another program has just made a file there");
    Deno.renameSync(home.path, path);
    return listener;
  } catch (error) {
    listener.close();
    throw error;
  }
}

/**
 * A path for a socket in a folder beside `path` that is this user's alone. The folder goes with the scope.
 *
 * The file's name is random too: Deno removes it once more when the listener closes, and by then the folder's name may
 * be somebody else's link to anywhere.
 */
function privatePlace(path: string): Disposable & { path: string } {
  const beside = path.slice(0, path.lastIndexOf("/") + 1);
  const room = Math.min(PRIVATE_NAME_LENGTH, MAX_PATH_LENGTH - new TextEncoder().encode(beside).length) - 1;
  const fileLength = Math.floor(room / 2);
  if (fileLength < 1) throw tooLong(path);
  for (let tries = 1;; tries++) {
    const folder = `${beside}${randomName(room - fileLength)}`;
    try {
      Deno.mkdirSync(folder, { mode: 0o700 });
      return {
        path: `${folder}/${randomName(fileLength)}`,
        [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
      };
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists) || tries === MAX_NAME_TRIES) throw error;
    }
  }
}

function randomName(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => (byte % 36).toString(36)).join("");
}

function checkLength(path: string): void {
  if (new TextEncoder().encode(path).length > MAX_PATH_LENGTH) throw tooLong(path);
}

function tooLong(path: string): Error {
  const { length } = new TextEncoder().encode(path);
  return new Error(
    length > MAX_PATH_LENGTH
      ? `the path is too long: from / on a Unix socket's has at most ${MAX_PATH_LENGTH} bytes, and this ${length}`
      : `the path is too long: the folder's leaves no room for a private folder in it (${MAX_PATH_LENGTH} bytes)`,
  );
}

/** A path as Deno hands it to the system. */
function fromRoot(path: string): string {
  return (path.startsWith("/") ? path : `${Deno.cwd()}/${path}`).replaceAll(/\/(?:\.?\/)+/g, "/");
}

/** Whether somebody listens on a socket. */
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
  const own = idOf(lstat(path));
  return {
    accept: async () => ({ stream: await listener.accept(), peer: undefined }),
    close() {
      try {
        // While the socket is open, the system gives its inode to no other file.
        if (idOf(lstat(path)) === own) Deno.removeSync(path);
      } catch {
        // The folder is no longer this user's to change: the file stays, as after a crash.
      }
      listener.close();
    },
  };
}

/** What tells the socket at a path from others; undefined if there is none. @throws {Error} for other kinds of files. */
function socketAt(path: string): string | undefined {
  const found = lstat(path);
  if (found?.isDirectory) throw new Error("it is a directory");
  if (found?.isSymlink) throw new Error("there is a link, and links are not followed");
  if (found !== undefined && !found.isSocket) throw new Error("there is a file, and it is not a socket");
  return idOf(found);
}

function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** What tells a file from others that have its path before or after it: device and inode. */
function idOf(file: Deno.FileInfo | undefined): string | undefined {
  return file && `${file.dev}:${file.ino}`;
}
