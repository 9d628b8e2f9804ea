/** The command that tells the descriptor limit, the one program that tsecho may start. */
const GETCONF = "/usr/bin/getconf";

/**
 * The soft limit of open descriptors of this process (RLIMIT_NOFILE): Infinity on Windows, undefined where it cannot be
 * told.
 *
 * Deno has no call for it, and lets no program without all permissions read /proc/self/limits. A child inherits
 * the limit, and POSIX's getconf prints its own.
 */
export async function descriptorLimit(): Promise<number | undefined> {
  if (Deno.build.os === "windows") return Infinity; // it has no such limit
  try {
    const { stdout } = await new Deno.Command(GETCONF, { args: ["OPEN_MAX"], clearEnv: true, stderr: "null" })
      .output();
    const limit = Number.parseInt(new TextDecoder().decode(stdout));
    return limit > 0 ? limit : undefined;
  } catch {
    return undefined; // no getconf, or started without the permission to run it
  }
}
