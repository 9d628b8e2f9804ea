/** Two servers behind a balancer, one of which is slow on the way back and has a wrong clock. */
import { Folder, ServerProcess, startHaproxy } from "./helpers.ts";
import { DelayingRelay, faketime } from "./peers.ts";

/** A configuration of HAProxy that gives connections to servers on this machine in turn. */
export function haproxyConfig(servers: number[]): string {
  return `defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen web
  bind 127.0.0.1:1
  balance roundrobin
${servers.map((it, i) => `  server s${i + 1} 127.0.0.1:${it}\n`).join("")}`;
}

/** What a test or a script needs for it. */
export const BALANCED_PAIR_NEEDS = ["haproxy", "faketime", "python3"];

/** `web-1` and, behind a relay, `web-2`, which share HAProxy's port in turn. */
export class BalancedPair implements AsyncDisposable {
  /** @param slow what stands in front of the slow server. */
  private constructor(
    readonly port: number,
    readonly slow: DelayingRelay,
    readonly resources: AsyncDisposableStack,
  ) {}

  /** @param delay how late replies of `web-2` are, in ms: a third of it, and on average all of it in addition. */
  static async start(delay = 15): Promise<BalancedPair> {
    await using stack = new AsyncDisposableStack();
    const good = stack.use(await ServerProcess.start(["--tag", "web-1"]));
    const bad = stack.use(await ServerProcess.start(["--tag", "web-2"], faketime(-1.5)));
    const down = () => delay / 3 - delay * Math.log(Math.random());
    const slow = stack.use(new DelayingRelay(bad.port, { up: () => 0, down }));
    const folder = stack.use(await Folder.make());
    const config = haproxyConfig([good.port, slow.port]);
    const { process, port } = await startHaproxy(config, folder.file("haproxy.cfg"));
    stack.use(process);
    return new BalancedPair(port, slow, stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resources.disposeAsync();
  }
}
