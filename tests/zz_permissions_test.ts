/** Runs last, because test files run in the order of their names: says what a run without permissions leaves out. */
import { E2E, lacking, test } from "./harness.ts";

if (lacking(E2E).length > 0) {
  test(
    "tests that lack a permission were ignored: `deno test -A` runs all of them",
    { ignore: true },
    () => {},
  );
}
