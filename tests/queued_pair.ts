/** Two servers behind a balancer, in front of one of which stands a queue. */
import { haproxyConfig } from "./balanced_pair.ts";
import { Folder, ServerProcess, startHaproxy } from "./helpers.ts";
import { QueueingRelay } from "./load_peers.ts";

/** `web-1` and, behind a queue, `web-2`, which share HAProxy's port in turn. */
export class QueuedPair implements AsyncDisposable {
  readonly port: number;
  readonly #resources: AsyncDisposableStack;

  private constructor(port: number, resources: AsyncDisposableStack) {
    this.port = port;
    this.#resources = resources;
  }

  /** @param millis how long each line of `web-2` takes, one after the other. */
  static async start(millis: number): Promise<QueuedPair> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await Folder.make());
    const fast = stack.use(await ServerProcess.start(["--tag", "web-1"]));
    const slow = stack.use(await ServerProcess.start(["--tag", "web-2"]));
    const queue = stack.use(new QueueingRelay(slow.port, millis));
    const config = haproxyConfig([fast.port, queue.port]);
    const { process, port } = await startHaproxy(config, folder.file("haproxy.cfg"));
    stack.use(process);
    return new QueuedPair(port, stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}
