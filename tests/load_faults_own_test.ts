/** Each line is counted once, whatever becomes of its own connection, or of its datagram. */
import { test } from "./harness.ts";
import { checkRandomRuns } from "./load_faults.ts";

test(
  "each line is counted once by itself, whatever servers and the user do",
  { level: "sized" },
  async () => {
    await checkRandomRuns({ reconnect: true }, { datagrams: true });
  },
);
