import { Failure, reasonOf } from "../failure.ts";

/** The command that tells the descriptor limit, the one program that tsecho may start. */
const GETCONF = "/usr/bin/getconf";

/**
 * The soft limit of open descriptors of this process (RLIMIT_NOFILE): Infinity on Windows, undefined where it cannot be
 * told.
 *
 * Deno has no call for it, and lets no program without all permissions read /proc/self/limits. A child inherits
 * the limit, and POSIX's getconf prints its own.
 *
 * @param asker what is to start, for the error.
 * @throws {Failure} when there are no descriptors left to find out with.
 */
export async function descriptorLimit(asker: string): Promise<number | undefined> {
  if (Deno.build.os === "windows") return Infinity; // it has no such limit
  // A library must not have the user asked for a permission.
  if (!isGranted({ name: "run", command: GETCONF })) return undefined;
  try {
    const { stdout } = await new Deno.Command(GETCONF, { args: ["OPEN_MAX"], clearEnv: true, stderr: "null" })
      .output();
    const limit = Number.parseInt(new TextDecoder().decode(stdout));
    return limit > 0 ? limit : undefined;
  } catch (error) {
    if (!/^E[MN]FILE$/.test((error as { code?: string }).code ?? "")) return undefined; // no getconf
    throw new Failure("start", asker, reasonOf(error), { cause: error });
  }
}

/**
 * Makes room for `count` descriptors in the kernel's table of this process, by opening so many for a moment.
 *
 * Linux doubles the table when it is full, and in a process of several threads each doubling stops the one that needs
 * it until all processors have passed a quiescent state (synchronize_rcu, tens of milliseconds). A burst of thousands
 * of connects, such as all clients of a server that was started again, does not wait for that: the backlog overflows.
 */
export async function growDescriptorTable(count: number): Promise<void> {
  if (Deno.build.os !== "linux" || !isGranted({ name: "read", path: "/dev/null" })) return;
  const opened: Deno.FsFile[] = [];
  // A table of 2^n entries is there as soon as descriptor 2^(n-1) is.
  let left = 2 ** Math.floor(Math.log2(count));
  const open = async () => {
    while (left-- > 0) opened.push(await Deno.open("/dev/null"));
  };
  // The opening threads do the waiting; more of them do not make it shorter.
  await Promise.allSettled(Array.from({ length: 8 }, open)); // without descriptors it stays as it is
  for (const file of opened) file.close();
}

function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}
