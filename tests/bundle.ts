/**
 * Bundles tsecho into .bundle/, whose files start in half the time of the sources': `deno task test` starts hundreds of
 * processes. A run of single files takes the sources themselves, and so does every run where no bundle can be made:
 * `deno bundle` loads its bundler from npm.
 */
const FOLDER = ".bundle";

async function remove(): Promise<void> {
  await Deno.remove(FOLDER, { recursive: true }).catch(() => {});
}

await remove(); // never an older one
const { success } = await new Deno.Command(Deno.execPath(), {
  args: [
    ...["bundle", "--quiet", "--platform", "deno", "--code-splitting", "--outdir", FOLDER],
    ...["main.ts", "load/thread.ts"],
  ],
}).spawn().status;
if (success) {
  // threads.ts finds its module beside itself, and all that it is bundled into stands at the top.
  await Deno.writeTextFile(`${FOLDER}/thread.ts`, 'import "./load/thread.js";\n');
} else {
  await remove();
  console.error("There is no bundle: the tests start the sources, and take longer");
}
